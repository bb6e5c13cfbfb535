//! Reading: from texts to tokens with vectors and attention.
//!
//! It must not know who asks, nor on which threads.

pub(crate) mod encoder;
pub(crate) mod input;
pub(crate) mod mean;
pub(crate) mod parts;
mod passages;
pub(crate) mod projection;
mod reading;
mod received;
pub(crate) mod reduction;
mod samples;
mod sentences;
#[cfg(test)]
mod truth;
pub(crate) mod words;

pub use reading::{
    Passage, PassageTokens, Question, ReadRequest, ReadToken, Span, TokenSalience, TurnReading, TurnText,
};
