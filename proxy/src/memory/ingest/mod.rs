//! Turns on their way in: into the journal, to the reader when it is their turn, and into the store.
//!
//! It must not know requests, nor how memories are found.

mod backlog;
mod importing;
mod job;
mod keeping;
mod points;
mod queue;
mod reader;
mod reading;
mod resume;
mod traffic;
mod unreadable;
mod worker;

pub(crate) use importing::{Imported, Importing};
pub(crate) use keeping::Kept;
pub use points::capitalised;
pub(crate) use reading::Reading;
pub(crate) use traffic::Passing;
