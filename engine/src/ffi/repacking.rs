//! Writing a model to another file with weights that multiply fast.
//!
//! It must not know what the copy is wanted for.

use std::ffi::CString;
use std::ops::Range;
use std::path::Path;

use llama_cpp_sys_2 as sys;

use crate::EngineError;

/// What a copy differs in from its source.
#[derive(Debug, Clone)]
pub(crate) struct Repacking {
    /// What its matrices become.
    pub(crate) matrices: Matrices,
    /// What its token embeddings become, which are only looked up.
    pub(crate) embeddings: Embeddings,
    /// The layers that it lacks.
    pub(crate) left_out: Range<u32>,
}

/// The type of the numbers that are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matrices {
    /// Right everywhere; llama.cpp converts nothing.
    F32,
    /// Half as many bytes. A pass over few tokens takes as long as its weights take from memory.
    Bf16,
}

/// The type of token embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Embeddings {
    /// A byte for each number.
    Q8,
    /// Whole numbers as they come.
    F32,
}

impl Matrices {
    /// The type that is multiplied fastest here: BF16 where llama.cpp was compiled for a processor with instructions for it.
    pub(crate) fn fastest() -> Self {
        // SAFETY: the function takes nothing and gives a constant of the compilation.
        if unsafe { sys::ggml_cpu_has_avx512_bf16() } == 0 {
            Self::F32
        } else {
            Self::Bf16
        }
    }

    /// What files are named by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

/// Writes a copy of `source` to `destination`.
///
/// # Errors
/// [`EngineError::Compute`] if llama.cpp cannot read the one or write the other.
pub(crate) fn repack(source: &Path, destination: &Path, repacking: &Repacking) -> Result<(), EngineError> {
    let failed = |reason: String| EngineError::Compute {
        operation: "writing a working copy",
        reason,
    };
    let path = |path: &Path| {
        let text = path
            .to_str()
            .ok_or_else(|| failed(format!("{} is not UTF-8", path.display())))?;
        CString::new(text).map_err(|error| failed(error.to_string()))
    };
    let (source, destination) = (path(source)?, path(destination)?);
    let left_out = repacking.left_out.clone();
    let mut pruned: Vec<i32> = left_out.filter_map(|layer| i32::try_from(layer).ok()).collect();
    // The list's end.
    pruned.push(-1);
    // SAFETY: a plain constructor of a plain struct.
    let mut params = unsafe { sys::llama_model_quantize_default_params() };
    params.ftype = match repacking.matrices {
        Matrices::F32 => sys::LLAMA_FTYPE_ALL_F32,
        Matrices::Bf16 => sys::LLAMA_FTYPE_MOSTLY_BF16,
    };
    params.token_embedding_type = match repacking.embeddings {
        Embeddings::Q8 => sys::GGML_TYPE_Q8_0,
        Embeddings::F32 => sys::GGML_TYPE_F32,
    };
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
