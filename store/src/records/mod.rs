//! The plain records that go into the store and come out of it.

mod cluster;
mod conversation;
mod deletion;
mod ids;
mod ledger;
mod outline;
#[cfg(test)]
pub(crate) mod samples_for_tests;
mod search;
mod turn;
mod versions;

pub use cluster::{ClusteredPoint, Clusters};
pub(crate) use conversation::Repetition;
pub use conversation::{
    ConversationAppend, ConversationMatch, ConversationView, PlainTurn, ReplacedTurn, SaidTurn, TurnKind, TurnPlace,
};
pub use deletion::DeletionMark;
pub(crate) use deletion::{Deletion, Extent, NotedDeletion, OldTurns, Removal, Removed, WholeConversation};
pub(crate) use ids::TurnKey;
pub use ids::{ConversationId, PrefixId, Scope, TurnId};
pub(crate) use ledger::LedgerLine;
pub use ledger::{LedgerEntry, LedgerKey, LedgerKind, QuotedTurns};
pub use outline::{Outline, OutlinedConversation, PlacedTurn, ScopeCounts, ScopeOverview, ScopeSize};
pub use search::{Hit, IdentifiedHits, IndexedPassage, SearchQuery, SearchResult, Within};
pub(crate) use turn::{CompletedTurn, FoundTurn, Pending, Seen};
pub use turn::{Point, Span, Turn, WaitingTurn};
pub(crate) use versions::TableVersions;
