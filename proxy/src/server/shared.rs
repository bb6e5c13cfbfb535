//! What every request can reach.
//!
//! It must not know how a request is handled; it holds the parts and answers for their health.

use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::Config;
use crate::memory::Memory;
use crate::upstream::Upstream;

/// The parts that requests share. One per process.
pub(crate) struct Shared {
    /// The validated configuration.
    pub(crate) config: Config,
    /// Where requests are forwarded to.
    pub(crate) upstream: Upstream,
    /// The memory; `None` when `memory.mode` is off.
    pub(crate) memory: Option<Memory>,
    /// Renders `/metrics`.
    pub(crate) metrics: PrometheusHandle,
}
