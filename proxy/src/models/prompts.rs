//! What the readers of the catalogue are read with: the words that their makers put before a passage and before a question,
//! their mean token vector, and what is stored of their pooled vectors.
//!
//! Plain data.

use std::path::Path;

use mainpoint_engine::{Projection, Prompts};

use super::catalogue;
use super::reference::{ModelLocation, ModelReference};
use super::short_names::{E5_SMALL, EMBEDDING_GEMMA, MINILM, names};

/// The words before a passage and before a question; none for a model that the catalogue does not know.
#[must_use]
pub fn prompts(reference: &ModelReference) -> Prompts {
    let (passage, question) = match named_after(reference) {
        Some(EMBEDDING_GEMMA) => ("title: none | text: ", "task: search result | query: "),
        Some(E5_SMALL) => ("passage: ", "query: "),
        _ => ("", ""),
    };
    Prompts { passage: passage.to_owned(), question: question.to_owned() }
}

/// The mean of the model's token vectors; `None` where the catalogue has none, and the engine finds it out by itself.
#[must_use]
pub fn mean(reference: &ModelReference) -> Option<Vec<f32>> {
    let bytes = mean_bytes(&known(reference)?)?;
    let numbers = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    Some(numbers.collect())
}

/// What is stored of the model's pooled vectors; `None`: all of them.
#[must_use]
pub fn projection(reference: &ModelReference) -> Option<Projection> {
    let bytes = projection_bytes(&known(reference)?)?;
    let numbers = bytes.chunks_exact(2).map(|two| f32::from_bits(u32::from_le_bytes([0, 0, two[0], two[1]])));
    let mut center: Vec<f32> = numbers.collect();
    let components = center.split_off(mean(reference)?.len());
    Some(Projection { center, components })
}

/// The model of the catalogue that lies at this path, going by the file's name.
#[must_use]
pub fn known_by_path(path: &Path) -> Option<ModelReference> {
    let name = path.file_name()?.to_str()?;
    let blueprint = catalogue::blueprints().into_iter().find(|blueprint| blueprint.file == name)?;
    Some(ModelReference::catalogue(&blueprint.name))
}

/// Mean token vectors as 32-bit numbers, the lowest byte first: what the engine makes of its samples.
fn mean_bytes(name: &str) -> Option<&'static [u8]> {
    match name {
        EMBEDDING_GEMMA => Some(include_bytes!("means/embeddinggemma-300m.f32")),
        MINILM => Some(include_bytes!("means/all-minilm-l6-v2.f32")),
        _ => None,
    }
}

/// Projections as numbers of 16 bits (bfloat16), the lowest byte first: the center, then 256 components.
fn projection_bytes(name: &str) -> Option<&'static [u8]> {
    match name {
        EMBEDDING_GEMMA => Some(include_bytes!("projections/embeddinggemma-300m.bf16")),
        _ => None,
    }
}

/// The short name of the model that a reference means; a copy of an installed file under its own name is the same model.
fn known(reference: &ModelReference) -> Option<String> {
    match &reference.location {
        ModelLocation::Catalogue(name) => Some(name.clone()),
        ModelLocation::Path(path) => Some(known_by_path(path)?.to_string()),
        ModelLocation::HuggingFace(_) => None,
    }
}

/// The short name that the name of a file begins with: the same model, perhaps in other numbers.
fn named_after(reference: &ModelReference) -> Option<&'static str> {
    let text = reference.to_string().to_lowercase();
    let file = Path::new(&text).file_name()?.to_str()?;
    names().iter().find(|name| file.starts_with(*name)).copied()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

    use mainpoint_engine::Engine;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_model_is_read_with_its_makers_words_wherever_its_file_lies() {
        let named = |text: &str| prompts(&ModelReference::parse(text).unwrap());
        let gemma = named("embeddinggemma-300m");
        assert_eq!(gemma.passage, "title: none | text: ");
        assert_eq!(gemma.question, "task: search result | query: ");
        let copy = named("/elsewhere/embeddinggemma-300m-q8_0.gguf");
        assert_eq!((copy.passage, copy.question), (gemma.passage, gemma.question));
        let other = named("hf:ggml-org/embeddinggemma-300M-GGUF/embeddinggemma-300M-Q8_0.gguf");
        assert_eq!(other.question, "task: search result | query: ");
        assert_eq!(named("multilingual-e5-small").question, "query: ");
        assert_eq!(named("all-minilm-l6-v2").passage, "");
        assert_eq!(named("./own.gguf").question, "");
    }

    #[test]
    fn the_means_are_what_the_engine_makes_of_its_samples() {
        for name in [EMBEDDING_GEMMA, MINILM] {
            let reference = ModelReference::catalogue(name);
            let mut config = Config::defaults();
            config.models.reader = reference.clone();
            let paths = super::super::resolve(&config.models).unwrap();
            let mut config = crate::app::engine_settings(&config, &paths);
            config.encoder.mean = None;
            let engine = Engine::start(&config).unwrap();
            let made = engine.mean();
            let shipped = mean(&reference).unwrap();
            let differs = made.iter().zip(&shipped).any(|(one, other)| (one - other).abs() > 0.02 * (1.0 + one.abs()));
            if differs || made.len() != shipped.len() {
                let right = std::env::temp_dir().join(format!("{name}.f32"));
                let bytes: Vec<u8> = made.iter().flat_map(|number| number.to_le_bytes()).collect();
                std::fs::write(&right, bytes).unwrap();
                panic!("proxy/src/models/means/{name}.f32 is out of date; the right one is {}", right.display());
            }
        }
    }
}
