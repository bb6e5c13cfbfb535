//! Deletions that are noted and that the tables have not carried out.
//!
//! Responsible for: knowing of which scopes the tables may still hold what was deleted, and which turns that are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::StoreError;
use crate::records::{NotedDeletion, Removal, Removed, Scope, TurnId};

/// What the tables may still hold though it was deleted. Until it is gone its scopes are not searched, and what is new of them waits in
/// the journal: a row that is read could be one that was deleted, and one that is written would go with the deletion.
#[derive(Debug, Default)]
pub(crate) struct DeletionsDue(Arc<Mutex<Deletions>>);

#[derive(Debug, Default)]
struct Deletions {
    /// Those that could not be carried out.
    due: Vec<NotedDeletion>,
    /// Those that are being carried out. They keep nobody from reading, but what they cover is not there any more: who says it again
    /// says something new.
    at_work: Vec<Removal>,
}

/// A deletion that the tables are carrying out. Where it ends in any other way, as by a panic, it is due.
#[derive(Debug)]
#[must_use]
pub(crate) struct DeletionAtWork {
    deletions: Arc<Mutex<Deletions>>,
    removal: Removal,
    is_carried_out: bool,
}

impl DeletionsDue {
    /// Notes that the journal has carried a deletion out, and that the tables are about to.
    pub(crate) fn begin(&self, removal: &Removal) -> DeletionAtWork {
        self.lock().at_work.push(removal.clone());
        DeletionAtWork { deletions: Arc::clone(&self.0), removal: removal.clone(), is_carried_out: false }
    }

    /// Notes that a deletion is still to be carried out.
    pub(crate) fn note(&self, deletion: NotedDeletion) {
        self.lock().note(deletion);
    }

    /// Notes that the tables have carried a deletion out.
    pub(crate) fn end(&self, done: &NotedDeletion) {
        self.lock().due.retain_mut(|due| is_left(due, done));
    }

    /// What is still to be carried out of a scope, as the journal notes it now.
    pub(crate) fn replace(&self, scope: &Scope, now: &[NotedDeletion]) {
        let due = &mut self.lock().due;
        due.retain(|due| due.scope() != scope);
        due.extend(now.iter().filter(|deletion| deletion.scope() == scope).cloned());
    }

    /// Whether there is any.
    pub(crate) fn is_any(&self) -> bool {
        !self.lock().due.is_empty()
    }

    /// Whether there is any of a scope.
    pub(crate) fn is_of(&self, scope: &Scope) -> bool {
        self.lock().due.iter().any(|due| due.scope() == scope)
    }

    /// Whether a turn in the tables is one that was deleted.
    pub(crate) fn covers(&self, scope: &Scope, turn: TurnId) -> bool {
        let covers = |removal: &Removal| removal.scope == *scope && removal.covers(turn);
        let deletions = self.lock();
        let mut due = deletions.due.iter();
        due.any(|due| matches!(due, NotedDeletion::Removal(removal) if covers(removal)))
            || deletions.at_work.iter().any(covers)
    }

    /// Whether all of a scope is to be deleted.
    pub(crate) fn is_whole(&self, scope: &Scope) -> bool {
        let is_whole = |due: &NotedDeletion| matches!(due, NotedDeletion::Removal(Removal { scope: of, what: Removed::Everything }) if of == scope);
        self.lock().due.iter().any(is_whole)
    }

