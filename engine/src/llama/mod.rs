//! Models as llama.cpp loads them, and what their vocabularies make of texts.
//!
//! It must not know what is read.

pub(crate) mod description;
pub(crate) mod model;
pub(crate) mod tokens;
pub(crate) mod vocabulary;
