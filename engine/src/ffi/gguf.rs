//! Writing GGUF files with llama.cpp's own writer and its own quantisation.

use std::ffi::{CString, c_void};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::EngineError;

/// How the numbers of a tensor are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Four bytes each.
    F32,
    /// Blocks of 32 numbers: a scale of two bytes and one byte each.
    Q8_0,
}

/// A GGUF file in the making: its keys, and which tensors it will have.
pub(crate) struct GgufWriter {
    gguf: NonNull<sys::gguf_context>,
    tensors: NonNull<sys::ggml_context>,
    /// Bytes of every tensor, in the order of the file.
    sizes: Vec<usize>,
}

/// A GGUF file whose keys are written; the tensors' numbers follow, one tensor after the other.
pub(crate) struct GgufData {
    path: PathBuf,
    file: BufWriter<File>,
    alignment: usize,
    /// Bytes of the tensors that are not complete yet, the present one last.
    missing: Vec<usize>,
    /// Bytes that the present tensor has so far.
    written: usize,
}

impl Form {
    fn kind(self) -> sys::ggml_type {
        match self {
            Self::F32 => sys::GGML_TYPE_F32,
            Self::Q8_0 => sys::GGML_TYPE_Q8_0,
        }
    }

    /// Whether rows of `width` numbers can be written so.
    pub(crate) fn fits(self, width: usize) -> bool {
        match self {
            Self::F32 => width > 0,
            Self::Q8_0 => width > 0 && width.is_multiple_of(32),
        }
    }

    /// The bytes of whole rows of `width` numbers. `width` must fit, and `values` must be whole rows.
    pub(crate) fn encode(self, width: usize, values: &[f32]) -> Result<Vec<u8>, EngineError> {
        if !self.fits(width) || !values.len().is_multiple_of(width) {
            return Err(failed("rows that do not fit the form"));
        }
        let (rows, columns) = (signed(values.len() / width), signed(width));
        // SAFETY: a plain function of two numbers; `width` is a multiple of the form's block.
        let row_bytes = unsafe { sys::ggml_row_size(self.kind(), columns) };
        let mut bytes = vec![0_u8; row_bytes * (values.len() / width)];
        // SAFETY: `values` has `rows * columns` numbers and `bytes` room for as many rows, as computed above; neither form
        // needs a table that would have to be made first, nor weights of importance.
        let count = unsafe {
            sys::ggml_quantize_chunk(
                self.kind(),
                values.as_ptr(),
                bytes.as_mut_ptr().cast::<c_void>(),
                0,
                rows,
                columns,
                std::ptr::null(),
            )
        };
        if count == bytes.len() {
            Ok(bytes)
        } else {
            Err(failed("llama.cpp wrote another number of bytes than a row has"))
        }
    }
}

impl GgufWriter {
    /// A writer for at most `tensors` tensors.
    pub(crate) fn new(tensors: usize) -> Result<Self, EngineError> {
        // SAFETY: plain constructors; `no_alloc` means that only headers live in this memory, and
        // ggml allocates the buffer itself when none is given.
        let (gguf, context) = unsafe {
            let params = sys::ggml_init_params {
                mem_size: sys::ggml_tensor_overhead() * (tensors + 1),
                mem_buffer: std::ptr::null_mut(),
                no_alloc: true,
            };
            (sys::gguf_init_empty(), sys::ggml_init(params))
        };
        match (NonNull::new(gguf), NonNull::new(context)) {
            (Some(gguf), Some(tensors)) => Ok(Self { gguf, tensors, sizes: Vec::new() }),
            _ => Err(failed("llama.cpp gave no GGUF writer")),
        }
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) -> Result<(), EngineError> {
        let (key, value) = (c_string(key)?, c_string(value)?);
        // SAFETY: the writer is alive and copies both strings.
        unsafe { sys::gguf_set_val_str(self.gguf.as_ptr(), key.as_ptr(), value.as_ptr()) };
        Ok(())
    }

    pub(crate) fn unsigned(&mut self, key: &str, value: u32) -> Result<(), EngineError> {
        let key = c_string(key)?;
        // SAFETY: the writer is alive and copies the key.
        unsafe { sys::gguf_set_val_u32(self.gguf.as_ptr(), key.as_ptr(), value) };
        Ok(())
    }

    pub(crate) fn float(&mut self, key: &str, value: f32) -> Result<(), EngineError> {
        let key = c_string(key)?;
        // SAFETY: as above.
        unsafe { sys::gguf_set_val_f32(self.gguf.as_ptr(), key.as_ptr(), value) };
        Ok(())
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) -> Result<(), EngineError> {
        let key = c_string(key)?;
        // SAFETY: as above.
        unsafe { sys::gguf_set_val_bool(self.gguf.as_ptr(), key.as_ptr(), value) };
        Ok(())
    }

