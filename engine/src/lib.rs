//! Text in, main points, vectors and codes out.
//!
//! This crate is the only one that knows llama.cpp. A small encoder reads a turn once: its attention says what the main
//! point is, and what is stored are the token vectors of the main point, bit by bit, and the mean of all of the pass. A
//! question is read the same way and matched with what is stored.

mod actor;
#[cfg(test)]
mod allocation_tests;
#[cfg(test)]
mod any_text_for_tests;
mod choose;
mod codes;
mod config;
pub mod convert;
mod engine;
#[cfg(test)]
mod engine_tests;
mod error;
#[cfg(test)]
mod every_text_tests;
mod ffi;
#[doc(hidden)]
pub mod fuzzing;
mod generate;
mod halt;
mod llama;
#[cfg(test)]
mod models_for_tests;
mod read;
mod segments;
mod sha256;

pub use choose::representative;
pub use codes::{Codes, QuestionCodes, SketchBlock, SketchForm, SketchPlace, codes_of};
pub use config::{EncoderConfig, EngineConfig, Prompts};
pub use engine::{Engine, EngineStatus, MOST_TURN_BYTES, vectors_sha256};
pub use error::{EngineError, TokenCount};
pub use generate::{ChatMessage, ChatRole, FinishReason, GenerateRequest, GeneratedPiece};
pub use llama::description::{EncoderDescription, describe_chat, describe_encoder};
pub use read::projection::Projection;
pub use read::words::units as words;
pub use read::{
    EncodedQuestion, PassageReading, PassageTokens, ReadRequest, ReadToken, Span, TokenSalience, TurnReading, TurnText,
};
pub use segments::{SegmentSize, segments};
pub use sha256::sha256_of_file;
