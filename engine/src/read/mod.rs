//! Reading: from the text of a turn to its main point.
//!
//! It must not know who asks.

mod reading;

pub use reading::{
    Passage, PassageTokens, Question, ReadRequest, ReadToken, Span, TokenSalience, TurnReading, TurnText,
};
