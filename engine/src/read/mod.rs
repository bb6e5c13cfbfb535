//! Reading: from texts to tokens with vectors and attention.

#[cfg(test)]
mod attention_reference_tests;
pub(crate) mod encoder;
pub(crate) mod input;
pub(crate) mod mean;
mod passages;
pub(crate) mod projection;
mod reading;
mod received;
pub(crate) mod reduction;
mod samples;
mod sentences;
pub(crate) mod structure;
pub(crate) mod threads;
mod unit_length;
pub(crate) mod words;

pub use reading::{
    EncodedQuestion, PassageReading, PassageTokens, ReadRequest, ReadToken, Span, TokenSalience, TurnReading, TurnText,
};
