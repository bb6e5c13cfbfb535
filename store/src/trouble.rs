//! What does not work at the moment.
//!
//! Responsible for: naming it, remembering since when, saying what came to an end.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

/// A part of the store that can be out of order by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StorePart {
    /// Takes turns and readings in, and keeps the ledger. Without it nothing is kept and nothing is recalled.
    Journal,
    /// The tables in LanceDB. What cannot be written there waits in the journal, and searches do not find it yet.
    Tables,
    /// Compacts, indexes and prunes. Without it answers are right, but slower, and what was deleted may still be on the disk.
    Maintenance,
    /// Files of the tables that are gone or damaged, as long as that can't be repaired. What needs them fails.
    Files,
}

impl StorePart {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Journal, Self::Tables, Self::Maintenance, Self::Files];

    /// A short, stable name for metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Tables => "tables",
            Self::Maintenance => "maintenance",
            Self::Files => "files",
        }
    }
}

/// Something that does not work at the moment. It is tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What does not work.
    pub part: StorePart,
    /// Why, on one line.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Trouble {
    pub(crate) fn new(part: StorePart, reason: String) -> Self {
        Self { part, reason, since: Utc::now() }
    }

    /// For how long it has lasted, in seconds.
    pub(crate) fn seconds(&self) -> i64 {
        (Utc::now() - self.since).num_seconds()
    }
}

/// The troubles of all parts but the journal, which knows its own.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<[Option<Trouble>; 3]>);

impl Troubles {
    /// Notes that a part does not work. True if it did until now.
    pub(crate) fn begin(&self, part: StorePart, reason: String) -> bool {
        let mut troubles = self.troubles();
        let Some(slot) = place(part).and_then(|place| troubles.get_mut(place)) else {
            return false;
        };
        match slot {
            Some(trouble) => {
                trouble.reason = reason;
                false
            }
            None => {
                *slot = Some(Trouble::new(part, reason));
                true
            }
        }
    }

    /// Notes that a part works, and returns the trouble that it had until now.
    pub(crate) fn end(&self, part: StorePart) -> Option<Trouble> {
        self.troubles().get_mut(place(part)?)?.take()
    }

    /// Whether a part has trouble.
    pub(crate) fn has(&self, part: StorePart) -> bool {
        place(part).is_some_and(|place| self.troubles().get(place).is_some_and(Option::is_some))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Trouble> {
        self.troubles().iter().flatten().cloned().collect()
    }

    fn troubles(&self) -> MutexGuard<'_, [Option<Trouble>; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes on one line; a cause whose text is in the line already is not repeated.
pub(crate) fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn place(part: StorePart) -> Option<usize> {
    match part {
        StorePart::Journal => None,
        StorePart::Tables => Some(0),
        StorePart::Maintenance => Some(1),
        StorePart::Files => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_begins_once_keeps_its_beginning_and_ends_once() {
        let troubles = Troubles::default();
        assert!(troubles.begin(StorePart::Tables, "full".to_owned()));
        let since = troubles.all().first().map(|trouble| trouble.since);
        assert!(!troubles.begin(StorePart::Tables, "still full".to_owned()));
        let now = troubles.all();
        assert_eq!(now.first().map(|trouble| trouble.since), since);
        assert_eq!(now.first().map(|trouble| trouble.reason.as_str()), Some("still full"));
        assert!(troubles.has(StorePart::Tables) && !troubles.has(StorePart::Maintenance));
        assert!(troubles.end(StorePart::Tables).is_some());
        assert!(troubles.end(StorePart::Tables).is_none());
        assert!(troubles.all().is_empty());
    }
}
