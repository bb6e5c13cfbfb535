//! The models that tests run. Those that need one fail, saying so, where it is missing.
#![expect(clippy::panic, reason = "tests fail loudly")]

use std::path::PathBuf;

use crate::{EncoderConfig, EngineConfig, Prompts, TurnText};

/// The light model, which is always there when tests run.
const LIGHT: &str = "all-minilm-l6-v2-f32.gguf";
/// The default model.
const DEFAULT: &str = "embeddinggemma-300m-q8_0.gguf";

/// Where models lie.
pub(crate) fn models() -> PathBuf {
    let cache = |base: PathBuf| base.join("mainpoint/models");
    std::env::var_os("MAINPOINT_MODELS_DIR")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|base| cache(base.into())))
        .or_else(|| std::env::var_os("HOME").map(|home| cache(PathBuf::from(home).join(".cache"))))
        .unwrap_or_else(|| panic!("no model directory is known"))
}

/// The light model. Tests that do not look at means start faster without one.
pub(crate) fn light() -> EncoderConfig {
    let model = models().join(LIGHT);
    assert!(
        model.is_file(),
        "no {}; `make test` fetches the models",
        model.display()
    );
    EncoderConfig {
        model,
        mean: Some(vec![0.0; 384]),
        ..EncoderConfig::default()
    }
}

/// The default model with its prompts, where it is there.
pub(crate) fn default() -> Option<EncoderConfig> {
    let model = models().join(DEFAULT);
    model.is_file().then(|| EncoderConfig {
        model,
        prompts: Prompts {
            passage: "title: none | text: ".into(),
            question: "task: search result | query: ".into(),
        },
        mean: Some(vec![0.0; 768]),
        ..EncoderConfig::default()
    })
}

/// All models that are there.
pub(crate) fn all() -> Vec<EncoderConfig> {
    std::iter::once(light()).chain(default()).collect()
}

/// An engine that reads with the best model that is there.
pub(crate) fn engine() -> EngineConfig {
    EngineConfig {
        encoder: default().unwrap_or_else(light),
        ..EngineConfig::default()
    }
}

/// What a user says.
pub(crate) fn user(text: &str) -> TurnText {
    TurnText {
        speaker: "User".into(),
        text: text.into(),
    }
}

/// Three turns of a user.
pub(crate) fn turns() -> Vec<TurnText> {
    [
        "I moved to Lisbon on 7 May 2023, into a flat with a blue door.",
        "My locker code is 4471 and I am allergic to peanuts.",
        "Let us meet on Friday at the old harbour for lunch.",
    ]
    .map(user)
    .to_vec()
}
