//! What can be wrong with the journal's file, and what the log says of it.

use crate::error::StoreError;
use crate::trouble::{StorePart, Trouble};

/// What is wrong with the file.
pub(super) enum FileFault {
    /// It is not under its name any more.
    Gone(String),
    /// It cannot be used any more.
    Failed(String),
    /// There was no space for what was to be written to it.
    Full(String),
}

/// Says that the journal is out of order.
pub(super) fn begin_trouble(reason: String) -> Trouble {
    tracing::error!(
        reason,
        "the journal is out of order: new turns and readings are not kept and nothing is recalled until it works again. \
         What was kept before stays. Requests pass as they are; it is tried again by itself"
    );
    Trouble::new(StorePart::Journal, reason)
}

/// Says that it works again.
pub(super) fn say_working(trouble: &Trouble) {
    tracing::info!(
        seconds = trouble.seconds(),
        "the journal works again; turns are kept and memories recalled from now on"
    );
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        Self::JournalDown { reason: trouble.reason }
    }
}
