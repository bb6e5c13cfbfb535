//! What a model's file says of itself, without loading the model.

use std::path::Path;

use super::model::{self, Role};
use crate::EngineError;
use crate::ffi::gguf_header::GgufHeader;

/// What the file of an encoder says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderDescription {
    /// Its architecture, such as `bert`.
    pub architecture: String,
    /// Numbers of each of its vectors.
    pub width: usize,
}

/// Looks at the file of a model that is to read. Nothing is loaded: that it can read shows only when it is started.
///
/// # Errors
/// [`EngineError::Processor`], [`EngineError::ModelMissing`], [`EngineError::ModelCorrupt`] or [`EngineError::Architecture`].
pub fn describe_encoder(path: &Path) -> Result<EncoderDescription, EngineError> {
    let (header, architecture) = open(path, Role::Encoder)?;
    // What a model without a width of its own for vectors gives out is as wide as what it works with.
    let width = ["embedding_length_out", "embedding_length"];
    let width = width.iter().find_map(|key| header.number(&format!("{architecture}.{key}")));
    let width = width.ok_or_else(|| model::corrupt(path, format!("no {architecture}.embedding_length")))?;
    Ok(EncoderDescription { architecture, width })
}

/// Looks at the file of a model that is to answer, and gives its architecture. Nothing is loaded.
///
/// # Errors
/// As [`describe_encoder`].
pub fn describe_chat(path: &Path) -> Result<String, EngineError> {
    let (header, architecture) = open(path, Role::Chat)?;
    match header.text("tokenizer.chat_template") {
        Some(_) => Ok(architecture),
        None => Err(Role::Chat.refuse(path, "a model without a chat template")),
    }
}

fn open(path: &Path, role: Role) -> Result<(GgufHeader, String), EngineError> {
    model::ensure_gguf(path)?;
    model::backend()?;
    let header = GgufHeader::open(path);
    let header = header.ok_or_else(|| model::corrupt(path, "its head is damaged or too new".to_owned()))?;
    let bytes = path.metadata().map_err(|error| model::corrupt(path, error.to_string()))?.len();
    if bytes < header.bytes() {
        return Err(model::corrupt(path, format!("it has {bytes} bytes instead of {}", header.bytes())));
    }
    let architecture = header.text("general.architecture");
    let architecture = architecture.ok_or_else(|| model::corrupt(path, "no general.architecture".to_owned()))?;
    if role.takes(&architecture) { Ok((header, architecture)) } else { Err(role.refuse(path, &architecture)) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::models_for_tests;

    #[test]
    fn an_encoder_says_its_architecture_and_the_width_of_its_vectors_and_is_no_chat_model() {
        for (model, architecture, width) in
            [(models_for_tests::light(), "bert", 384), (models_for_tests::default(), "gemma-embedding", 768)]
        {
            let described = describe_encoder(&model.model).unwrap();
            assert_eq!(described, EncoderDescription { architecture: architecture.to_owned(), width });
            let error = describe_chat(&model.model).unwrap_err();
            assert!(matches!(&error, EngineError::Architecture { role: "models.chat", .. }), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_cut_short_is_no_model() {
        let directory = tempfile::tempdir().unwrap();
        let whole = std::fs::read(models_for_tests::light().model).unwrap();
        for length in [3, 100, whole.len() - 1] {
            let path = directory.path().join(format!("{length}.gguf"));
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = describe_encoder(&path).unwrap_err();
            assert!(matches!(&error, EngineError::ModelCorrupt { path: named, .. } if *named == path), "{error}");
        }
        let path = directory.path().join("endless.gguf");
        // A head without keys, and a tensor of all but 128 of the bytes that can be counted.
        let parts: [&[u8]; 7] = [
            b"GGUF",
            &[3, 0, 0, 0, 1],
            &[0; 15],
            &[1, 0, 0, 0, 0, 0, 0, 0, b'a', 1, 0, 0, 0],
            &((1_u64 << 62) - 32).to_le_bytes(),
            &[0; 12],
            &[0; 64],
        ];
        std::fs::write(&path, parts.concat()).unwrap();
        let error = describe_encoder(&path).unwrap_err();
        assert!(error.to_string().contains("bytes instead of"), "{error}");
        let error = describe_encoder(&directory.path().join("none.gguf")).unwrap_err();
        assert!(matches!(error, EngineError::ModelMissing { .. }), "{error}");
    }
}
