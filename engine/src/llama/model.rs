//! Loading models, checking what they are, and the numbers of their geometry.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;

use crate::EngineError;
use crate::ffi::encoder::vector_width;
use crate::ffi::logs;
use crate::ffi::processor::missing_instructions;

/// A loaded model with its backend, cheap to share.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) llama: Arc<LlamaModel>,
    pub(crate) backend: Arc<LlamaBackend>,
    pub(crate) geometry: Geometry,
}

/// The numbers that passes and vectors depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    /// Tokens that the model was trained to see at once.
    pub(crate) window: usize,
    /// Numbers of a token's vector.
    pub(crate) width: usize,
}

/// What a model is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads turns and questions.
    Encoder,
    /// Answers.
    Chat,
}

impl Model {
    /// Loads `path` for `role`.
    ///
    /// # Errors
    /// [`EngineError::Processor`], [`EngineError::ModelMissing`], [`EngineError::ModelCorrupt`] or
    /// [`EngineError::Architecture`].
    pub(crate) fn load(path: &Path, role: Role) -> Result<Self, EngineError> {
        ensure_gguf(path)?;
        let backend = backend()?;
        let llama = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default())
            .map_err(|_| corrupt(path, "llama.cpp could not load it (truncated, damaged or too new)".into()))?;
        let architecture = llama
            .meta_val_str("general.architecture")
            .map_err(|error| corrupt(path, format!("no general.architecture: {error}")))?;
        // Only a decoder that looks back on everything can begin anew anywhere.
        let forgets = role == Role::Chat && (llama.is_recurrent() || llama.is_hybrid());
        if forgets || !role.takes(&architecture) {
            return Err(role.refuse(path, &architecture));
        }
        let geometry = Geometry::new(&llama);
        Ok(Self { llama: Arc::new(llama), backend, geometry })
    }
}

impl Role {
    /// Whether models of this architecture can be used for it.
    pub(super) fn takes(self, architecture: &str) -> bool {
        match self {
            Self::Encoder => matches!(architecture, "bert" | "gemma-embedding"),
            Self::Chat => !architecture.contains("bert") && !matches!(architecture, "gemma-embedding" | "t5encoder"),
        }
    }

    /// The error for a model that cannot be used for it.
    pub(crate) fn refuse(self, path: &Path, found: &str) -> EngineError {
        let allowed = match self {
            Self::Encoder => "an encoder that gives token vectors: bert or gemma-embedding",
            Self::Chat => {
                "an instruct model whose file brings a chat template that llama.cpp knows, such as qwen2.5-coder-0.5b-instruct"
            }
        };
        EngineError::Architecture { path: path.to_owned(), found: found.to_owned(), role: self.name(), allowed }
    }

    /// The key of the configuration that names the model.
    fn name(self) -> &'static str {
        match self {
            Self::Encoder => "models.reader",
            Self::Chat => "models.chat",
        }
    }
}

impl Geometry {
    fn new(llama: &LlamaModel) -> Self {
        Self {
            layers: llama.n_layer() as usize,
            heads: llama.n_head() as usize,
            window: llama.n_ctx_train() as usize,
            width: vector_width(llama),
        }
    }
}

/// Makes sure that this processor can run what is to be run, and that there is a file that begins as GGUF files do.
pub(super) fn ensure_gguf(path: &Path) -> Result<(), EngineError> {
    if let Some(missing) = missing_instructions() {
        return Err(EngineError::Processor { missing });
    }
    if !path.is_file() {
        return Err(EngineError::ModelMissing { path: path.to_owned() });
    }
    let mut magic = [0_u8; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.map_err(|error| corrupt(path, error.to_string()))?;
    if &magic == b"GGUF" { Ok(()) } else { Err(corrupt(path, "it does not begin with the letters GGUF".into())) }
}

/// The error for a file that is no whole model.
pub(super) fn corrupt(path: &Path, reason: String) -> EngineError {
    EngineError::ModelCorrupt { path: path.to_owned(), reason }
}

/// The process-wide backend; llama.cpp allows one.
pub(super) fn backend() -> Result<Arc<LlamaBackend>, EngineError> {
    static BACKEND: Mutex<Option<Arc<LlamaBackend>>> = Mutex::new(None);
    let mut slot = BACKEND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(backend) = slot.as_ref() {
        return Ok(Arc::clone(backend));
    }
    logs::pass_on();
    let backend = LlamaBackend::init()
        .map_err(|error| EngineError::Compute { operation: "starting llama.cpp", reason: error.to_string() })?;
    Ok(Arc::clone(slot.insert(Arc::new(backend))))
}
