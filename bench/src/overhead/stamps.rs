//! The moment at which a chunk was sent, written into the chunk and found again by its reader.
//!
//! Both ends run on one host and read the same clock. It must not know HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

const MARK: &str = "sent-at-";

/// Nanoseconds since 1970.
#[must_use]
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The text that says that something was sent at `nanoseconds` since 1970.
#[must_use]
pub(super) fn stamp(nanoseconds: u64) -> String {
    format!("{MARK}{nanoseconds};")
}

/// When the text was sent, in nanoseconds since 1970, if it says so.
#[must_use]
pub(super) fn sent_at(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(MARK)?;
    let (digits, _) = rest.split_once(';')?;
    digits.parse().ok()
}

/// Milliseconds from one moment to another, both in nanoseconds since 1970; 0 if the clock went back.
#[must_use]
pub(super) fn milliseconds(from: u64, to: u64) -> f64 {
    std::time::Duration::from_nanos(to.saturating_sub(from)).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_inside_of_other_text() {
        let text = format!(
            "data: {{\"content\":\"{} and more\"}}",
            stamp(1_700_000_000_123_456_789)
        );
        assert_eq!(sent_at(&text), Some(1_700_000_000_123_456_789));
        for other in ["", "data: [DONE]", "sent-at-", "sent-at-12", "sent-at-x;"] {
            assert_eq!(sent_at(other), None, "{other}");
        }
    }

    #[test]
    fn delays_are_in_milliseconds_and_never_negative() {
        assert!((milliseconds(1_000_000, 3_500_000) - 2.5).abs() < 1e-9);
        assert!(milliseconds(5, 4) < 1e-9);
    }
}
