//! Lists the turns that an earlier process accepted and nobody has read, while new ones come. Lists all that waits anew when the
//! store has lost turns, or may have deleted some. What is known of turns is forgotten when the store has deleted some.
//!
//! It must not hold their words nor read anything.

use std::sync::Arc;
use std::time::Duration;

use mainpoint_store::{Scope, Store, StoreError, StoreStatus, TurnId};
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;

/// Lists them all, and again whenever turns were lost to damaged files: some of them wait to be read once more, and what is known
/// of the others is no longer so.
pub(super) async fn keep_listed(store: Store, backlog: Arc<Backlog>, stop: CancellationToken) {
    let StoreStatus { mut losses, mut deletions, .. } = store.status();
    loop {
        list(&store, &backlog, &stop).await;
        loop {
            let _ = tokio::time::timeout(LOOK, stop.cancelled()).await;
            let status = store.status();
            if stop.is_cancelled() || !status.alive {
                return;
            }
            if status.deletions != deletions {
                deletions = status.deletions;
                backlog.forget_read();
            }
            // Also where the losses are listed anyway.
            let is_to_be_listed = backlog.take_to_be_listed();
            if status.losses != losses || is_to_be_listed {
                losses = status.losses;
                break;
            }
        }
        backlog.forget_read();
    }
}

/// Lists them all, page by page, however often the store fails on the way.
async fn list(store: &Store, backlog: &Backlog, stop: &CancellationToken) {
    let mut after = None;
    let mut listed = 0;
    loop {
        match page(store, backlog, after.clone()).await {
            Ok(Some((last, turns))) => {
                after = Some(last);
                listed += turns;
            }
            Ok(None) => break,
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::warn!(error = %error, "the journal could not be listed; it is tried again");
                // Whether the time is over or all is stopped, the loop goes on.
                let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
            }
        }
        if stop.is_cancelled() {
            return;
        }
    }
    backlog.set_unlisted(0);
    if listed > 0 {
        tracing::info!(turns = listed, "reading turns that were in the journal without having been read");
    }
}

/// Lists one page; gives its last turn and its length, or nothing behind the last one.
async fn page(
    store: &Store,
    backlog: &Backlog,
    after: Option<(Scope, TurnId)>,
) -> Result<Option<((Scope, TurnId), usize)>, StoreError> {
    let turns = store.waiting(after, PAGE).await?;
    backlog.list(&turns);
    let last = turns.last().map(|turn| (turn.scope.clone(), turn.id));
    Ok(last.map(|last| (last, turns.len())))
}

const PAGE: usize = 1024;
const PAUSE: Duration = Duration::from_secs(5);
/// How soon a loss or a deletion is noticed.
const LOOK: Duration = Duration::from_secs(1);
