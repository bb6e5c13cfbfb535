//! Columns of numbers in safetensors files, so that a benchmark's long computations happen once.
//!
//! A file's name holds a hash of everything that its content depends on; a file that cannot be read counts as absent.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::{BenchError, Failing};

/// Named columns of little-endian numbers, to be written together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Columns(HashMap<String, (Dtype, Vec<u8>)>);

#[derive(Debug, Clone)]
pub(crate) struct Cache {
    directory: PathBuf,
}

impl Columns {
    pub(crate) fn put_floats(&mut self, name: &str, values: impl IntoIterator<Item = f32>) {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.0.insert(name.to_owned(), (Dtype::F32, bytes));
    }

    /// Adds a column of floating-point numbers of which the first 16 bits are kept: the sign, the whole exponent and three
    /// decimal digits.
    pub(crate) fn put_halves(&mut self, name: &str, values: impl IntoIterator<Item = f32>) {
        let bytes = values.into_iter().flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect();
        self.0.insert(name.to_owned(), (Dtype::BF16, bytes));
    }

    /// Adds a column of whole numbers; those above `u32::MAX` are capped.
    pub(crate) fn put_numbers(&mut self, name: &str, values: impl IntoIterator<Item = usize>) {
        let number = |value| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let bytes = values.into_iter().flat_map(number).collect();
        self.0.insert(name.to_owned(), (Dtype::U32, bytes));
    }

    /// The floating-point numbers of a column; none if it is absent.
    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name, Dtype::F32).map(f32::from_le_bytes).collect()
    }

    /// The numbers of a column of halves; none if it is absent.
    pub(crate) fn halves(&self, name: &str) -> Vec<f32> {
        self.words(name, Dtype::BF16).map(|bytes| bf16::from_le_bytes(bytes).to_f32()).collect()
    }

    /// The whole numbers of a column; none if it is absent.
    pub(crate) fn numbers(&self, name: &str) -> Vec<usize> {
        let words = self.words(name, Dtype::U32);
        words.map(|bytes| u32::from_le_bytes(bytes) as usize).collect()
    }

    fn words<const N: usize>(&self, name: &str, kind: Dtype) -> impl Iterator<Item = [u8; N]> + '_ {
        let column = self.0.get(name).filter(|(found, _)| *found == kind);
        let bytes = column.map_or(&[][..], |(_, bytes)| bytes);
        bytes.as_chunks::<N>().0.iter().copied()
    }
}

impl Cache {
    /// A cache in `directory`, which is made when something is kept.
    pub(crate) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The columns kept under `name` for content that depends on `inputs`.
    pub(crate) fn get(&self, name: &str, inputs: &[&str]) -> Option<Columns> {
        let bytes = std::fs::read(self.path(name, inputs)).ok()?;
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let column =
            |(name, tensor): (&str, TensorView<'_>)| (name.to_owned(), (tensor.dtype(), tensor.data().to_vec()));
        Some(Columns(tensors.iter().map(column).collect()))
    }

    /// Keeps columns under `name` for content that depends on `inputs`.
    pub(crate) fn put(&self, name: &str, inputs: &[&str], columns: &Columns) -> Result<(), BenchError> {
        let path = self.path(name, inputs);
        let failed = |error: safetensors::SafeTensorError| BenchError::data(&path, error);
        let mut views = Vec::new();
        for (name, (kind, bytes)) in &columns.0 {
            let shape = vec![bytes.len() * 8 / kind.bitsize()];
            views.push((name, TensorView::new(*kind, shape, bytes).map_err(failed)?));
        }
        write_whole(&path, &safetensors::serialize(views, None).map_err(failed)?)
    }

    fn path(&self, name: &str, inputs: &[&str]) -> PathBuf {
        let mut hasher = Sha256::new();
        for input in inputs {
            hasher.update(input.len().to_le_bytes());
            hasher.update(input);
        }
        let hash = leading_digits(&hasher.finalize(), 8);
        self.directory.join(format!("{name}-{hash}.safetensors"))
    }
}

/// The first bytes of a content's hash, in hexadecimal digits.
pub(crate) fn short_hash(content: impl AsRef<[u8]>, bytes: usize) -> String {
    leading_digits(&Sha256::digest(content), bytes)
}

fn leading_digits(hash: &[u8], bytes: usize) -> String {
    hash.iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file so that a reader sees all of it or nothing.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), BenchError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).when_writing(directory)?;
    let file = tempfile::NamedTempFile::new_in(directory).when_writing(directory)?;
    std::fs::write(file.path(), content).when_writing(path)?;
    file.persist(path).map(drop).when_writing(path)
}

pub(crate) fn files_below(directory: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).when_reading(directory)? {
        let path = entry.when_reading(directory)?.path();
        files.extend(if path.is_dir() { files_below(&path)? } else { vec![path] });
    }
    Ok(files)
}

pub(crate) fn bytes_of(files: &[PathBuf]) -> Result<u64, BenchError> {
    let bytes = files.iter().map(|path| Ok(path.metadata().when_reading(path)?.len()));
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_for_the_same_inputs_alone() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("new"));
        let mut columns = Columns::default();
        columns.put_floats("floats", [1.5, -2.25]);
        columns.put_halves("halves", [1.5, -0.337_89, 0.0]);
        columns.put_numbers("numbers", [0, 7, 4_000_000_000]);
        columns.put_numbers("empty", []);
        cache.put("some", &["data", "model"], &columns).unwrap();
        let found = cache.get("some", &["data", "model"]).unwrap();
        assert_eq!(found, columns);
        assert_eq!(found.floats("floats"), [1.5, -2.25]);
        assert_eq!(found.halves("halves"), [1.5, -0.337_890_63, 0.0]);
        assert_eq!(found.numbers("numbers"), [0, 7, 4_000_000_000]);
        assert!(found.floats("absent").is_empty() && found.floats("numbers").is_empty());
        assert!(cache.get("some", &["datam", "odel"]).is_none());
        assert!(cache.get("another", &["data", "model"]).is_none());
        std::fs::write(cache.path("some", &["data", "model"]), b"half a fi").unwrap();
        assert!(cache.get("some", &["data", "model"]).is_none(), "a damaged file counts as absent");
    }
}
