//! Working copies: the lower layers of the reader's model, and the embedder, in files of their own, packed so that passes are
//! fast.
//!
//! A copy lies beside its model, is made when it is missing, and checked against the model before it is used for the first
//! time. It must not know what is read with it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::calibration::Calibration;
use crate::embedder::{Embedder, EncodeItem};
use crate::ffi::attention::FlashAttention;
use crate::ffi::repacking::{Embeddings, Matrices, Repacking, repack};
use crate::model::{Model, Role, sha256_of_file};
use crate::reader::{Reader, Sight};
use crate::tokens::{opening, tokenize};
use crate::{EngineError, ReaderConfig};

/// A reader's model with its heads, ready to be used.
pub(crate) struct LoadedReader {
    pub(crate) model: Model,
    pub(crate) calibration: Calibration,
    /// How attention is taken from it.
    pub(crate) sight: Sight,
}

/// An embedder's model, ready to be used.
pub(crate) struct LoadedEmbedder {
    pub(crate) model: Model,
    /// Of the model's own file, as 64 hex digits.
    pub(crate) sha256: String,
}

/// A copy that is to be made.
struct Copying<'a> {
    /// The model's file.
    path: &'a Path,
    /// Where the copy will lie.
    place: &'a Path,
    role: Role,
}

/// Words that a working copy is checked on, so many times that they reach beyond a sliding window.
const PROBE: &str = "Anna moved to Lisbon on 7 May 2023; her locker code is 4471, and on Fridays she sails with Ben. ";
const PROBE_TOKENS: usize = 600;
/// The largest share of a head's attention that may fall on other tokens than with the model itself. Where its weights
/// are quantised, the model also rounds activations to eight bits, and moves up to 0.02 of a head's attention itself
/// between flash attention on and off; another model altogether would move nearly all of it.
const TOLERANCE: f32 = 0.05;
/// The least cosine between the vectors that an embedder and its copy give the probe. BF16 leaves 0.9999 and more.
const SIMILAR: f32 = 0.999;

/// Loads the reader's model, by its working copy where it has one or one can be made.
///
/// # Errors
/// What is wrong with the model or its calibration. A copy that cannot be made is no error: the model itself serves
/// then, more slowly, and the log says so.
pub(crate) fn load_reader(config: &ReaderConfig) -> Result<LoadedReader, EngineError> {
    let sha256 = digest(&config.model)?;
    let file = config.calibration.as_deref();
    if let Some(calibration) = Calibration::named(file, &sha256)? {
        let copy = path_of(&config.model, &sha256, calibration.layers());
        if copy.is_file()
            && let Ok(model) = Model::load(&copy, Role::Reader)
        {
            calibration.check(&model.geometry, Calibration::origin(file))?;
            return Ok(LoadedReader {
                model,
                calibration,
                sight: Sight::Vectors,
            });
        }
    }
    let original = Model::load(&config.model, Role::Reader)?;
    let calibration = Calibration::resolve(file, &sha256, &original.geometry)?;
    let place = path_of(&config.model, &sha256, calibration.layers());
    match copy_reader(&original, &calibration, config, &place) {
        Ok(model) => Ok(LoadedReader {
            model,
            calibration,
            sight: Sight::Vectors,
        }),
        Err(error) => {
            tracing::warn!(
                model = %config.model.display(),
                %error,
                "reading with the model itself, which is slower than with a working copy of its lower layers"
            );
            Ok(LoadedReader {
                model: original,
                calibration,
                sight: Sight::Softmax,
            })
        }
    }
}

/// Loads the embedder's model, by a working copy where one multiplies faster.
///
/// # Errors
/// What is wrong with the model. A copy that cannot be made is no error: the model itself serves then, and the log says so.
pub(crate) fn load_embedder(path: &Path) -> Result<LoadedEmbedder, EngineError> {
    let sha256 = digest(path)?;
    let model = embedder(path, &sha256)?;
    Ok(LoadedEmbedder { model, sha256 })
}

fn embedder(path: &Path, sha256: &str) -> Result<Model, EngineError> {
    let matrices = Matrices::fastest();
    if matrices == Matrices::F32 {
        return Model::load(path, Role::Embedder);
    }
    let copy = beside(path, sha256, matrices.name());
    if copy.is_file()
        && let Ok(model) = Model::load(&copy, Role::Embedder)
    {
        return Ok(model);
    }
    let original = Model::load(path, Role::Embedder)?;
    copy_embedder(&original, path, &copy).or_else(|error| {
        tracing::warn!(model = %path.display(), %error, "embedding with the model itself, which is slower than with a working copy");
        Ok(original)
    })
}

fn copy_embedder(original: &Model, path: &Path, place: &Path) -> Result<Model, EngineError> {
    let repacking = Repacking {
        matrices: Matrices::fastest(),
        embeddings: Embeddings::F32,
        left_out: 0..0,
    };
    let copy = Copying {
        path,
        place,
        role: Role::Embedder,
    };
    copy.make(&repacking, |copy| {
        let similarity = similarity(original, copy)?;
        if similarity >= SIMILAR {
            return Ok(similarity);
        }
        Err(failed(format!(
            "its vector of the probe has a cosine of {similarity:.4} to the model's, at least {SIMILAR} is needed"
        )))
    })
}

/// The cosine of both models' vectors of the probe.
fn similarity(original: &Model, copy: &Model) -> Result<f32, EngineError> {
    let vector = |model: &Model| -> Result<Vec<f32>, EngineError> {
        let item = EncodeItem {
            text: PROBE.to_owned(),
            context: None,
        };
        let encodings = Embedder::new(model, 1, FlashAttention::On)?.encode(&[item])?;
        Ok(encodings.first().map(|encoding| encoding.pool(&[])).unwrap_or_default())
    };
    Ok(vector(original)?
        .iter()
        .zip(vector(copy)?)
        .map(|(one, other)| one * other)
        .sum())
}

