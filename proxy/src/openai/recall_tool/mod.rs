//! The one tool that a model may be offered to ask the memory for more: how a request offers it, and what an answer asks of it.
//!
//! Chat completions only.

mod calls;
mod document;
mod events;
mod offer;
mod splicing;
mod usage;

pub(crate) use calls::Asked;
pub(crate) use document::{DocumentAnswer, read};
pub(crate) use events::StreamedAnswer;
pub(crate) use offer::{Offer, ToolChoice, ToolReach, takes_offer};
pub(crate) use usage::Usage;
