//! Which conversations the ledger forgets.
//!
//! Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::records::ConversationId;

/// A conversation and the scope that it is in.
pub(crate) type ScopedConversation = (String, ConversationId);

/// Those conversations whose newest entry is older than `age`, from all entries: each one's conversation and the time
/// when it was written, in microseconds since 1970.
pub(crate) fn expired<E>(
    written: impl Iterator<Item = Result<(ScopedConversation, i64), E>>,
    now: DateTime<Utc>,
    age: Duration,
) -> Result<HashSet<ScopedConversation>, E> {
    let mut newest: HashMap<ScopedConversation, i64> = HashMap::new();
    for entry in written {
        let (conversation, micros) = entry?;
        let known = newest.entry(conversation).or_insert(micros);
        *known = micros.max(*known);
    }
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let oldest = now.timestamp_micros().saturating_sub(age);
    newest.retain(|_, micros| *micros < oldest);
    Ok(newest.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const AGE: Duration = Duration::from_micros(100);

    /// Those of the conversations `(scope, number, microseconds)` that have expired, in order.
    fn expired_at(now: i64, age: Duration, written: &[(&str, u8, i64)]) -> Vec<(String, u8)> {
        let entry = |&(scope, number, micros): &(&str, u8, i64)| {
            Ok::<_, Infallible>(((scope.to_owned(), ConversationId([number; 16])), micros))
        };
        let now = DateTime::from_timestamp_micros(now).unwrap_or_default();
        let Ok(expired) = expired(written.iter().map(entry), now, age);
        let mut expired: Vec<_> = expired.into_iter().map(|(scope, id)| (scope, id.0[0])).collect();
        expired.sort();
        expired
    }

    #[test]
    fn a_conversation_expires_when_its_newest_entry_is_older_than_the_age() {
        let written = [("s", 1, 0), ("s", 1, 1_000), ("s", 1, 500), ("s", 2, 999), ("s", 3, 0)];
        assert_eq!(expired_at(1_100, AGE, &written), [("s".to_owned(), 2), ("s".to_owned(), 3)]);
        assert_eq!(expired_at(1_101, AGE, &written).len(), 3);
        assert!(expired_at(100, AGE, &written).is_empty());
    }

    #[test]
    fn the_same_conversation_in_another_scope_expires_by_itself() {
        let written = [("old", 1, 0), ("new", 1, 1_000)];
        assert_eq!(expired_at(1_050, AGE, &written), [("old".to_owned(), 1)]);
    }

    #[test]
    fn nothing_expires_after_a_clock_set_back_or_within_an_endless_age() {
        let written = [("s", 1, 0), ("s", 2, 5_000)];
        assert!(expired_at(-1_000, AGE, &written).is_empty());
        assert!(expired_at(1_000_000, Duration::MAX, &written).is_empty());
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_an_error() {
        let written = [Ok((("s".to_owned(), ConversationId([1; 16])), 0)), Err("unreadable")];
        assert_eq!(expired(written.into_iter(), DateTime::default(), AGE), Err("unreadable"));
    }
}
