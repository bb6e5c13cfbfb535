//! What every request can reach.

use std::sync::Arc;

use http::{HeaderMap, Response, Uri};
use mainpoint_store::Scope;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::conversation::scope::Sender;
use crate::error::ProxyError;
use crate::memory::Memory;
use crate::room::Room;
use crate::upstream::{Call, Upstream, cut};

use super::{LatePlanner, Receipts, RequestLimits};
use crate::http::headers::OwnHeaders;
use crate::http::identity::{Identities, Identity};
use crate::http::response::Body;

/// The parts that requests share. One per process.
pub(crate) struct Shared {
    /// The validated configuration.
    pub(crate) config: Config,
    /// Where requests are forwarded to.
    pub(crate) upstream: Upstream,
    /// Cancelled when requests that are still running are cut off, because the process stops.
    pub(crate) cut: CancellationToken,
    /// Finds out who sends requests.
    pub(crate) identities: Arc<Identities>,
    /// How many of them a caller may send.
    pub(crate) request_limits: RequestLimits,
    /// The headers that are not sent on.
    pub(crate) own_headers: OwnHeaders,
    /// Plans prompts with the memory; empty when `memory.mode` is off, and until the store is open.
    pub(crate) planner: LatePlanner,
    /// What was done to recent requests.
    pub(crate) receipts: Receipts,
    /// What requests and answers may hold together.
    pub(crate) room: Room,
    /// Renders `/metrics`.
    pub(crate) metrics: PrometheusHandle,
}

impl Shared {
    /// The memory; `None` when `memory.mode` is off, and until the store is open.
    pub(crate) fn memory(&self) -> Option<&Memory> {
        Some(&self.planner.get()?.memory)
    }

    /// Whose receipts belong to a request where who sends it is taken on trust, which no upstream confirms to whoever asks for a
    /// receipt: they belong to its credentials. `None` where who sends a request is known.
    pub(crate) fn scope_on_trust(&self, headers: &HeaderMap, uri: &Uri) -> Option<Scope> {
        let planner = self.planner.get().filter(|_| self.identities.are_on_trust())?;
        planner.preparer.key_scope(Sender { headers, identity: &Identity::of_credentials(uri) }).ok()
    }

    /// Sends a request to the upstream. The answer breaks off when the process does not wait for it any longer.
    ///
    /// # Errors
    /// When no answer comes. An answer that is an error is an answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Body>, ProxyError> {
        cut::cut_off(self.upstream.send(call), &self.cut).await
    }
}
