//! A parsed request as a conversation: whose it is, what its turns are called, what belongs together, and how long it is.
//!
//! It must not know memories, budgets or what becomes of a request.

pub(crate) mod chain;
pub(crate) mod echo;
pub(crate) mod exchanges;
pub(crate) mod prepare;
pub(crate) mod scope;

#[cfg(test)]
mod isolation_tests;
