//! The one place with `unsafe` code: llama.cpp's C interface where `llama-cpp-2` has no safe door.
//!
//! It must not know what the tensors mean.

pub(crate) mod attention;
pub(crate) mod gguf;
pub(crate) mod priority;
pub(crate) mod processor;
pub(crate) mod repacking;
