//! The one place with `unsafe` code: llama.cpp's C interface where `llama-cpp-2` has no safe door, the operating system's, and
//! instructions that not every processor has.

pub(crate) mod encoder;
pub(crate) mod gguf;
pub(crate) mod gguf_header;
pub(crate) mod logs;
pub(crate) mod nearest;
pub(crate) mod popcount;
pub(crate) mod priority;
pub(crate) mod processor;