    pub(crate) fn texts(&mut self, key: &str, values: &[String]) -> Result<(), EngineError> {
        let key = c_string(key)?;
        let owned = values.iter().map(|value| c_string(value)).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = owned.iter().map(|value| value.as_ptr()).collect();
        // SAFETY: the array has `len` valid strings, which the writer copies.
        unsafe { sys::gguf_set_arr_str(self.gguf.as_ptr(), key.as_ptr(), pointers.as_mut_ptr(), pointers.len()) };
        Ok(())
    }

    pub(crate) fn integers(&mut self, key: &str, values: &[i32]) -> Result<(), EngineError> {
        self.array(key, sys::GGUF_TYPE_INT32, values)
    }

    pub(crate) fn floats(&mut self, key: &str, values: &[f32]) -> Result<(), EngineError> {
        self.array(key, sys::GGUF_TYPE_FLOAT32, values)
    }

    pub(crate) fn bytes(&mut self, key: &str, values: &[u8]) -> Result<(), EngineError> {
        self.array(key, sys::GGUF_TYPE_UINT8, values)
    }

    /// `kind` must be GGUF's name for numbers of the type `Number`.
    fn array<Number: Copy>(&mut self, key: &str, kind: sys::gguf_type, values: &[Number]) -> Result<(), EngineError> {
        let key = c_string(key)?;
        // SAFETY: the array has `len` numbers of the stated kind, which the writer copies.
        unsafe {
            sys::gguf_set_arr_data(
                self.gguf.as_ptr(),
                key.as_ptr(),
                kind,
                values.as_ptr().cast::<c_void>(),
                values.len(),
            );
        }
        Ok(())
    }

    /// Announces a tensor; `shape` is in row-major order (slowest first), as safetensors has it.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], form: Form) -> Result<(), EngineError> {
        let width = shape.last().copied().unwrap_or(0);
        if shape.len() > 4 || shape.contains(&0) || !form.fits(width) {
            return Err(failed("a tensor's shape does not fit its form"));
        }
        let name = c_string(name)?;
        let extents: Vec<i64> = shape.iter().rev().map(|extent| signed(*extent)).collect();
        // SAFETY: the context has room for a header (counted in `new`, ggml returns null if not); the writer takes over what
        // the header says and never looks at the tensor's numbers, which it does not have.
        unsafe {
            let tensor = sys::ggml_new_tensor(
                self.tensors.as_ptr(),
                form.kind(),
                i32::try_from(extents.len()).unwrap_or(0),
                extents.as_ptr(),
            );
            if tensor.is_null() {
                return Err(failed("no room for another tensor header"));
            }
            sys::ggml_set_name(tensor, name.as_ptr());
            sys::gguf_add_tensor(self.gguf.as_ptr(), tensor);
            self.sizes.push(sys::ggml_nbytes(tensor));
        }
        Ok(())
    }

    /// Writes the keys and what the tensors are; their numbers are written next.
    pub(crate) fn begin(self, path: &Path) -> Result<GgufData, EngineError> {
        let text = path.to_str().ok_or_else(|| failed("the path is not valid UTF-8"))?;
        let text = c_string(text)?;
        // SAFETY: the writer is alive until the end of this call.
        if !unsafe { sys::gguf_write_to_file(self.gguf.as_ptr(), text.as_ptr(), true) } {
            return Err(unwritten(path, &"llama.cpp could not write it"));
        }
        // SAFETY: the writer is alive.
        let alignment = unsafe { sys::gguf_get_alignment(self.gguf.as_ptr()) };
        let mut file = File::options().write(true).open(path).map_err(|error| unwritten(path, &error))?;
        file.seek(SeekFrom::End(0)).map_err(|error| unwritten(path, &error))?;
        Ok(GgufData {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            alignment,
            missing: self.sizes.iter().rev().copied().collect(),
            written: 0,
        })
    }
}

