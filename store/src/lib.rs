//! Turns and main points on disk: LanceDB behind an fsynced journal.
//!
//! This crate is responsible for keeping what was read: it accepts turns durably, stores their main points,
//! finds them again (dense, lexical, by id) and deletes them for good. It is the only crate that knows Arrow and
//! LanceDB. It must not know HTTP, the chat wire format, tokenizers or language models: plain records go in and come
//! out, and a vector is a list of numbers to it.
//!
//! # The life of a turn
//!
//! 1. [`Store::accept`] puts the turn into the journal (redb, fsynced). From here it survives a crash; after one it
//!    comes back from [`Store::unread`].
//! 2. [`Store::complete`] puts its main points beside it (fsynced). The turn now counts as read.
//! 3. The flush task writes everything completed into LanceDB in one batch, makes the file system durable and only
//!    then trims the journal. A crash anywhere in between is harmless: a flush skips rows that LanceDB already has.
//!
//! # The ledger
//!
//! The journal's file also holds what was injected into forwarded prompts: small values, opaque to the store, by scope,
//! kind and turn. [`Store::keep`] writes them (fsynced, the first writer wins), [`Store::ledger`] finds them. They never
//! move to LanceDB; they go when their conversation is deleted or has been silent for [`StoreConfig::ledger_age`].
//!
//! # Read your writes
//!
//! Rows between 2 and 3 are visible to every reader. [`Store::read_turns`], [`Store::turns`] and
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
//! # Modules
//!
//! `record` plain records · `config` settings · `error` what can go wrong · `fusion` reciprocal rank fusion (pure) ·
//! `retain` what is kept of a turn's text (pure) · `ledger` what was injected, and what of it expires (pure) ·
//! `schema` and `rows` Arrow · `journal` redb, with the ledger's table · `presence` which turns are known (memory) ·
//! `directory` files · `tables` opening LanceDB · `recovery` broken manifests, `heal` what they took along ·
//! `filter` and `selection` which rows, `search` and `lookup` queries · `writer` flush and background task ·
//! `maintenance` compact, index, prune, expire · `vector_index` for large tables · `delete` deletion · `shared` what
//! they all work on · `store` the handle.

#![forbid(unsafe_code)]

mod config;
mod delete;
mod directory;
mod error;
mod filter;
pub mod fusion;
mod heal;
mod journal;
mod ledger;
mod lookup;
mod maintenance;
mod presence;
mod recent;
mod record;
mod recovery;
mod retain;
mod rows;
mod schema;
mod search;
mod selection;
mod shared;
mod stop_words;
mod store;
mod tables;
mod vector_index;
mod writer;

pub use config::{Retain, StoreConfig};
pub use error::StoreError;
pub use ledger::{LedgerEntry, LedgerKind};
pub use maintenance::{MaintenanceReport, TableMaintenance};
pub use record::{Point, Scope, Span, Turn, TurnId};
pub use search::{Found, Hit, Passage, Ranking, SearchQuery, SearchResult, Snapshot};
pub use selection::Within;
pub use store::{Store, StoreStatus};
