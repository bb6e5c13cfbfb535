//! The prompt that is forwarded: the original one, or one that is built to fit its budget out of what stays and memories.
//!
//! [`plan`] prepares a request, fails open and says what became of it; [`build`] compares it with the budget and builds. It must not
//! know sockets, servers or upstreams.

#[cfg(test)]
mod allocation_tests;
pub(crate) mod blocking;
mod build;
mod conversation_match;
mod cuttable;
mod dedup;
mod evictable;
mod eviction_policy;
#[cfg(test)]
mod fake_memory_for_tests;
mod gaps;
pub(crate) mod injections;
#[cfg(test)]
mod law_tests;
mod pack;
pub(crate) mod plan;
mod planner;
mod provider_cache;
pub(crate) mod recall_tool_context;
pub(crate) mod receipt;
mod restated;
mod wrapped;

pub(crate) use planner::Planner;
