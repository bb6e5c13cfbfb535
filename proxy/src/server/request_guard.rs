//! One request on its connection: from its head to the end of its answer.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::connection_state::ConnectionState;
use crate::http::arriving::Arrival;

/// A request that is on its way in or being answered. It ends when it is told to, at the latest when dropped.
#[derive(Debug)]
pub(super) struct RequestGuard {
    state: Arc<ConnectionState>,
    progress: Mutex<Progress>,
}

/// The answer to a request, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Arc<RequestGuard>);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[derive(Debug)]
struct Progress {
    stage: Stage,
    /// Its permit among the requests that are answered at once.
    permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The body is still coming.
    Coming,
    /// The request is there.
    Arrived,
    /// The answer is over.
    Over,
}

impl RequestGuard {
    /// A request's head came to this connection.
    pub(super) fn begin(state: &Arc<ConnectionState>, is_http2: bool) -> Arc<Self> {
        state.begins(is_http2);
        Arc::new(Self {
            state: Arc::clone(state),
            progress: Mutex::new(Progress { stage: Stage::Coming, permit: None }),
        })
    }

    /// The request has a permit until it ends.
    pub(super) fn hold(&self, permit: OwnedSemaphorePermit) {
        self.change(|state, progress| {
            if progress.stage == Stage::Coming {
                state.holds();
            }
            if progress.stage != Stage::Over {
                progress.permit = Some(permit);
            }
        });
    }

    /// The answer is over.
    pub(super) fn end(&self) {
        self.change(|state, progress| {
            match progress.stage {
                Stage::Coming => state.ends_early(progress.permit.is_some()),
                Stage::Arrived => state.ends(),
                Stage::Over => {}
            }
            progress.stage = Stage::Over;
            progress.permit = None;
        });
    }

    /// The lock is held while the connection hears of it, so that it hears everything in order.
    fn change(&self, change: impl FnOnce(&ConnectionState, &mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&self.state, &mut progress);
    }
}

impl Arrival for RequestGuard {
    fn arrived(&self) {
        self.change(|state, progress| {
            if progress.stage == Stage::Coming {
                progress.stage = Stage::Arrived;
                state.arrived(progress.permit.is_some());
            }
        });
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.end();
    }
}
