//! Puts pieces together into the model file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use mainpoint_engine::convert::{e5_to_gguf, embeddinggemma_to_gguf, minilm_to_gguf};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::blueprint::{Assembly, Origin, Packing, Piece};
use super::digest::Sha256Digest;
use super::error::{SourceError, at};
use super::joined::Joined;
use super::workspace::Workspace;

/// Makes the model from the pieces in `workspace` and gives its digest. The file is `workspace.assembled()`.
pub(super) fn assemble(
    assembly: Assembly,
    origin: &Origin,
    workspace: &Workspace,
) -> Result<Sha256Digest, SourceError> {
    let target = workspace.assembled();
    let pieces = workspace.pieces();
    let joined = || Joined::open(origin.pieces.iter().map(|piece| pieces.join(&piece.file))).map_err(at(&pieces));
    let scratch = workspace.scratch().map_err(at(&target))?;
    let files = match &origin.packing {
        Packing::Plain => pieces.as_path(),
        Packing::Zip { directory, files } => {
            unpack(joined()?, directory, files, scratch.path())?;
            scratch.path()
        }
    };
    let converted = match assembly {
        Assembly::Join => return write(joined()?, &target),
        Assembly::MinilmToGguf => minilm_to_gguf(files, &target),
        Assembly::E5ToGguf => e5_to_gguf(files, &target),
        Assembly::EmbeddingGemmaToGguf => embeddinggemma_to_gguf(files, &target),
    };
    converted.map_err(|source| SourceError::Convert { source })?;
    Sha256Digest::of_file(&target, |_| ()).map_err(at(&target))
}

/// Takes files out of an archive and checks them.
fn unpack(archive: Joined, directory: &str, files: &[Piece], target: &Path) -> Result<(), SourceError> {
    let unusable = |reason: &dyn std::fmt::Display| SourceError::Archive { reason: reason.to_string() };
    let mut archive = ZipArchive::new(BufReader::new(archive)).map_err(|error| unusable(&error))?;
    for file in files {
        let path = format!("{directory}/{}", file.file);
        let member = archive.by_name(&path).map_err(|error| unusable(&format_args!("{path}: {error}")))?;
        // One byte over the expected size is enough to see that a member is too large.
        let limit = file.bytes.unwrap_or(u64::MAX - 1) + 1;
        let found = write(member.take(limit), &target.join(&file.file))?;
        if let Some(expected) = file.digest.filter(|expected| *expected != found) {
            return Err(SourceError::Digest { file: path, found, expected });
        }
    }
    Ok(())
}

/// Writes everything that comes into a new file and gives its digest.
fn write(mut source: impl Read, target: &Path) -> Result<Sha256Digest, SourceError> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(target).map_err(at(target))?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(at(target))?,
        };
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hasher.update(bytes);
        writer.write_all(bytes).map_err(at(target))?;
    }
    writer.flush().map_err(at(target))?;
    Ok(Sha256Digest::finish(hasher))
}
