//! What every request can reach.
//!
//! It must not know how a request is handled; it holds the parts and answers for their health.

use http::Response;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::ProxyError;
use crate::memory::Memory;
use crate::prompt::Planner;
use crate::upstream::{Call, Upstream, cut};

use super::Receipts;
use crate::http::response::Body;

/// The parts that requests share. One per process.
pub(crate) struct Shared {
    /// The validated configuration.
    pub(crate) config: Config,
    /// Where requests are forwarded to.
    pub(crate) upstream: Upstream,
    /// Cancelled when requests that are still running are cut off, because the process stops.
    pub(crate) cut: CancellationToken,
    /// Plans prompts with the memory; `None` when `memory.mode` is off.
    pub(crate) planner: Option<Planner>,
    /// What was done to recent requests.
    pub(crate) receipts: Receipts,
    /// Renders `/metrics`.
    pub(crate) metrics: PrometheusHandle,
}

impl Shared {
    /// The memory; `None` when `memory.mode` is off.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        Some(&self.planner.as_ref()?.memory)
    }

    /// Sends a request to the upstream. The answer breaks off when the process does not wait for it any longer.
    ///
    /// # Errors
    /// When no answer comes. An answer that is an error is an answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Body>, ProxyError> {
        cut::cut_off(self.upstream.send(call), &self.cut).await
    }
}
