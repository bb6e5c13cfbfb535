//! How many turns there were when: by days where all of it is a few months, else by months.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::Serialize;

/// What turns are counted by, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Days.
    Day,
    /// Months.
    Month,
}

/// A day or month, and how many turns were said in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    /// Its first day.
    pub(crate) from: NaiveDate,
    /// Turns.
    pub(crate) turns: usize,
}

/// Most days that are counted one by one.
const MOST_DAYS: i64 = 92;

impl Unit {
    /// What fits these times.
    pub(super) fn for_times(times: impl Iterator<Item = DateTime<Utc>> + Clone) -> Self {
        match (times.clone().min(), times.max()) {
            (Some(first), Some(last)) if (last.date_naive() - first.date_naive()).num_days() >= MOST_DAYS => {
                Self::Month
            }
            _ => Self::Day,
        }
    }

    fn beginning(self, time: DateTime<Utc>) -> NaiveDate {
        let day = time.date_naive();
        match self {
            Self::Day => day,
            Self::Month => day.with_day(1).unwrap_or(day),
        }
    }
}

/// Counts, oldest first, without days or months that have none.
pub(super) fn timeline(unit: Unit, times: impl Iterator<Item = DateTime<Utc>>) -> Vec<Count> {
    let mut counts: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    times.for_each(|time| *counts.entry(unit.beginning(time)).or_default() += 1);
    counts.into_iter().map(|(from, turns)| Count { from, turns }).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn days(days: &[i64]) -> Vec<DateTime<Utc>> {
        days.iter().map(|day| DateTime::UNIX_EPOCH + TimeDelta::days(*day)).collect()
    }

    fn shown(times: &[DateTime<Utc>]) -> Vec<(String, usize)> {
        let unit = Unit::for_times(times.iter().copied());
        timeline(unit, times.iter().copied()).into_iter().map(|count| (count.from.to_string(), count.turns)).collect()
    }

    #[test]
    fn a_few_weeks_are_counted_by_days_and_years_by_months() {
        let expected = [("1970-01-01".to_owned(), 2), ("1970-01-04".to_owned(), 1)];
        assert_eq!(shown(&days(&[3, 0, 0])), expected);
        let expected = [("1970-01-01".to_owned(), 2), ("1971-01-01".to_owned(), 1)];
        assert_eq!(shown(&days(&[0, 370, 30])), expected);
        assert_eq!(Unit::for_times(days(&[0, MOST_DAYS - 1]).into_iter()), Unit::Day);
        assert_eq!(Unit::for_times(days(&[MOST_DAYS, 0]).into_iter()), Unit::Month);
        assert!(shown(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_turn_is_counted_once_and_the_counts_are_in_order(
            minutes in prop::collection::vec(-50_000_000_i64..50_000_000, 0..40), span in 1_i64..50_000_000,
        ) {
            let times: Vec<_> =
                minutes.iter().map(|minute| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute % span)).collect();
            for unit in [Unit::Day, Unit::Month, Unit::for_times(times.iter().copied())] {
                let counts = timeline(unit, times.iter().copied());
                prop_assert_eq!(counts.iter().map(|count| count.turns).sum::<usize>(), times.len());
                prop_assert!(counts.windows(2).all(|pair| pair[0].from < pair[1].from));
                prop_assert!(counts.iter().all(|count| count.turns > 0));
            }
        }
    }
}
