//! Reading a safetensors file tensor by tensor, and a large tensor by rows, so that it never lies in memory as a whole.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::fail;
use crate::EngineError;

/// An open safetensors file.
pub(super) struct Weights {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Where the tensors' numbers begin.
    start: u64,
}

/// One tensor of 32-bit numbers.
pub(super) struct Tensor {
    /// In row-major order, the slowest first; never empty.
    pub(super) shape: Vec<usize>,
    /// Where its numbers begin in the file.
    start: u64,
}

/// No model's header is longer.
const MOST_HEADER_BYTES: u64 = 64 << 20;

impl Weights {
    /// Opens the file and reads which tensors it has.
    pub(super) fn open(path: &Path) -> Result<Self, EngineError> {
        let mut file = File::open(path).map_err(|error| fail(path, &error))?;
        let bytes = file.metadata().map_err(|error| fail(path, &error))?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|error| fail(path, &error))?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER_BYTES || length + 8 > bytes {
            return Err(fail(path, &"it is not a complete safetensors file"));
        }
        let mut header = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact(&mut header).map_err(|error| fail(path, &error))?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| fail(path, &error))?;
        if header.data_len() as u64 != bytes - 8 - length {
            return Err(fail(path, &"it is not a complete safetensors file"));
        }
        Ok(Self { path: path.to_owned(), file, header, start: 8 + length })
    }

    /// Whether there is a tensor of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// The tensor of this name.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor, EngineError> {
        let refuse = |reason: String| Err(fail(&self.path, &format!("tensor {name} {reason}")));
        let Some(info) = self.header.info(name) else {
            return refuse("is missing".into());
        };
        if info.dtype != Dtype::F32 {
            return refuse(format!("is {:?}, F32 is needed", info.dtype));
        }
        let (start, end) = info.data_offsets;
        let numbers = info.shape.iter().product::<usize>();
        if info.shape.is_empty() || end.checked_sub(start) != numbers.checked_mul(4) {
            return refuse(format!("has a shape that does not fit its bytes: {:?}", info.shape));
        }
        Ok(Tensor { shape: info.shape.clone(), start: self.start + start as u64 })
    }

    /// `count` numbers of a tensor, from number `first` on.
    pub(super) fn numbers(&mut self, tensor: &Tensor, first: usize, count: usize) -> Result<Vec<f32>, EngineError> {
        let mut bytes = vec![0; count * 4];
        let read = self
            .file
            .seek(SeekFrom::Start(tensor.start + first as u64 * 4))
            .and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| fail(&self.path, &error))?;
        let numbers = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        Ok(numbers.collect())
    }
}

impl Tensor {
    /// Numbers of one row.
    pub(super) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Numbers of all rows.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn a_tensor_is_read_in_parts_and_a_cut_file_is_refused() {
        let numbers: Vec<f32> = (0_u8..12).map(f32::from).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![3, 4], &bytes).unwrap();
        let text = safetensors::serialize([("a", view)], None).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");

        std::fs::write(&path, &text).unwrap();
        let mut weights = Weights::open(&path).unwrap();
        let tensor = weights.tensor("a").unwrap();
        assert_eq!((tensor.width(), tensor.len()), (4, 12));
        assert_eq!(weights.numbers(&tensor, 8, 4).unwrap(), numbers[8..]);
        let missing = weights.tensor("b").err().unwrap().to_string();
        assert!(missing.contains("tensor b is missing"), "{missing}");

        std::fs::write(&path, &text[..text.len() - 1]).unwrap();
        assert!(Weights::open(&path).is_err());
        std::fs::write(&path, &text[..5]).unwrap();
        assert!(Weights::open(&path).is_err());
        std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
        assert!(Weights::open(&path).is_err());
    }
}
