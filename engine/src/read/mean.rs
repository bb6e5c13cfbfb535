//! A model's mean token vector, which is subtracted from every token's before its signs are taken.
//!
//! It must not know what vectors are used for.

use super::encoder::{Encoder, PassSize, Sight};
use super::samples::SAMPLES;
use super::script::Script;
use crate::llama::model::{Model, Role};
use crate::{EncoderConfig, EngineError};

/// The mean of the vectors of all tokens with content of `texts`, each read behind the passage prompt as a turn of a user. The
/// constant of a catalogue entry is made of texts like those that will be read, in as many languages as the model speaks.
///
/// # Errors
/// What is wrong with the model or the configuration, or a failed pass; [`EngineError::Setting`] if `texts` have no content.
pub fn mean_token_vector<'a>(
    config: &EncoderConfig,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<f32>, EngineError> {
    let model = Model::load(&config.model, Role::Encoder)?;
    mean_of(&model, &Script::new(&model, config)?, config.threads, texts)
}

/// The configuration's mean if there is one, else that of the built-in samples.
///
/// # Errors
/// [`EngineError::Setting`] if the mean is not the model's, or a failed pass.
pub(crate) fn mean(model: &Model, script: &Script, config: &EncoderConfig) -> Result<Vec<f32>, EngineError> {
    let Some(mean) = &config.mean else {
        return mean_of(model, script, config.threads, SAMPLES.iter().copied());
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

fn mean_of<'a>(
    model: &Model,
    script: &Script,
    threads: usize,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<f32>, EngineError> {
    let size = PassSize {
        tokens: script.longest_pass(),
        threads,
    };
    let mut encoder = Encoder::new(model, size, Sight::Vectors)?;
    let mut sum = vec![0.0_f64; model.geometry.width];
    let mut count = 0.0;
    for text in texts {
        for unread in script.cut("User", text, 0).passages {
            let seen = encoder.pass(&unread.pass)?;
            for token in unread.seen(&seen).tokens {
                count += 1.0;
                sum.iter_mut()
                    .zip(&token.vector)
                    .for_each(|(sum, value)| *sum += f64::from(*value));
            }
        }
    }
    if count == 0.0 {
        return Err(EngineError::Setting {
            key: "texts",
            value: "no words".into(),
            allowed: "texts with words",
        });
    }
    #[expect(clippy::cast_possible_truncation, reason = "a vector needs no more than 24 bits")]
    let mean = sum.into_iter().map(|sum| (sum / count) as f32);
    Ok(mean.collect())
}
