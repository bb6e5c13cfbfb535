//! Somebody who talks to the proxy steadily.
//!
//! It must not know what is counted meanwhile.

use std::time::{Duration, Instant};

use crate::BenchError;
use crate::running::client::{Caller, Client};

/// So many turns make a conversation; it has outgrown the budget long before.
const TURNS: usize = 60;
/// A turn every so often, so that each second brings new rows.
const PACE: Duration = Duration::from_millis(500);

/// Talks until the end, one conversation after the other.
///
/// # Errors
/// As [`Client::say`].
pub(super) async fn talk(url: String, end: Instant) -> Result<(), BenchError> {
    let caller = || Caller {
        model: "m".to_owned(),
        key: Some("k".to_owned()),
        reply_tokens: None,
    };
    for conversation in 0_usize.. {
        let mut client = Client::new(caller(), "You keep notes about birds.");
        for turn in 0..TURNS {
            if Instant::now() >= end {
                return Ok(());
            }
            client.say(&url, &line(conversation, turn)).await?;
            tokio::time::sleep(PACE).await;
        }
    }
    Ok(())
}

/// What is said in a turn; no two are alike, and every third one asks about an earlier one.
fn line(conversation: usize, turn: usize) -> String {
    match turn % 3 {
        2 => format!(
            "Where was heron{conversation}x{} seen, and what did it do there?",
            turn / 2
        ),
        _ => format!(
            "On day {turn} of walk {conversation} heron{conversation}x{turn} stood by pond {} and caught {} fish before noon.",
            turn * 7 % 31,
            turn % 5 + 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_turns_are_alike() {
        let lines: HashSet<String> = (0..5)
            .flat_map(|conversation| (0..TURNS).map(move |turn| line(conversation, turn)))
            .collect();
        assert_eq!(lines.len(), 5 * TURNS);
    }
}
