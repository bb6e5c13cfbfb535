//! A model's mean token vector, which is subtracted from every token's before its signs are taken.

use sha2::{Digest, Sha256};

use super::encoder::{Encoder, PassKind, PassSize};
use super::input::InputBuilder;
use super::samples::SAMPLES;
use crate::llama::model::Model;
use crate::{EncoderConfig, EngineError};

/// SHA-256 of everything besides the model that vectors and codes depend on: prompts, what the mean is or is
/// made of, and the projection.
pub(crate) fn digest_of_settings(config: &EncoderConfig) -> impl AsRef<[u8]> {
    let mut hasher = Sha256::new();
    for prompt in [&config.prompts.passage, &config.prompts.question] {
        hasher.update(prompt.len().to_le_bytes());
        hasher.update(prompt);
    }
    match &config.mean {
        Some(mean) => mean.iter().for_each(|number| hasher.update(number.to_le_bytes())),
        None => SAMPLES.iter().for_each(|sample| hasher.update(sample)),
    }
    if let Some(projection) = &config.projection {
        projection.center.iter().chain(&projection.components).for_each(|number| hasher.update(number.to_le_bytes()));
    }
    hasher.finalize()
}

/// The configuration's mean if there is one, else that of the built-in samples.
///
/// # Errors
/// [`EngineError::Setting`] if the mean is not the model's, or a failed pass.
pub(crate) fn mean(model: &Model, inputs: &InputBuilder, config: &EncoderConfig) -> Result<Vec<f32>, EngineError> {
    let Some(mean) = &config.mean else {
        return mean_of_samples(model, inputs, config.threads);
    };
    if mean.len() == model.geometry.width && mean.iter().all(|value| value.is_finite()) {
        return Ok(mean.clone());
    }
    Err(EngineError::Setting {
        key: "mean",
        value: format!("{} numbers", mean.len()),
        allowed: "as many finite numbers as the reading model's vectors have",
    })
}

/// The mean of the vectors of all tokens with content of the samples, each read behind the passage prompt as a turn of a user.
fn mean_of_samples(model: &Model, inputs: &InputBuilder, threads: usize) -> Result<Vec<f32>, EngineError> {
    let size = PassSize { tokens: inputs.longest_pass(), threads };
    let mut encoder = Encoder::new(model, size, PassKind::Vectors)?;
    let mut sum = vec![0.0_f64; model.geometry.width];
    let mut count = 0.0;
    for text in SAMPLES {
        for input in inputs.turn("User", text).passages {
            let output = encoder.pass(&input.pass)?;
            for token in input.with_output(&output).tokens {
                count += 1.0;
                sum.iter_mut().zip(&token.vector).for_each(|(sum, value)| *sum += f64::from(*value));
            }
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "a vector needs no more than 24 bits")]
    let mean = sum.into_iter().map(|sum| (sum / count) as f32);
    Ok(mean.collect())
}