fn copy_reader(
    original: &Model,
    calibration: &Calibration,
    config: &ReaderConfig,
    place: &Path,
) -> Result<Model, EngineError> {
    let layers = original.geometry.layers;
    let repacking = Repacking {
        matrices: Matrices::fastest(),
        embeddings: Embeddings::Q8,
        left_out: calibration.layers().min(layers)..layers,
    };
    let copy = Copying {
        path: &config.model,
        place,
        role: Role::Reader,
    };
    copy.make(&repacking, |copy| {
        let distance = distance(original, copy, calibration, config)?;
        if distance <= TOLERANCE {
            return Ok(distance);
        }
        Err(failed(format!(
            "{distance:.3} of a head's attention falls on other tokens, at most {TOLERANCE} is allowed"
        )))
    })
}

impl Copying<'_> {
    /// Makes the copy, checks it, and gives it its name only then. `check` tells how far it is from the model.
    fn make(
        &self,
        repacking: &Repacking,
        check: impl FnOnce(&Model) -> Result<f32, EngineError>,
    ) -> Result<Model, EngineError> {
        let directory = self.place.parent().unwrap_or(Path::new("."));
        let unfinished = tempfile::Builder::new()
            .prefix(".working-copy-")
            .suffix(".gguf")
            .tempfile_in(directory)
            .map_err(|error| failed(format!("{}: {error}", directory.display())))?;
        repack(self.path, unfinished.path(), repacking)?;
        let copy = Model::load(unfinished.path(), self.role)?;
        let measure = check(&copy)?;
        let installed = unfinished.persist(self.place);
        installed.map_err(|error| failed(format!("{}: {}", self.place.display(), error.error)))?;
        tracing::info!(copy = %self.place.display(), measure, "made a working copy of the {}", self.role.name());
        Ok(copy)
    }
}

/// The share of attention that falls on other tokens of the probe, in the head that differs most.
fn distance(
    original: &Model,
    copy: &Model,
    calibration: &Calibration,
    config: &ReaderConfig,
) -> Result<f32, EngineError> {
    let attention = |model: &Model, sight: Sight| -> Result<Vec<Vec<f32>>, EngineError> {
        let mut ids = vec![opening(&model.llama)];
        let probe = PROBE.repeat(PROBE_TOKENS / 20);
        ids.extend(tokenize(&model.llama, &probe).iter().map(|token| token.id));
        ids.truncate(PROBE_TOKENS.min(config.window_tokens - 1));
        let turn: Range<usize> = 1..ids.len();
        Reader::new(model, calibration.clone(), config, sight)?.attention(&ids, &turn)
    };
    let theirs = attention(original, Sight::Softmax)?;
    let ours = attention(copy, Sight::Vectors)?;
    Ok(theirs
        .iter()
        .zip(&ours)
        .map(|(theirs, ours)| moved(theirs, ours))
        .fold(0.0, f32::max))
}

/// The total variation distance between two distributions, given up to their sums.
pub(crate) fn moved(from: &[f32], to: &[f32]) -> f32 {
    let sum = |values: &[f32]| values.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let (all_from, all_to) = (sum(from), sum(to));
    let differences = from.iter().zip(to).map(|(a, b)| (a / all_from - b / all_to).abs());
    differences.sum::<f32>() / 2.0
}

fn digest(path: &Path) -> Result<String, EngineError> {
    if !path.is_file() {
        return Err(EngineError::ModelMissing { path: path.to_owned() });
    }
    sha256_of_file(path).map_err(|error| EngineError::ModelCorrupt {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Where the reader's copy lies: its name tells what it is a copy of.
pub(crate) fn path_of(model: &Path, sha256: &str, layers: u32) -> PathBuf {
    beside(model, sha256, &format!("lower-{layers}-{}", Matrices::fastest().name()))
}

fn beside(model: &Path, sha256: &str, kind: &str) -> PathBuf {
    let stem = model.file_stem().unwrap_or_default().to_string_lossy();
    let digest = sha256.get(..12).unwrap_or(sha256);
    model.with_file_name(format!("{stem}.{digest}.{kind}.gguf"))
}

fn failed(reason: String) -> EngineError {
    EngineError::Compute {
        operation: "making a working copy",
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::truth::models;

    #[test]
    fn what_moved_is_the_share_that_lies_elsewhere() {
        assert!(moved(&[1.0, 3.0], &[2.0, 6.0]).abs() < 1e-6);
        assert!((moved(&[1.0, 0.0], &[0.0, 5.0]) - 1.0).abs() < 1e-6);
        assert!((moved(&[1.0, 1.0], &[3.0, 1.0]) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_copy_is_named_after_what_it_copies() {
        let path = path_of(Path::new("models/gemma.gguf"), &"ab".repeat(32), 6);
        let name = format!("gemma.abababababab.lower-6-{}.gguf", Matrices::fastest().name());
        assert_eq!(path, Path::new("models").join(name));
    }

    #[test]
    fn an_embedder_and_its_working_copy_give_nearly_the_same_vector() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("embedder.gguf");
        std::fs::copy(models().join("all-minilm-l6-v2-f32.gguf"), &path).unwrap();
        let original = Model::load(&path, Role::Embedder).unwrap();
        let files = || std::fs::read_dir(directory.path()).unwrap().count();
        for _ in 0..2 {
            let loaded = load_embedder(&path).unwrap();
            assert!(similarity(&original, &loaded.model).unwrap() > 0.9999);
            assert_eq!(files(), if Matrices::fastest() == Matrices::F32 { 1 } else { 2 });
        }
    }
}
