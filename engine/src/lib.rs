//! Text in, main points and vectors out.
//!
//! This crate is the only one that knows llama.cpp. It reads conversations with a small local
//! model, turns that model's attention into main points, embeds them, scores stored main points
//! against a question with the model's own attention, and re-ranks few candidates in one prompt. It
//! must not know HTTP, the OpenAI wire format, or where main points are kept.

mod actor;
#[cfg(test)]
mod allocations;
#[cfg(test)]
mod any_text;
mod attention_search;
mod calibration;
mod coded_attention;
mod config;
pub mod convert;
mod embedder;
mod encoding;
mod engine;
mod error;
#[cfg(test)]
mod every_text;
mod ffi;
mod generate;
mod halt;
mod keys;
mod model;
mod multiply;
mod nodes;
#[cfg(test)]
mod other_readers;
mod passages;
mod question;
mod reader;
mod reading;
mod rerank;
mod rows;
mod salience;
mod segments;
mod sentences;
mod slices;
mod softmax;
mod spans;
pub mod speed;
mod survey;
mod tokens;
#[cfg(test)]
mod truth;
mod window;
mod words;
mod working_copy;

pub use calibration::{Calibration, Head};
pub use config::{EmbedderConfig, EngineConfig, ReaderConfig};
pub use encoding::{EncodedToken, Encoding, mix};
pub use engine::{Engine, EngineStatus, MOST_TURN_BYTES};
pub use error::EngineError;
pub use generate::{FinishReason, GenerateRequest, GeneratedPiece};
pub use keys::{Codebook, KeyBlock, KeyCoder, QueryBlock};
pub use model::sha256_of_file;
pub use question::Question;
pub use reading::{Passage, ReadRequest, Span, TokenSalience, TurnReading, TurnText};
pub use rerank::MOST_RERANKED;
pub use segments::{SegmentSize, segments};
pub use survey::{SearchScope, Survey, SurveyedTurn};
