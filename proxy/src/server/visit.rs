//! One request on its connection: from its head to the end of its answer.
//!
//! It must not know what is asked or answered.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::seat::Seat;
use crate::http::arriving::Arrival;

/// A request that is on its way in or being answered. It ends when it is told to, at the latest when dropped.
#[derive(Debug)]
pub(super) struct Visit {
    seat: Arc<Seat>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    stage: Stage,
    /// Its place among the requests that are answered at once.
    place: Option<OwnedSemaphorePermit>,
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

impl Visit {
    /// A request's head came to this connection.
    pub(super) fn begin(seat: &Arc<Seat>, is_http2: bool) -> Arc<Self> {
        seat.begins(is_http2);
        Arc::new(Self {
            seat: Arc::clone(seat),
            progress: Mutex::new(Progress {
                stage: Stage::Coming,
                place: None,
            }),
        })
    }

    /// The request has a place until it ends.
    pub(super) fn hold(&self, place: OwnedSemaphorePermit) {
        self.change(|seat, progress| {
            if progress.stage == Stage::Coming {
                seat.holds();
            }
            if progress.stage != Stage::Over {
                progress.place = Some(place);
            }
        });
    }

    /// The answer is over.
    pub(super) fn end(&self) {
        self.change(|seat, progress| {
            match progress.stage {
                Stage::Coming => seat.ends_early(progress.place.is_some()),
                Stage::Arrived => seat.ends(),
                Stage::Over => {}
            }
            progress.stage = Stage::Over;
            progress.place = None;
        });
    }

    /// The lock is held while the connection hears of it, so that it hears everything in order.
    fn change(&self, change: impl FnOnce(&Seat, &mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&self.seat, &mut progress);
    }
}

impl Arrival for Visit {
    fn arrived(&self) {
        self.change(|seat, progress| {
            if progress.stage == Stage::Coming {
                progress.stage = Stage::Arrived;
                seat.arrived(progress.place.is_some());
            }
        });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.end();
    }
}
