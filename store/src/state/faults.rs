//! Failures of reading that come again, though every file is there and as long as it was written.
//!
//! Responsible for: telling a failure that does not pass from one that does, remembering when the tables were looked
//! through for one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::trouble::one_line;

/// The same failure twice within this time does not pass by itself.
const WINDOW: Duration = Duration::from_secs(600);
/// So many different failures are remembered.
const MOST: usize = 64;
/// How long the tables are not looked through again after that went well, and after it did not.
const PAUSE: Duration = Duration::from_secs(600);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Failures of reading the tables.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    seen: HashMap<String, Instant>,
    /// A failure that came twice, until the tables have been looked through for it.
    suspicion: Option<String>,
    not_before: Option<Instant>,
}

/// A failure that does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suspicion {
    pub(crate) reason: String,
    /// Whether the tables were looked through so lately that it would help nobody to do it again.
    pub(crate) was_examined: bool,
}

impl Faults {
    /// Notes a failure. True if it is the first one that does not pass.
    pub(crate) fn note(&self, error: &StoreError) -> bool {
        let Some(reason) = suspicious(error) else {
            return false;
        };
        let (mut noted, now) = (self.noted(), Instant::now());
        noted.seen.retain(|_, last| now.duration_since(*last) < WINDOW);
        let comes_again = noted.seen.contains_key(&reason);
        if comes_again || noted.seen.len() < MOST {
            noted.seen.insert(reason.clone(), now);
        }
        let is_first = comes_again && noted.suspicion.is_none();
        if is_first {
            noted.suspicion = Some(reason);
        }
        is_first
    }

    /// The failure that does not pass, if there is one.
    pub(crate) fn suspicion(&self) -> Option<Suspicion> {
        let noted = self.noted();
        let was_examined = noted.not_before.is_some_and(|time| Instant::now() < time);
        noted.suspicion.clone().map(|reason| Suspicion { reason, was_examined })
    }

    /// The tables were looked through, and what was wrong with them is mended.
    pub(crate) fn mended(&self) {
        *self.noted() = Noted { not_before: Instant::now().checked_add(PAUSE), ..Noted::default() };
    }

    /// They could not be looked through, or not mended.
    pub(crate) fn not_mended(&self) {
        self.noted().not_before = Instant::now().checked_add(PAUSE_AFTER_FAILURE);
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a failure says, if it can come of what the files hold: what the system says of them passes, or is noticed otherwise.
fn suspicious(error: &StoreError) -> Option<String> {
    let is_of_content = matches!(error, StoreError::Lance { .. } | StoreError::Unreadable { .. });
    let reason = is_of_content.then(|| one_line(error))?;
    (!is_of_system(&reason)).then_some(reason)
}

/// Whether the words of an error name one of the operating system.
pub(crate) fn is_of_system(reason: &str) -> bool {
    reason.contains("(os error ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(what: &str) -> StoreError {
        StoreError::unreadable(what)
    }

    #[test]
    fn a_failure_is_suspicious_when_it_comes_again_and_is_said_once() {
        let faults = Faults::default();
        assert!(!faults.note(&failure("one")) && !faults.note(&failure("other")));
        assert_eq!(faults.suspicion(), None);
        assert!(faults.note(&failure("one")));
        assert!(!faults.note(&failure("one")) && !faults.note(&failure("other")));
        assert!(faults.suspicion().is_some_and(|found| found.reason.contains("one") && !found.was_examined));
    }

    #[test]
    fn what_comes_again_after_the_tables_were_mended_is_not_looked_into_at_once() {
        let faults = Faults::default();
        faults.note(&failure("one"));
        faults.note(&failure("one"));
        faults.mended();
        assert_eq!(faults.suspicion(), None);
        assert!(!faults.note(&failure("one")), "counted anew");
        faults.note(&failure("one"));
        assert!(faults.suspicion().is_some_and(|found| found.was_examined));
    }

    #[test]
    fn what_the_system_says_and_what_is_asked_wrongly_is_no_damage() {
        let faults = Faults::default();
        let system = std::io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        for _ in 0..3 {
            assert!(
                !faults.note(&StoreError::lance("read rows")(lance::Error::from(std::io::Error::other(
                    system.to_string()
                ))))
            );
            assert!(!faults.note(&StoreError::InvalidQuery { reason: "a limit of 0".to_owned() }));
            assert!(!faults.note(&StoreError::Closed));
        }
        assert_eq!(faults.suspicion(), None);
    }
}
