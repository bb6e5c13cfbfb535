//! The models that tests run. Where one is missing they fail, saying so.
#![expect(clippy::panic, reason = "tests fail loudly")]

use std::path::PathBuf;

use crate::{EncoderConfig, EngineConfig, Prompts, TurnText};

/// The light model.
const LIGHT: &str = "all-minilm-l6-v2-f32.gguf";
/// The default model.
const DEFAULT: &str = "embeddinggemma-300m-q8_0.gguf";

/// Where models lie.
fn models() -> PathBuf {
    let cache = |base: PathBuf| base.join("mainpoint/models");
    std::env::var_os("MAINPOINT_MODELS_DIR")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|base| cache(base.into())))
        .or_else(|| std::env::var_os("HOME").map(|home| cache(PathBuf::from(home).join(".cache"))))
        .unwrap_or_else(|| panic!("no model directory is known"))
}

/// A model's file.
pub(crate) fn model(name: &str) -> PathBuf {
    let model = models().join(name);
    assert!(model.is_file(), "no {}; `make test` fetches the models", model.display());
    model
}

/// The light model. Tests that do not look at means start faster without one.
pub(crate) fn light() -> EncoderConfig {
    EncoderConfig { model: model(LIGHT), mean: Some(vec![0.0; 384]), ..EncoderConfig::default() }
}

/// The default model with its prompts.
pub(crate) fn default() -> EncoderConfig {
    EncoderConfig {
        model: model(DEFAULT),
        prompts: Prompts { passage: "title: none | text: ".into(), question: "task: search result | query: ".into() },
        mean: Some(vec![0.0; 768]),
        ..EncoderConfig::default()
    }
}

/// Both readers.
pub(crate) fn all() -> Vec<EncoderConfig> {
    vec![light(), default()]
}

/// An engine that reads with the default model.
pub(crate) fn engine() -> EngineConfig {
    EngineConfig { encoder: default(), ..EngineConfig::default() }
}

/// What a user says.
pub(crate) fn user(text: &str) -> TurnText {
    TurnText { speaker: "User".into(), text: text.into() }
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

impl Default for EngineConfig {
    fn default() -> Self {
        Self { encoder: EncoderConfig::default(), chat: None, chat_threads: available_threads() }
    }
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            model: PathBuf::new(),
            model_sha256: None,
            prompts: Prompts::default(),
            mean: None,
            projection: None,
            threads: available_threads(),
            passage_tokens: 0,
            main_point_share: 0.7,
            queue: 64,
        }
    }
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
