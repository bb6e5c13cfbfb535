//! A chat request on its way through: read, remember, rewrite when over the budget, forward, observe the reply.
//!
//! It must not know sockets, llama.cpp or LanceDB. [`flow`] is the way of one request; the other modules are its steps.

#[cfg(test)]
mod allocations;
pub(crate) mod block;
mod body;
pub(crate) mod chain;
mod digest;
mod epoch;
mod fields;
pub(crate) mod flow;
#[cfg(test)]
mod laws;
mod ledger;
pub(crate) mod observe;
pub(crate) mod pack;
pub(crate) mod parse;
pub(crate) mod plan;
pub(crate) mod prepare;
pub(crate) mod receipt;
#[cfg(test)]
mod recordings;
mod repeated;
mod revise;
pub(crate) mod rewrite;
pub(crate) mod scope;
pub(crate) mod tokens;
pub(crate) mod units;
