//! A parsed request as a conversation: whose it is, what its turns are called, what belongs together, and how long it is.

pub(crate) mod chain;
pub(crate) mod echo;
pub(crate) mod exchanges;
mod matched_conversation;
pub(crate) mod prepared_request;
pub(crate) mod reply_slot;
pub(crate) mod request_preparer;
pub(crate) mod scope;

#[cfg(test)]
mod isolation_tests;
