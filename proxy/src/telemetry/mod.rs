//! What mainpoint tells its operator: metrics and logs.
//!
//! It must not know what a chat request is; the parts that do call it with names and numbers.

pub mod logs;
pub(crate) mod metrics;
pub(crate) mod stopwatch;
