//! Single passes of the reader and the embedder in the calling thread, and llama.cpp's plain prefill of the same tokens
//! beside them, so that a benchmark can compare their speed.
//!
//! It must not know how time is taken, nor which texts are read.

mod embedding;
mod plain;
mod reading;

pub use embedding::{EmbedderModel, EmbedderPasses, PassageBatch};
pub use plain::PlainPrefill;
pub use reading::{PassSize, ReaderModel, ReaderPasses, Script};
