//! Models as llama.cpp loads them, and their vocabularies.
//!
//! It must not know what is read.

pub(crate) mod model;
pub(crate) mod tokens;