impl GgufData {
    /// Writes more of the present tensor; its last byte makes the next tensor the present one.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let size = self.missing.last().copied().unwrap_or(0);
        self.written += bytes.len();
        if self.written > size {
            return Err(failed("a tensor has more numbers than its shape"));
        }
        self.file.write_all(bytes).map_err(|error| unwritten(&self.path, &error))?;
        if self.written == size {
            let padding = size.next_multiple_of(self.alignment) - size;
            self.file.write_all(&vec![0; padding]).map_err(|error| unwritten(&self.path, &error))?;
            self.missing.pop();
            self.written = 0;
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<(), EngineError> {
        if !self.missing.is_empty() {
            return Err(failed("a tensor has fewer numbers than its shape"));
        }
        self.file.flush().map_err(|error| unwritten(&self.path, &error))
    }
}

impl Drop for GgufWriter {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once.
        unsafe {
            sys::gguf_free(self.gguf.as_ptr());
            sys::ggml_free(self.tensors.as_ptr());
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn c_string(text: &str) -> Result<CString, EngineError> {
    CString::new(text).map_err(|_| failed("a text holds a NUL byte"))
}

fn failed(reason: &'static str) -> EngineError {
    EngineError::Compute { operation: "writing GGUF", reason: reason.into() }
}

fn unwritten(path: &Path, reason: &dyn std::fmt::Display) -> EngineError {
    EngineError::Convert { path: path.to_owned(), reason: format!("the file could not be written: {reason}") }
}

/// Reading a file back, for tests of what was written.
#[cfg(test)]
pub(crate) mod reading {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    /// The keys and the tensors' places of a GGUF file.
    pub(crate) struct GgufFile {
        gguf: NonNull<sys::gguf_context>,
        bytes: Vec<u8>,
    }

    impl GgufFile {
        pub(crate) fn open(path: &Path) -> Self {
            let text = c_string(path.to_str().unwrap()).unwrap();
            let params = sys::gguf_init_params { no_alloc: true, ctx: std::ptr::null_mut() };
            // SAFETY: the path is a valid string; without a context only the header is read.
            let gguf = unsafe { sys::gguf_init_from_file(text.as_ptr(), params) };
            Self { gguf: NonNull::new(gguf).unwrap(), bytes: std::fs::read(path).unwrap() }
        }

        fn key(&self, key: &str) -> i64 {
            let text = c_string(key).unwrap();
            // SAFETY: the file is open and the key a valid string.
            let index = unsafe { sys::gguf_find_key(self.gguf.as_ptr(), text.as_ptr()) };
            assert!(index >= 0, "{key} is missing");
            index
        }

        pub(crate) fn unsigned(&self, key: &str) -> u32 {
            // SAFETY: the key is there; ggml ends the process if it is of another type.
            unsafe { sys::gguf_get_val_u32(self.gguf.as_ptr(), self.key(key)) }
        }

        pub(crate) fn float(&self, key: &str) -> f32 {
            // SAFETY: as above.
            unsafe { sys::gguf_get_val_f32(self.gguf.as_ptr(), self.key(key)) }
        }

        pub(crate) fn texts(&self, key: &str) -> Vec<String> {
            let key = self.key(key);
            // SAFETY: as above; the strings live as long as the file is open.
            unsafe {
                let count = sys::gguf_get_arr_n(self.gguf.as_ptr(), key);
                let text = |index| std::ffi::CStr::from_ptr(sys::gguf_get_arr_str(self.gguf.as_ptr(), key, index));
                (0..count).map(|index| text(index).to_str().unwrap().to_owned()).collect()
            }
        }

        pub(crate) fn integers(&self, key: &str) -> Vec<i32> {
            let key = self.key(key);
            // SAFETY: as above; the array holds `count` numbers of 32 bits.
            unsafe {
                let count = sys::gguf_get_arr_n(self.gguf.as_ptr(), key);
                let first = sys::gguf_get_arr_data(self.gguf.as_ptr(), key).cast::<i32>();
                std::slice::from_raw_parts(first, count).to_vec()
            }
        }

        /// The bytes of a tensor.
        pub(crate) fn tensor(&self, name: &str) -> &[u8] {
            let text = c_string(name).unwrap();
            // SAFETY: the file is open; the index is looked at before it is used.
            let (start, size) = unsafe {
                let index = sys::gguf_find_tensor(self.gguf.as_ptr(), text.as_ptr());
                assert!(index >= 0, "{name} is missing");
                let offset = sys::gguf_get_tensor_offset(self.gguf.as_ptr(), index);
                let start = sys::gguf_get_data_offset(self.gguf.as_ptr()) + offset;
                (start, sys::gguf_get_tensor_size(self.gguf.as_ptr(), index))
            };
            &self.bytes[start..start + size]
        }
    }

    impl Drop for GgufFile {
        fn drop(&mut self) {
            // SAFETY: made in `open` and freed once.
            unsafe { sys::gguf_free(self.gguf.as_ptr()) };
        }
    }
}
