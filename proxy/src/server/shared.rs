//! What every request can reach.
//!
//! It must not know how a request is handled; it holds the parts and answers for their health.

use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::Config;
use crate::memory::Memory;
use crate::upstream::Upstream;

use super::Receipts;

/// The parts that requests share. One per process.
pub(crate) struct Shared {
    /// The validated configuration.
    pub(crate) config: Config,
    /// Where requests are forwarded to.
    pub(crate) upstream: Upstream,
    /// The memory; `None` when `memory.mode` is off.
    pub(crate) memory: Option<Memory>,
    /// What was done to recent requests.
    pub(crate) receipts: Receipts,
    /// Renders `/metrics`.
    pub(crate) metrics: PrometheusHandle,
}
