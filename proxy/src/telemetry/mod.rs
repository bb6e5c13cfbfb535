//! What mainpoint tells its operator: metrics and logs.

pub mod logs;
pub(crate) mod metrics;
pub(crate) mod stopwatch;
