//! What is deleted of a scope.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use super::conversation::TurnPlace;
use super::ids::{ConversationId, Scope, TurnId};

/// Something of a scope that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) scope: Scope,
    pub(crate) extent: Extent,
}

/// How much of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Extent {
    Everything,
    /// A conversation and the branches that begin in it, but for turns that others have as well.
    Conversation(ConversationId),
    Turns(Vec<TurnId>),
    /// Turns that were said last before this time, and places where others were said before it.
    Before(DateTime<Utc>),
}

/// The same, turn by turn where not all of a scope goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removal {
    pub(crate) scope: Scope,
    pub(crate) what: Removed,
}

/// Turns of a scope that were first seen before a time, for a deletion of all that was said before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OldTurns {
    pub(crate) scope: Scope,
    pub(crate) turns: HashSet<TurnId>,
    pub(crate) time: DateTime<Utc>,
}

/// A conversation with the branches that begin in it, for a deletion of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WholeConversation {
    pub(crate) scope: Scope,
    pub(crate) conversation: ConversationId,
    /// The turns that the tables have of it.
    pub(crate) stored: HashSet<TurnId>,
}

/// What goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Removed {
    Everything,
    Turns {
        ids: BTreeSet<TurnId>,
        /// Conversations that go as a whole, with what was put into their prompts.
        conversations: BTreeSet<ConversationId>,
        /// Places that turns leave which stay elsewhere.
        places: BTreeSet<(TurnId, TurnPlace)>,
    },
}

/// A deletion that the journal has carried out and the tables may not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotedDeletion {
    Removal(Removal),
    /// Of a conversation, as earlier versions noted it.
    Conversation(Scope, ConversationId),
}

impl NotedDeletion {
    /// Of what it deletes.
    pub(crate) fn scope(&self) -> &Scope {
        match self {
            Self::Removal(removal) => &removal.scope,
            Self::Conversation(scope, _) => scope,
        }
    }
}

impl Removed {
    /// These turns.
    pub(crate) fn turns(ids: impl IntoIterator<Item = TurnId>) -> Self {
        Self::Turns { ids: ids.into_iter().collect(), conversations: BTreeSet::new(), places: BTreeSet::new() }
    }
}

impl Removal {
    /// These turns of a scope.
    pub(crate) fn of_turns(scope: &Scope, ids: impl IntoIterator<Item = TurnId>) -> Self {
        Self { scope: scope.clone(), what: Removed::turns(ids) }
    }

    /// Whether nothing goes.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.what {
            Removed::Everything => false,
            Removed::Turns { ids, conversations, places } => {
                ids.is_empty() && conversations.is_empty() && places.is_empty()
            }
        }
    }

    /// Whether this turn goes.
    pub(crate) fn covers(&self, turn: TurnId) -> bool {
        match &self.what {
            Removed::Everything => true,
            Removed::Turns { ids, .. } => ids.contains(&turn),
        }
    }
}

/// What had been deleted of a scope when it was made. Made before something is read, it tells afterwards whether any of that may have
/// been deleted since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeletionMark(Option<u64>);

impl DeletionMark {
    /// That of a moment when a deletion was at work.
    pub(crate) const UNSETTLED: Self = Self(None);

    /// That of a moment when so many deletions had ended, and none was at work.
    pub(crate) fn settled(ended: u64) -> Self {
        Self(Some(ended))
    }

    /// Whether nothing was deleted between this mark and a later one.
    pub(crate) fn is_still(self, later: Self) -> bool {
        self.0.is_some() && self == later
    }
}
