//! Turns that are older than they may be.
//!
//! Responsible for: which ones they are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::deletion;
use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{columns, filter, tables};
use crate::records::{Deletion, Extent, Scope};
use crate::state::Shared;

/// Deletes the turns of all scopes that were said last longer ago than [`StoreConfig::retain_for`](crate::StoreConfig::retain_for)
/// says, and returns how many.
pub(crate) async fn expire(shared: &Arc<Shared>, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let Some(before) = shared.config.retain_for.and_then(|age| limit(now, age)) else {
        return Ok(0);
    };
    let mut expired = 0;
    for scope in scopes_with_older(shared, before).await? {
        let deleted = deletion::delete(shared, Deletion { scope, extent: Extent::Before(before) }).await?;
        expired += deleted.len() as u64;
    }
    Ok(expired)
}

/// What was said last before this is too old; `None` where nothing can be.
fn limit(now: DateTime<Utc>, age: Duration) -> Option<DateTime<Utc>> {
    let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    today.checked_sub_signed(TimeDelta::from_std(age).ok()?)
}

async fn scopes_with_older(shared: &Arc<Shared>, before: DateTime<Utc>) -> Result<BTreeSet<Scope>, StoreError> {
    let (pending, mut scopes) = shared
        .blocking(move |shared| Ok((shared.journal.older(before)?, shared.journal.scopes_said_before(before)?)))
        .await?;
    scopes.extend(pending.into_iter().map(|(scope, _)| scope));
    let _reading = shared.gate.read().await;
    for batch in tables::rows(&shared.tables().turns, filter::before(before), &[column::SCOPE], None).await? {
        let mut names: Vec<&str> = columns::strings(&batch, column::SCOPE)?.iter().flatten().collect();
        names.dedup();
        for name in names {
            scopes.insert(Scope::new(name)?);
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn age_is_counted_from_the_beginning_of_the_day() {
        let day = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let week = Duration::from_secs(7 * 86_400);
        for now in ["2026-03-10T00:00:00Z", "2026-03-10T23:59:59Z"] {
            assert_eq!(limit(day(now), week), Some(day("2026-03-03T00:00:00Z")));
        }
        assert_eq!(limit(day("2026-03-10T12:00:00Z"), Duration::MAX), None);
    }
}
