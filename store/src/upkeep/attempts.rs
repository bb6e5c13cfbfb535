//! Logs troubles of background tasks: what an attempt came to.
//!
//! Responsible for: noting what does not work and saying so in the log, once and not every time.

use super::backoff::Backoff;
use crate::error::StoreError;
use crate::state::Shared;
use crate::trouble::{StorePart, one_line};

/// Notes how an attempt went, and says so when that changes.
pub(crate) fn conclude(shared: &Shared, part: StorePart, backoff: &mut Backoff, result: Result<(), StoreError>) {
    match result {
        Ok(()) => {
            backoff.succeeded();
            if let Some(trouble) = shared.troubles.end(part) {
                tracing::info!(
                    part = part.label(),
                    seconds = trouble.seconds(),
                    "the store does again what it could not do"
                );
            }
        }
        Err(StoreError::Closed) => backoff.succeeded(),
        // Said once, where the journal is.
        Err(_) if shared.journal.trouble().is_some() => backoff.failed(),
        Err(error) => {
            let failures = backoff.failures().saturating_add(1);
            backoff.failed();
            let cause = one_line(&error);
            shared.troubles.begin(part, cause.clone());
            // A full disk fails every few seconds: the 1st, 2nd, 4th, 8th … failure in a row is worth a line.
            if failures.is_power_of_two() {
                tracing::warn!(cause, failures, "{}; it is tried again by itself", meaning(part));
            }
        }
    }
}

/// What a failure means for whoever reads the log.
fn meaning(part: StorePart) -> &'static str {
    match part {
        StorePart::Journal => "the journal can't be used",
        StorePart::Tables => {
            "turns that were read can't be written to the tables: the journal keeps them, and searches do not find them yet"
        }
        StorePart::Files => "files of the tables are gone or damaged and can't be repaired; what needs them fails",
        StorePart::Maintenance => {
            "the tables can't be maintained: answers are right, searches get slower, and what was deleted may still be on the disk"
        }
    }
}
