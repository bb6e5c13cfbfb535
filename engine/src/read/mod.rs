//! Reading: from the text of a turn to its main point, from that of a question to what it is matched with.
//!
//! It must not know who asks, nor on which threads.

mod coverage;
pub(crate) mod encoder;
pub(crate) mod main_point;
pub(crate) mod mean;
pub(crate) mod parts;
mod passages;
mod reading;
mod received;
mod samples;
pub(crate) mod script;
mod sentences;
#[cfg(test)]
mod truth;
mod words;

pub use main_point::representative;
pub use reading::{
    Passage, PassageTokens, Question, ReadRequest, ReadToken, Span, TokenSalience, TurnReading, TurnText,
};
