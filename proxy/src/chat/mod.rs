//! A chat request on its way through: read, remember, rewrite when over the budget, forward, observe the reply.
//!
//! It must not know sockets, llama.cpp or LanceDB. [`flow`] is the way of one request; the other modules are its steps.

#[cfg(test)]
mod allocations;
pub(crate) mod attachments;
pub(crate) mod beside;
pub(crate) mod block;
pub(crate) mod body;
pub(crate) mod chain;
mod counting;
pub(crate) mod deadline;
mod digest;
mod echo;
pub(crate) mod encoding;
mod epoch;
pub(crate) mod flow;
mod keep;
#[cfg(test)]
mod laws;
mod ledger;
pub(crate) mod observe;
pub(crate) mod oddity;
pub(crate) mod pack;
pub(crate) mod parse;
pub(crate) mod plan;
pub(crate) mod prepare;
mod quote;
pub(crate) mod reason;
pub(crate) mod receipt;
#[cfg(test)]
mod recordings;
mod repeated;
mod revise;
pub(crate) mod rewrite;
pub(crate) mod scope;
mod shape;
pub(crate) mod tokens;
pub(crate) mod units;
