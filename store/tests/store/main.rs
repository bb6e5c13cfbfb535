//! The store as its users see it, on real LanceDB in temporary directories.
//!
//! Responsible for: every public promise of the crate. One binary, so that LanceDB is linked once.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod damage;
mod deletion;
mod disk;
mod durability;
mod everything;
mod examination;
mod forgetting;
mod forks;
mod full_disk;
mod handles;
mod ledger;
mod lookup;
mod maintenance;
mod migration;
mod opening;
mod recovery;
mod refusal;
mod retention;
mod said_again;
mod said_plainly;
mod search;
mod sketches;
mod support;
mod told_by_time;
