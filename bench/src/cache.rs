//! Columns of numbers in safetensors files, so that a benchmark's long computations happen once.
//!
//! A file's name holds a hash of everything that its content depends on; a file that cannot be
//! read counts as absent. It must not know what the columns mean.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::BenchError;

/// Named columns, to be written together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    columns: HashMap<String, (Kind, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Floats,
    Halves,
    Numbers,
    Bytes,
}

/// A directory of cached columns.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

impl Columns {
    /// Adds a column of floating-point numbers.
    pub fn put_floats(&mut self, name: &str, values: impl IntoIterator<Item = f32>) {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.columns.insert(name.to_owned(), (Kind::Floats, bytes));
    }

    /// Adds a column of floating-point numbers of which the first 16 bits are kept: the sign, the whole exponent and three
    /// decimal digits.
    pub fn put_halves(&mut self, name: &str, values: impl IntoIterator<Item = f32>) {
        let bytes = values.into_iter().flat_map(half).collect();
        self.columns.insert(name.to_owned(), (Kind::Halves, bytes));
    }

    /// Adds a column of whole numbers; those above `u32::MAX` are capped.
    pub fn put_numbers(&mut self, name: &str, values: impl IntoIterator<Item = usize>) {
        let number = |value| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let bytes = values.into_iter().flat_map(number).collect();
        self.columns.insert(name.to_owned(), (Kind::Numbers, bytes));
    }

    /// Adds a column of bytes.
    pub fn put_bytes(&mut self, name: &str, values: Vec<u8>) {
        self.columns.insert(name.to_owned(), (Kind::Bytes, values));
    }

    /// The floating-point numbers of a column; none if it is absent.
    #[must_use]
    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name, Kind::Floats).map(f32::from_le_bytes).collect()
    }

    /// The numbers of a column of halves; none if it is absent.
    #[must_use]
    pub fn halves(&self, name: &str) -> Vec<f32> {
        let column = self.columns.get(name).filter(|(found, _)| *found == Kind::Halves);
        let bytes = column.map_or(&[][..], |(_, bytes)| bytes);
        let whole = |two: &[u8]| f32::from_le_bytes([0, 0, two[0], two[1]]);
        bytes.chunks_exact(2).map(whole).collect()
    }

    /// The whole numbers of a column; none if it is absent.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Vec<usize> {
        self.words(name, Kind::Numbers)
            .map(|bytes| u32::from_le_bytes(bytes) as usize)
            .collect()
    }

    /// The bytes of a column; none if it is absent.
    #[must_use]
    pub fn bytes(&self, name: &str) -> &[u8] {
        self.columns.get(name).map_or(&[], |(_, bytes)| bytes)
    }

    fn words(&self, name: &str, kind: Kind) -> impl Iterator<Item = [u8; 4]> + '_ {
        let column = self.columns.get(name).filter(|(found, _)| *found == kind);
        let bytes = column.map_or(&[][..], |(_, bytes)| bytes);
        bytes.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]])
    }
}

impl Cache {
    /// A cache in `directory`, which is made when something is kept.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The columns kept under `name` for content that depends on `inputs`.
    #[must_use]
    pub fn get(&self, name: &str, inputs: &[&str]) -> Option<Columns> {
        let bytes = std::fs::read(self.path(name, inputs)).ok()?;
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let columns = tensors.iter().filter_map(|(name, tensor)| {
            let kind = match tensor.dtype() {
                Dtype::F32 => Kind::Floats,
                Dtype::BF16 => Kind::Halves,
                Dtype::U32 => Kind::Numbers,
                Dtype::U8 => Kind::Bytes,
                _ => return None,
            };
            Some((name.to_owned(), (kind, tensor.data().to_vec())))
        });
        Some(Columns {
            columns: columns.collect(),
        })
    }

