//! Puts pieces together into the model file.
//!
//! It must not know where the pieces came from, nor where the model will be installed.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::blueprint::{Assembly, Blueprint};
use super::digest::Sha256Digest;
use super::error::{SourceError, at};
use super::workspace::Workspace;

/// Makes the model from the pieces in `workspace` and gives its digest. The file is `workspace.assembled()`.
pub(super) fn assemble(blueprint: &Blueprint, workspace: &Workspace) -> Result<Sha256Digest, SourceError> {
    let target = workspace.assembled();
    match blueprint.assembly {
        Assembly::Join => join(blueprint, &workspace.pieces(), &target),
        Assembly::MinilmToGguf => {
            mainpoint_engine::convert::minilm_to_gguf(&workspace.pieces(), &target)
                .map_err(|source| SourceError::Convert { source })?;
            Sha256Digest::of_file(&target, |_| ()).map_err(at(&target))
        }
    }
}

fn join(blueprint: &Blueprint, pieces: &Path, target: &Path) -> Result<Sha256Digest, SourceError> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(target).map_err(at(target))?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for piece in &blueprint.pieces {
        let path = pieces.join(&piece.file);
        let mut source = File::open(&path).map_err(at(&path))?;
        loop {
            let count = source.read(&mut buffer).map_err(at(&path))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            hasher.update(bytes);
            writer.write_all(bytes).map_err(at(target))?;
        }
    }
    writer.flush().map_err(at(target))?;
    Ok(Sha256Digest::finish(hasher))
}
