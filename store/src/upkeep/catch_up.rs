//! Memory and the journal, after the journal was closed for a while or begun anew.
//!
//! Responsible for: opening it again, bringing what is pending in line with what it holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::journal::{Journal, Repaired, Room};
use crate::state::{Shared, Writer};
use crate::tasks::to_completion;
use crate::trouble::one_line;

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

/// Whether nobody but this task has the store any more. Then its files are somebody else's.
pub(super) fn is_let_go(shared: &Arc<Shared>) -> bool {
    Arc::strong_count(shared) == 1
}

/// Who reads, or deletes something to make room, does not wait for space.
pub(crate) async fn reopen_journal(shared: &Arc<Shared>) {
    if is_let_go(shared) {
        return;
    }
    let reopened = async {
        let reopened = shared.blocking(|shared| shared.journal.reopen_for_reading()).await?;
        note(shared, reopened);
        catch_up(shared).await
    };
    if let Err(error) = reopened.await {
        tracing::debug!(cause = one_line(&error), "the journal can't be opened again on the full disk");
    }
}

/// Makes good what is wrong with the journal, as far as that is possible now.
pub(crate) async fn repair_journal(shared: &Arc<Shared>) -> Result<(), StoreError> {
    if is_let_go(shared) {
        return Ok(());
    }
    // A deletion holds this lock, and may need the room that would be kept for the next one.
    let no_deletion = shared.maintenance.try_lock();
    let room = if no_deletion.is_ok() { Room::Keep } else { Room::Leave };
    let repaired = shared
        .blocking(move |shared| {
            shared.journal.check_file();
            match shared.journal.trouble() {
                Some(_) => shared.journal.repair(room),
                None => Ok(Repaired::Nothing),
            }
        })
        .await;
    drop(no_deletion);
    if let Ok(repaired) = &repaired {
        note(shared, *repaired);
    }
    // What the journal holds can be known also where there is no space yet.
    catch_up(shared).await?;
    repaired.map(|_| ())
}
