//! A deletion that the backlog knows of until it ends, however it does.

use std::sync::Arc;

use mainpoint_store::{Scope, TurnId};

use super::backlog::Backlog;
use super::queue::Era;

/// A deletion of turns of one scope. Where it is dropped before it is told how it ended, whatever the journal had before it may be gone.
#[derive(Debug)]
pub(super) struct OpenDeletion {
    backlog: Arc<Backlog>,
    scope: Scope,
    began: Era,
    has_ended: bool,
}

impl OpenDeletion {
    /// Turns of a scope are about to be deleted.
    pub(super) fn begin(backlog: &Arc<Backlog>, scope: &Scope) -> Self {
        let began = backlog.begin_deletion(scope);
        Self { backlog: Arc::clone(backlog), scope: scope.clone(), began, has_ended: false }
    }

    /// Whose turns are deleted.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The turns that the journal had before it, as far as they are known.
    pub(super) fn journalled_before(&self) -> Vec<TurnId> {
        self.backlog.journalled_before(&self.scope, self.began)
    }

    /// It has ended, and these turns are not there any more.
    pub(super) fn end(mut self, gone: &[TurnId]) {
        self.has_ended = true;
        self.backlog.end_deletion(&self.scope, gone, self.began);
    }
}

impl Drop for OpenDeletion {
    fn drop(&mut self) {
        if !self.has_ended {
            self.backlog.abandon_deletion(&self.scope, self.began);
        }
    }
}
