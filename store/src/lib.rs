//! Turns and main points on disk: LanceDB behind an fsynced journal.
//!
//! This crate is responsible for storing what was read: it accepts turns durably, stores their main points, finds them
//! again (dense, lexical, by id) and deletes them for good. It is the only crate that knows Arrow and LanceDB.
//!
//! # The life of a turn
//!
//! 1. [`Store::accept_said`] puts the turn into the journal (redb, fsynced), and where it was said into its place in a conversation
//!    ([`Store::accept`] does without a place). From here it survives a crash; after one it comes back from [`Store::waiting`], page
//!    by page, or all at once from [`Store::unread`].
//! 2. [`Store::complete`] puts its main points beside it (fsynced). The turn now counts as read.
//! 3. The flush task writes everything completed into LanceDB in one batch, makes the file system durable and only
//!    then trims the journal. A crash anywhere in between is harmless: a flush skips rows that LanceDB already has.
//!
//! # The ledger
//!
//! The journal's file also holds what was injected into forwarded prompts: small values, opaque to the store, by scope,
//! kind and [`LedgerKey`]. [`Store::record`] writes them (fsynced, the first writer wins), [`Store::ledger`] finds them.
//! They never move to LanceDB; they go when their conversation is deleted or has been silent for
//! [`StoreConfig::ledger_age`].
//!
//! # Conversations
//!
//! Turns are known by what they say. Which of them were said one after the other is in the journal's file as well: a list of turns
//! for each conversation, and for each branch where it begins. [`Store::match_conversation`] tells which conversation a
//! request goes on with by the turns that both have; [`Store::accept_said`] puts what is new into its place there.
//!
//! # Deleting
//!
//! [`Store::delete_turns`], [`Store::delete_conversation`], [`Store::delete_before`] and [`Store::delete_scope`] take turns out of
//! every answer, the journal, the ledger and the lists of conversations before they return, and off the disk at the next
//! maintenance. [`StoreConfig::retain_for`] does the same with what has become too old. What was put into prompts and quotes a turn
//! goes with it: [`StoreConfig::quoted`] tells which turns an entry of the ledger quotes, and an entry that a request writes after a
//! turn that it quotes was deleted is not kept.
//!
//! # Read your writes
//!
//! Rows between 2 and 3 are visible to every reader. [`Store::read_or_unreadable`], [`Store::turns`] and
//! [`Store::neighbours`] look into the journal as well; [`Store::search`], [`Store::snapshot`] and [`Store::points`] first
//! move pending rows into LanceDB, and only if a pending row could be an answer to that very call ([`Within::ScopeWith`]
//! names those that it waits for). Merging pending rows in memory instead
//! would need a second BM25 whose scores are not comparable with those of the index. The flush on demand is rare
//! in practice (a request asks for turns that have left the prompt, the pending ones are the newest), it is
//! coalesced (callers that arrive meanwhile find their rows already written), and it does not wait for the disk.
//!
//! # One process
//!
//! The journal file is locked: a second process (or a second handle) that opens the directory gets
//! [`StoreError::InUse`]. Dropping every clone of the handle, or [`Store::close`], releases it.
//!
//! # When the disk fails
//!
//! A full disk or another error closes the journal; until it opens again every call that needs it fails at once with
//! [`StoreError::JournalDown`] and touches no disk. On a full disk it is opened again at once, for reading and deleting alone, which
//! takes the longer the larger the file is. Tables that cannot be written leave what was read in the journal. A task looks at the
//! files every second, tries again what failed and repairs what is gone: a manifest from what was remembered of it, rows from the
//! journal, an index from the rows. [`Store::troubles`] says what does not work, [`StoreStatus::losses`] how often turns were lost for
//! good, which are then to be offered again.
//!
//! Opening looks at everything before it changes anything. What is provably damaged is moved aside; what only this version
//! cannot read, or the system does not let it read, is refused and stays as it is.
//!
//! # Modules
//!
//! `store` the handle · `config`, `error`, `status`, `trouble` what goes in and comes out besides `records` ·
//! `journal` the journal in redb, with the ledger · `lance` the tables in LanceDB · `state` what every operation works on:
//! the two of them, locks, and what is kept in memory · `query` reading · `upkeep` the background tasks: flushing,
//! maintaining, deleting, repairing · `migration` a store of the layout version before this one · `directory` files ·
//! `tasks` running work to its end.
//!
//! Uses go one way: `store → migration, query → upkeep → state → {journal, lance} → records`.

#![forbid(unsafe_code)]

mod config;
mod directory;
mod error;
mod journal;
mod lance;
mod migration;
mod query;
mod records;
#[cfg(test)]
mod simulation;
mod state;
mod status;
mod store;
mod tasks;
mod trouble;
mod upkeep;

pub use config::{CacheSizes, Retain, StoreConfig};
pub use error::StoreError;
pub use lance::sketches::{SketchedFragment, Sketcher};
pub use migration::{Migration, OldStore, begin_migration};
pub use query::ranking::Ranking;
pub use query::sketches::Sketches;
pub use query::snapshot::Snapshot;
pub use records::{
    ClusteredPoint, Clusters, ConversationAppend, ConversationId, ConversationMatch, ConversationView, DeletionMark,
    Hit, IdentifiedHits, IndexedPassage, LedgerEntry, LedgerKey, LedgerKind, Outline, OutlinedConversation, PlacedTurn,
    PlainTurn, Point, PrefixId, QuotedTurns, ReplacedTurn, SaidTurn, Scope, ScopeCounts, ScopeOverview, ScopeSize,
    SearchQuery, SearchResult, Span, Turn, TurnId, TurnKind, TurnPlace, WaitingTurn, Within,
};
pub use status::StoreStatus;
pub use store::{Examination, Store};
pub use trouble::{StorePart, Trouble};
pub use upkeep::maintenance::{MaintenanceReport, TableMaintenance};
