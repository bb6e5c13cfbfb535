//! Writing GGUF files with llama.cpp's own writer.

use std::ffi::{CString, c_void};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::EngineError;

/// A GGUF file in the making.
pub(crate) struct GgufWriter {
    gguf: NonNull<sys::gguf_context>,
    tensors: NonNull<sys::ggml_context>,
    /// Tensor data is only pointed at until the file is written.
    data: Vec<Vec<f32>>,
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
            (Some(gguf), Some(tensors)) => Ok(Self {
                gguf,
                tensors,
                data: Vec::new(),
            }),
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
        let owned = values
            .iter()
            .map(|value| c_string(value))
            .collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = owned.iter().map(|value| value.as_ptr()).collect();
        // SAFETY: the array has `len` valid strings, which the writer copies.
        unsafe { sys::gguf_set_arr_str(self.gguf.as_ptr(), key.as_ptr(), pointers.as_mut_ptr(), pointers.len()) };
        Ok(())
    }

    pub(crate) fn integers(&mut self, key: &str, values: &[i32]) -> Result<(), EngineError> {
        let key = c_string(key)?;
        // SAFETY: the array has `len` 32-bit integers, which the writer copies.
        unsafe {
            sys::gguf_set_arr_data(
                self.gguf.as_ptr(),
                key.as_ptr(),
                sys::GGUF_TYPE_INT32,
                values.as_ptr().cast::<c_void>(),
                values.len(),
            );
        }
        Ok(())
    }

    /// Adds an f32 tensor; `shape` is in row-major order (slowest first), as safetensors has it.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<(), EngineError> {
        if shape.is_empty() || shape.len() > 4 || shape.iter().product::<usize>() != values.len() {
            return Err(failed("a tensor's shape does not fit its data"));
        }
        let name = c_string(name)?;
        let extents: Vec<i64> = shape
            .iter()
            .rev()
            .map(|extent| i64::try_from(*extent).unwrap_or(0))
            .collect();
        // SAFETY: the context has room for a header (counted in `new`, ggml returns null if not);
        // the data stays where it is until the writer is dropped, since its Vec is kept unchanged.
        unsafe {
            let tensor = sys::ggml_new_tensor(
                self.tensors.as_ptr(),
                sys::GGML_TYPE_F32,
                i32::try_from(extents.len()).unwrap_or(0),
                extents.as_ptr(),
            );
            if tensor.is_null() {
                return Err(failed("no room for another tensor header"));
            }
            sys::ggml_set_name(tensor, name.as_ptr());
            (*tensor).data = values.as_ptr().cast_mut().cast::<c_void>();
            sys::gguf_add_tensor(self.gguf.as_ptr(), tensor);
        }
        self.data.push(values);
        Ok(())
    }

    pub(crate) fn write(self, path: &Path) -> Result<(), EngineError> {
        let text = path.to_str().ok_or_else(|| failed("the path is not valid UTF-8"))?;
        let text = c_string(text)?;
        // SAFETY: the writer and the tensor data are alive until the end of this call.
        if unsafe { sys::gguf_write_to_file(self.gguf.as_ptr(), text.as_ptr(), false) } {
            Ok(())
        } else {
            Err(EngineError::Convert {
                path: path.to_owned(),
                reason: "the file could not be written".into(),
            })
        }
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

fn c_string(text: &str) -> Result<CString, EngineError> {
    CString::new(text).map_err(|_| failed("a text holds a NUL byte"))
}

fn failed(reason: &'static str) -> EngineError {
    EngineError::Compute {
        operation: "writing GGUF",
        reason: reason.into(),
    }
}
