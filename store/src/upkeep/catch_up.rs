//! Memory and the journal, after the journal was closed for a while or begun anew.
//!
//! Responsible for: bringing what is pending in line with what the journal holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::journal::{Journal, Repaired};
use crate::state::{Shared, Writer};
use crate::tasks::to_completion;

/// Notes what was made good of the journal.
pub(crate) fn note(shared: &Shared, repaired: Repaired) {
    if repaired == Repaired::BegunAnew {
        shared.losses.fetch_add(1, Ordering::AcqRel);
    }
    if matches!(repaired, Repaired::Reopened | Repaired::BegunAnew) {
        shared.is_catch_up_due.store(true, Ordering::Release);
    }
}

/// Brings memory in line with the journal, where something other than this process may have changed what it holds.
pub(crate) async fn catch_up(shared: &Arc<Shared>) -> Result<(), StoreError> {
    if !shared.is_catch_up_due.load(Ordering::Acquire) {
        return Ok(());
    }
    let shared = Arc::clone(shared);
    to_completion(async move {
        let mut writer = shared.writer.lock().await;
        catch_up_with(&shared, &mut writer).await
    })
    .await
}

/// The same, for who holds `writer`.
pub(crate) async fn catch_up_with(shared: &Arc<Shared>, writer: &mut Writer) -> Result<(), StoreError> {
    if shared.is_catch_up_due.load(Ordering::Acquire) {
        reset(shared, writer).await?;
        shared.is_catch_up_due.store(false, Ordering::Release);
        shared.wake.notify_one();
    }
    Ok(())
}

/// What the journal holds is pending, and nothing else is. Whatever LanceDB has of it already is left out by the next flush.
pub(super) async fn reset(shared: &Arc<Shared>, writer: &mut Writer) -> Result<(), StoreError> {
    writer.untrimmed.clear();
    writer.uncertain = true;
    shared.blocking(|shared| shared.change(Journal::keys, |turn_index, pending| turn_index.reset(pending))).await?;
    Ok(())
}