    /// Makes sure that there is none of a scope.
    ///
    /// # Errors
    /// [`StoreError::DeletionDue`].
    pub(crate) fn ensure_none(&self, scope: &Scope) -> Result<(), StoreError> {
        if self.is_of(scope) { Err(StoreError::DeletionDue) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Deletions> {
        lock(&self.0)
    }
}

impl DeletionAtWork {
    /// What is being deleted.
    pub(crate) fn removal(&self) -> &Removal {
        &self.removal
    }

    /// The tables have carried it out.
    pub(crate) fn carried_out(mut self) {
        self.is_carried_out = true;
    }
}

impl Drop for DeletionAtWork {
    fn drop(&mut self) {
        let mut deletions = lock(&self.deletions);
        if !self.is_carried_out {
            deletions.note(NotedDeletion::Removal(self.removal.clone()));
        }
        if let Some(at) = deletions.at_work.iter().position(|at_work| *at_work == self.removal) {
            deletions.at_work.swap_remove(at);
        }
    }
}

impl Deletions {
    fn note(&mut self, deletion: NotedDeletion) {
        if !self.due.contains(&deletion) {
            self.due.push(deletion);
        }
    }
}

fn lock(deletions: &Mutex<Deletions>) -> MutexGuard<'_, Deletions> {
    deletions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes out of a deletion what another one has carried out, and says whether anything is left of it.
fn is_left(due: &mut NotedDeletion, done: &NotedDeletion) -> bool {
    if due == done {
        return false;
    }
    let (NotedDeletion::Removal(due), NotedDeletion::Removal(done)) = (due, done) else {
        return true;
    };
    if due.scope != done.scope {
        return true;
    }
    match (&mut due.what, &done.what) {
        (_, Removed::Everything) => false,
        (Removed::Turns { ids: due, .. }, Removed::Turns { ids: done, .. }) => {
            due.retain(|id| !done.contains(id));
            !due.is_empty()
        }
        (Removed::Everything, Removed::Turns { .. }) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples_for_tests::{id, scope};

    fn turns(numbers: &[u32]) -> NotedDeletion {
        NotedDeletion::Removal(Removal::of_turns(&scope(), numbers.iter().map(|number| id(*number))))
    }

    fn everything() -> NotedDeletion {
        NotedDeletion::Removal(Removal { scope: scope(), what: Removed::Everything })
    }

    #[test]
    fn a_scope_is_free_again_when_all_that_was_to_be_deleted_of_it_is_gone() {
        let due = DeletionsDue::default();
        due.note(turns(&[1, 2, 3]));
        assert!(due.ensure_none(&scope()).is_err() && !due.is_whole(&scope()));
        assert!(due.covers(&scope(), id(3)) && !due.covers(&scope(), id(4)));
        due.end(&turns(&[1, 3]));
        assert!(due.is_of(&scope()));
        due.end(&turns(&[2, 4]));
        assert!(!due.is_any());
    }

    #[test]
    fn a_deletion_of_everything_ends_those_of_turns_and_not_the_other_way_round() {
        let due = DeletionsDue::default();
        due.note(everything());
        due.note(turns(&[1]));
        due.end(&turns(&[1]));
        assert!(due.is_whole(&scope()));
        due.note(turns(&[2]));
        due.end(&everything());
        assert!(!due.is_any());
    }

    #[test]
    fn what_is_being_deleted_is_not_there_any_more_and_keeps_nobody_from_reading() {
        let due = DeletionsDue::default();
        let removal = Removal::of_turns(&scope(), [id(1)]);
        let at_work = due.begin(&removal);
        assert!(due.covers(&scope(), id(1)) && !due.covers(&scope(), id(2)));
        assert!(due.ensure_none(&scope()).is_ok() && !due.is_any());
        drop(at_work);
        assert!(due.covers(&scope(), id(1)) && due.is_any(), "it could not be carried out");
        due.end(&NotedDeletion::Removal(removal.clone()));
        assert!(!due.covers(&scope(), id(1)));
        due.begin(&removal).carried_out();
        assert!(!due.covers(&scope(), id(1)) && !due.is_any());
    }
    #[test]
    fn a_deletion_whose_attempt_panics_is_due() {
        let due = DeletionsDue::default();
        let removal = Removal::of_turns(&scope(), [id(1)]);
        let attempt: std::thread::Result<()> = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _at_work = due.begin(&removal);
            std::panic::resume_unwind(Box::new("in the middle of it"))
        }));
        assert!(attempt.is_err() && due.is_of(&scope()));
        due.end(&NotedDeletion::Removal(removal));
        assert!(!due.covers(&scope(), id(1)), "nobody is at work on it any more");
    }
}
