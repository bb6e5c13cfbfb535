//! The head of a GGUF file: its keys and where its tensors lie, read without their numbers.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

/// The head of a GGUF file.
pub(crate) struct GgufHeader {
    gguf: NonNull<sys::gguf_context>,
}

impl GgufHeader {
    /// Reads the head of a file; `None` where there is none that can be read.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let path = CString::new(path.to_str()?).ok()?;
        let params = sys::gguf_init_params { no_alloc: true, ctx: std::ptr::null_mut() };
        // SAFETY: the path is a valid string; without a context only the head is read.
        let gguf = unsafe { sys::gguf_init_from_file(path.as_ptr(), params) };
        NonNull::new(gguf).map(|gguf| Self { gguf })
    }

    /// A key's text; `None` where it is missing or no text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let index = self.key(key, sys::GGUF_TYPE_STRING)?;
        // SAFETY: the key is there and a text, which lives as long as the head.
        let text = unsafe { CStr::from_ptr(sys::gguf_get_val_str(self.gguf.as_ptr(), index)) };
        Some(text.to_string_lossy().into_owned())
    }

    /// A key's number; `None` where it is missing or no number of 32 bits without a sign.
    pub(crate) fn number(&self, key: &str) -> Option<usize> {
        let index = self.key(key, sys::GGUF_TYPE_UINT32)?;
        // SAFETY: the key is there and such a number.
        let number = unsafe { sys::gguf_get_val_u32(self.gguf.as_ptr(), index) };
        usize::try_from(number).ok()
    }

    /// Bytes that the file has when it is complete; the most that there can be for one that says more.
    pub(crate) fn bytes(&self) -> u64 {
        let gguf = self.gguf.as_ptr();
        // SAFETY: the head is alive, and the indices are those of its tensors.
        let (start, ends) = unsafe {
            let end =
                |index| sys::gguf_get_tensor_offset(gguf, index).saturating_add(sys::gguf_get_tensor_size(gguf, index));
            (sys::gguf_get_data_offset(gguf), (0..sys::gguf_get_n_tensors(gguf)).map(end).max())
        };
        start.saturating_add(ends.unwrap_or(0)) as u64
    }

    /// The index of a key of this type.
    fn key(&self, key: &str, kind: sys::gguf_type) -> Option<i64> {
        let key = CString::new(key).ok()?;
        // SAFETY: the head is alive and the key a valid string; the index is looked at before it is used.
        unsafe {
            let index = sys::gguf_find_key(self.gguf.as_ptr(), key.as_ptr());
            (index >= 0 && sys::gguf_get_kv_type(self.gguf.as_ptr(), index) == kind).then_some(index)
        }
    }
}

impl Drop for GgufHeader {
    fn drop(&mut self) {
        // SAFETY: made in `open` and freed once.
        unsafe { sys::gguf_free(self.gguf.as_ptr()) };
    }
}
