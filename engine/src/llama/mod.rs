//! Models as llama.cpp loads them, and what their vocabularies make of texts.

pub(crate) mod description;
pub(crate) mod model;
pub(crate) mod tokens;
pub(crate) mod vocabulary;