    /// Keeps columns under `name` for content that depends on `inputs`.
    ///
    /// # Errors
    /// [`BenchError::Write`] or [`BenchError::Data`] if the file cannot be written.
    pub fn put(&self, name: &str, inputs: &[&str], columns: &Columns) -> Result<(), BenchError> {
        std::fs::create_dir_all(&self.directory).map_err(BenchError::writing(&self.directory))?;
        let path = self.path(name, inputs);
        let fail = |error: safetensors::SafeTensorError| BenchError::Data {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut views = Vec::new();
        for (name, (kind, bytes)) in &columns.columns {
            let (dtype, size) = match kind {
                Kind::Floats => (Dtype::F32, 4),
                Kind::Halves => (Dtype::BF16, 2),
                Kind::Numbers => (Dtype::U32, 4),
                Kind::Bytes => (Dtype::U8, 1),
            };
            views.push((
                name,
                TensorView::new(dtype, vec![bytes.len() / size], bytes).map_err(fail)?,
            ));
        }
        let content = safetensors::serialize(views, None).map_err(fail)?;
        write_whole(&path, &content)
    }

    fn path(&self, name: &str, inputs: &[&str]) -> PathBuf {
        let mut hasher = Sha256::new();
        for input in inputs {
            hasher.update(input.len().to_le_bytes());
            hasher.update(input);
        }
        let hash: String = hasher
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.directory.join(format!("{name}-{hash}.safetensors"))
    }
}

/// The bytes of a number's nearest neighbour among those with 16 bits; what is no number stays none.
fn half(value: f32) -> [u8; 2] {
    let bits = value.to_bits();
    let rounded = if value.is_finite() {
        bits.saturating_add(0x7FFF + ((bits >> 16) & 1))
    } else {
        bits
    };
    let [_, _, low, high] = rounded.to_le_bytes();
    [low, high]
}

/// Writes a file so that a reader sees all of it or nothing.
///
/// # Errors
/// [`BenchError::Write`] if it cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), BenchError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(BenchError::writing(directory))?;
    let file = tempfile::NamedTempFile::new_in(directory).map_err(BenchError::writing(directory))?;
    std::fs::write(file.path(), content).map_err(BenchError::writing(path))?;
    file.persist(path).map_err(|error| BenchError::Write {
        path: path.to_owned(),
        source: error.error,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn columns() -> Columns {
        let mut columns = Columns::default();
        columns.put_floats("floats", [1.5, -2.25]);
        columns.put_halves("halves", [1.5, -0.337_89, 0.0]);
        columns.put_numbers("numbers", [0, 7, 4_000_000_000]);
        columns.put_bytes("bytes", vec![1, 2, 3]);
        columns.put_bytes("empty", Vec::new());
        columns
    }

    #[test]
    fn what_was_kept_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().join("new"));
        cache.put("some", &["data", "model"], &columns()).unwrap();
        let found = cache.get("some", &["data", "model"]).unwrap();
        assert_eq!(found, columns());
        assert_eq!(found.floats("floats"), [1.5, -2.25]);
        assert_eq!(found.halves("halves"), [1.5, -0.337_890_63, 0.0]);
        assert_eq!(found.numbers("numbers"), [0, 7, 4_000_000_000]);
        assert_eq!(found.bytes("bytes"), [1, 2, 3]);
        assert!(found.floats("absent").is_empty() && found.floats("numbers").is_empty());
    }

    #[test]
    fn a_half_keeps_the_sign_and_three_digits() {
        for value in [1.0_f32, -0.001_234, 3.3e-12, -7.7e20, f32::MIN_POSITIVE] {
            let [low, high] = half(value);
            let kept = f32::from_le_bytes([0, 0, low, high]);
            assert!((kept - value).abs() <= value.abs() / 256.0, "{value} {kept}");
            assert_eq!(kept.is_sign_negative(), value.is_sign_negative());
        }
    }

    #[test]
    fn other_inputs_find_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().to_owned());
        cache.put("some", &["data", "model"], &columns()).unwrap();
        assert!(cache.get("some", &["data", "other"]).is_none());
        assert!(cache.get("some", &["datam", "odel"]).is_none());
        assert!(cache.get("another", &["data", "model"]).is_none());
    }

    #[test]
    fn a_damaged_file_counts_as_absent() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path().to_owned());
        cache.put("some", &["data"], &columns()).unwrap();
        std::fs::write(cache.path("some", &["data"]), b"half a fi").unwrap();
        assert!(cache.get("some", &["data"]).is_none());
    }
}
