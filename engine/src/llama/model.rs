//! Loading models, checking what they are, and the numbers of their geometry.
//!
//! It must not know what a model is used for beyond its role's name.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::model::{LlamaModel, RopeType};
use llama_cpp_2::{LogOptions, send_logs_to_tracing};
use sha2::{Digest, Sha256};

use crate::EngineError;
use crate::ffi::processor::missing_instructions;

/// A loaded model with its backend, cheap to share.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) llama: Arc<LlamaModel>,
    pub(crate) backend: Arc<LlamaBackend>,
    pub(crate) geometry: Geometry,
}

/// The shape of a model's attention.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry {
    pub(crate) layers: u32,
    pub(crate) heads: u32,
    pub(crate) key_heads: u32,
    /// Dimensions of one head's key and query.
    pub(crate) head_width: usize,
    rotated: usize,
    pairing: Pairing,
    base: f32,
    sliding: Option<Sliding>,
}

/// Which dimensions RoPE turns together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pairing {
    /// The first half with the second (NEOX).
    Halves,
    /// Each even dimension with the next.
    Neighbours,
    /// None: the model has no RoPE.
    Absent,
}

/// Layers that see only a window of the text, and rotate by another base.
#[derive(Debug, Clone, PartialEq)]
struct Sliding {
    window: usize,
    base: f32,
    /// Every `period`-th layer is global.
    period: u32,
}

/// What a model is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Reader,
    Embedder,
}

impl Model {
    /// Loads `path` for `role`.
    ///
    /// # Errors
    /// [`EngineError::Processor`], [`EngineError::ModelMissing`], [`EngineError::ModelCorrupt`] or
    /// [`EngineError::Architecture`].
    pub(crate) fn load(path: &Path, role: Role) -> Result<Self, EngineError> {
        if let Some(missing) = missing_instructions() {
            return Err(EngineError::Processor { missing });
        }
        if !path.is_file() {
            return Err(EngineError::ModelMissing { path: path.to_owned() });
        }
        let corrupt = |reason: String| EngineError::ModelCorrupt {
            path: path.to_owned(),
            reason,
        };
        let mut magic = [0_u8; 4];
        File::open(path)
            .and_then(|mut file| file.read_exact(&mut magic))
            .map_err(|error| corrupt(error.to_string()))?;
        if &magic != b"GGUF" {
            return Err(corrupt("it does not begin with the letters GGUF".into()));
        }
        let backend = backend()?;
        let llama = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default())
            .map_err(|_| corrupt("llama.cpp could not load it (truncated, damaged or too new)".into()))?;
        let architecture = llama
            .meta_val_str("general.architecture")
            .map_err(|error| corrupt(format!("no general.architecture: {error}")))?;
        role.check(path, &architecture, &llama)?;
        let geometry = Geometry::of(&llama, &architecture);
        Ok(Self {
            llama: Arc::new(llama),
            backend,
            geometry,
        })
    }
}

impl Role {
    fn check(self, path: &Path, architecture: &str, llama: &LlamaModel) -> Result<(), EngineError> {
        let encoder = architecture.contains("bert") || architecture == "t5encoder";
        let (fits, allowed) = match self {
            Self::Reader => (
                !encoder && !llama.is_recurrent() && !llama.is_hybrid(),
                "a decoder with attention in every layer, such as gemma3",
            ),
            Self::Embedder => (architecture == "bert", "a bert encoder"),
        };
        if fits {
            return Ok(());
        }
        Err(EngineError::Architecture {
            path: path.to_owned(),
            found: architecture.to_owned(),
            role: self.name(),
            allowed,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Embedder => "embedder",
        }
    }
}

impl Geometry {
    fn of(llama: &LlamaModel, architecture: &str) -> Self {
        let number = |key: &str| {
            llama
                .meta_val_str(&format!("{architecture}.{key}"))
                .ok()
                .and_then(|value| value.parse::<f32>().ok())
        };
        let heads = llama.n_head().max(1);
        let width = usize::try_from(llama.n_embd()).unwrap_or(0) / heads as usize;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small positive counts"
        )]
        let count = |key: &str| number(key).map(|value| value as usize);
        let head_width = count("attention.key_length").unwrap_or(width);
        let sliding = count("attention.sliding_window")
            .filter(|_| architecture == "gemma3")
            .map(|window| Sliding {
                window,
                base: number("rope.freq_base_swa").unwrap_or(10_000.0),
                period: 6,
            });
        Self {
            layers: llama.n_layer(),
            heads,
            key_heads: llama.n_head_kv().max(1),
            head_width,
            rotated: count("rope.dimension_count").unwrap_or(head_width),
            pairing: Pairing::of(llama.rope_type()),
            base: number("rope.freq_base").unwrap_or(10_000.0),
            sliding,
        }
    }

    /// The key head that serves a query head.
    pub(crate) fn key_head(&self, head: u32) -> u32 {
        head / (self.heads / self.key_heads).max(1)
    }

    /// How many positions back a layer sees, itself included; `None` without a limit.
    pub(crate) fn window(&self, layer: u32) -> Option<usize> {
        self.sliding
            .as_ref()
            .filter(|sliding| sliding.is_local(layer))
            .map(|sliding| sliding.window)
    }

    /// Whether the model rotates queries and keys at all.
    pub(crate) fn rotates(&self) -> bool {
        self.pairing != Pairing::Absent
    }

    /// Rotates a query or key in place as RoPE does at `position`.
    pub(crate) fn rotate(&self, layer: u32, position: f32, vector: &mut [f32]) {
        let base = self
            .sliding
            .as_ref()
            .filter(|sliding| sliding.is_local(layer))
            .map_or(self.base, |sliding| sliding.base);
        let half = self.rotated.min(vector.len()) / 2;
        for index in 0..half {
            let (first, second) = match self.pairing {
                Pairing::Halves => (index, index + half),
                Pairing::Neighbours => (2 * index, 2 * index + 1),
                Pairing::Absent => return,
            };
            #[expect(clippy::cast_precision_loss, reason = "dimensions are small")]
            let angle = position * base.powf(-(index as f32) / half as f32);
            let (sine, cosine) = angle.sin_cos();
            let (x, y) = (vector[first], vector[second]);
            (vector[first], vector[second]) = (x * cosine - y * sine, x * sine + y * cosine);
        }
    }
}

impl Pairing {
    fn of(rope: Option<RopeType>) -> Self {
        match rope {
            Some(RopeType::Norm) => Self::Neighbours,
            // The sections of the other kinds turn alike as long as there is only text.
            Some(_) => Self::Halves,
            None => Self::Absent,
        }
    }
}

impl Sliding {
    fn is_local(&self, layer: u32) -> bool {
        !(layer + 1).is_multiple_of(self.period)
    }
}

/// SHA-256 of a file as 64 hex digits.
///
/// # Errors
/// What the file system says.
pub fn sha256_of_file(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The process-wide backend; llama.cpp allows one.
fn backend() -> Result<Arc<LlamaBackend>, EngineError> {
    static BACKEND: Mutex<Option<Arc<LlamaBackend>>> = Mutex::new(None);
    let mut slot = BACKEND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(backend) = slot.as_ref() {
        return Ok(Arc::clone(backend));
    }
    send_logs_to_tracing(LogOptions::default());
    let backend = LlamaBackend::init().map_err(|error| EngineError::Compute {
        operation: "starting llama.cpp",
        reason: error.to_string(),
    })?;
    Ok(Arc::clone(slot.insert(Arc::new(backend))))
}
