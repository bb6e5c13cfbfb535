//! Writing a model's lower layers to a file of their own, with weights that multiply fast.
//!
//! It must not know what the layers are wanted for.

use std::ffi::CString;
use std::path::Path;

use llama_cpp_sys_2 as sys;

use crate::EngineError;

/// Writes the lower `kept` of the `layers` layers of `source` to `destination`, with matrices in F32 instead of
/// whatever they are packed in. Token embeddings, which are only looked up, become or stay Q8_0.
///
/// # Errors
/// [`EngineError::Compute`] if llama.cpp cannot read the one or write the other.
pub(crate) fn write_lower_layers(source: &Path, destination: &Path, kept: u32, layers: u32) -> Result<(), EngineError> {
    let failed = |reason: String| EngineError::Compute {
        operation: "writing the reader's lower layers",
        reason,
    };
    let path = |path: &Path| {
        let text = path
            .to_str()
            .ok_or_else(|| failed(format!("{} is not UTF-8", path.display())))?;
        CString::new(text).map_err(|error| failed(error.to_string()))
    };
    let (source, destination) = (path(source)?, path(destination)?);
    let mut pruned: Vec<i32> = (kept..layers).filter_map(|layer| i32::try_from(layer).ok()).collect();
    // The list's end.
    pruned.push(-1);
    // SAFETY: a plain constructor of a plain struct.
    let mut params = unsafe { sys::llama_model_quantize_default_params() };
    params.ftype = sys::LLAMA_FTYPE_ALL_F32;
    params.token_embedding_type = sys::GGML_TYPE_Q8_0;
    params.allow_requantize = true;
    params.prune_layers = pruned.as_ptr();
    // SAFETY: both paths are NUL-terminated, and `pruned` ends with -1; all three outlive the call, which keeps no
    // pointer. llama.cpp catches its own exceptions here and answers with a code.
    let code = unsafe { sys::llama_model_quantize(source.as_ptr(), destination.as_ptr(), &raw const params) };
    if code == 0 {
        Ok(())
    } else {
        Err(failed(format!("llama_model_quantize gave {code}")))
    }
}
