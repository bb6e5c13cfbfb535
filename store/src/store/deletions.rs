//! What is deleted from a store.
//!
//! Responsible for: the public operations that delete, and their contracts.

use chrono::{DateTime, Utc};

use super::Store;
use crate::error::StoreError;
use crate::records::{ConversationId, Deletion, Extent, Scope, TurnId};
use crate::upkeep::deletion;

impl Store {
    /// Deletes turns, read or not, and returns which of them were there. Gone from every answer, from the journal, from the lists
    /// of conversations and from the ledger, with every entry that quotes one of them, when this returns; gone from the disk after
    /// the next maintenance. A turn that is being read is not completed afterwards, and one that is offered again is new.
    ///
    /// # Errors
    /// See [`Store`]. A deletion that an error interrupts is carried out by the next maintenance, or the next opening.
    pub async fn delete_turns(&self, scope: &Scope, ids: Vec<TurnId>) -> Result<Vec<TurnId>, StoreError> {
        self.delete(scope, Extent::Turns(ids)).await
    }

    /// Deletes a conversation and the branches that begin in it, with everything that was put into their prompts. Turns that other
    /// conversations have as well stay there. See [`Store::delete_turns`].
    ///
    /// # Errors
    /// See [`Store::delete_turns`].
    pub async fn delete_conversation(
        &self,
        scope: &Scope,
        conversation: ConversationId,
    ) -> Result<Vec<TurnId>, StoreError> {
        self.delete(scope, Extent::Conversation(conversation)).await
    }

    /// Deletes every turn that was said last before a time, and takes what was said again since then out of the places where it was
    /// said before. See [`Store::delete_turns`].
    ///
    /// # Errors
    /// See [`Store::delete_turns`].
    pub async fn delete_before(&self, scope: &Scope, time: DateTime<Utc>) -> Result<Vec<TurnId>, StoreError> {
        self.delete(scope, Extent::Before(time)).await
    }

    /// Deletes everything of a scope. See [`Store::delete_turns`].
    ///
    /// # Errors
    /// See [`Store::delete_turns`].
    pub async fn delete_scope(&self, scope: &Scope) -> Result<Vec<TurnId>, StoreError> {
        self.delete(scope, Extent::Everything).await
    }

    async fn delete(&self, scope: &Scope, extent: Extent) -> Result<Vec<TurnId>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(deletion::delete(&self.shared, Deletion { scope: scope.clone(), extent }).await)
    }
}
