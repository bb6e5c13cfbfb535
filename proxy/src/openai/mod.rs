//! OpenAI's wire format, and what mainpoint writes into it: bytes in, bytes out.
//!
//! Pure: it must not know conversations, memories, HTTP or the configuration.

pub(crate) mod attachments;
pub(crate) mod block;
pub(crate) mod json_scan;
pub(crate) mod oddity;
pub(crate) mod quote;
pub(crate) mod recall_tool;
#[cfg(test)]
pub(crate) mod recordings_for_tests;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod results;
pub(crate) mod splice;
pub(crate) mod tokens;
