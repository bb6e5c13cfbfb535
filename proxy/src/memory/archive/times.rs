//! Times as clients write them: what can be kept, and written again so that it can be read.

use chrono::{DateTime, Datelike, Utc};

/// What is allowed, for messages.
pub(crate) const ALLOWED_TIME: &str =
    "a time in RFC 3339, such as \"2026-05-08T13:56:00Z\", in the years 0001 to 9999 of UTC";

/// A time in RFC 3339, to the microsecond, as it is kept. None of the years before 0001 and after 9999, which RFC 3339 cannot write: a
/// time at the edge may lie in one of them in UTC.
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let kept = DateTime::from_timestamp_micros(time.timestamp_micros())?;
    (1..=9999).contains(&kept.year()).then_some(kept)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_whose_year_in_utc_cannot_be_written_is_none() {
        for text in [
            "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:60Z",
            "0000-01-01T00:00:00+23:59",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "yesterday",
            "2026-05-08",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        for (text, kept) in [
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("0000-12-31T23:59:59-00:01", "0001-01-01T00:00:59Z"),
            ("2026-05-08T15:56:00+02:00", "2026-05-08T13:56:00Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(text), Some(kept.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_written_so_that_it_is_taken_again(
            year in prop_oneof![0..3_i32, 9998..10_000], day in "(01-01|12-31)", hour in 0..24_u8, second in 0..61_u8,
            sign in "[+-]", offset in 0..24_u8,
        ) {
            let text = format!("{year:04}-{day}T{hour:02}:59:{second:02}{sign}{offset:02}:59");
            if let Some(taken) = time(&text) {
                let written = serde_json::to_value(taken).unwrap();
                prop_assert_eq!(time(written.as_str().unwrap()), Some(taken), "{} {}", text, written);
            }
        }
    }
}
