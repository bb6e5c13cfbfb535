//! Which blueprint a reference means.

use super::blueprint::{Assembly, Blueprint, Origin, Packing, Piece, Place};
use super::catalogue;
use super::digest::Sha256Digest;
use super::reference::{HuggingFaceFile, ModelLocation, ModelReference};

impl Blueprint {
    /// The blueprint of a reference; `None` for a local path, which needs no fetching, and for an unknown name.
    #[must_use]
    pub fn new(reference: &ModelReference) -> Option<Self> {
        let mut blueprint = match &reference.location {
            ModelLocation::Path(_) => return None,
            ModelLocation::Catalogue(name) => catalogue::find(name)?,
            ModelLocation::HuggingFace(file) => Self::of_hugging_face(file, reference.digest),
        };
        blueprint.digest = reference.digest.or(blueprint.digest);
        Some(blueprint)
    }

    fn of_hugging_face(file: &HuggingFaceFile, digest: Option<Sha256Digest>) -> Self {
        let flat = format!("{}--{}--{}", file.repository, file.revision, file.file).replace('/', "--");
        Self {
            name: format!("hf:{file}"),
            file: flat.clone(),
            description: "Hugging Face file".to_owned(),
            notice: None,
            bytes: None,
            digest,
            assembly: Assembly::Join,
            origins: vec![Origin {
                place: Place::HuggingFace(vec![file.clone()]),
                pieces: vec![Piece { file: flat, bytes: None, digest }],
                packing: Packing::Plain,
            }],
        }
    }
}
