//! The turns of one conversation that are to be read, cut into stretches that are read together.
//!
//! It must not read or store anything.

use std::collections::HashSet;
use std::ops::Range;

use mainpoint_store::{Turn, TurnId};

/// Consecutive turns of one conversation, oldest first, and which of them are to be read.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) turns: Vec<Turn>,
    pub(super) wanted: HashSet<TurnId>,
}

impl Job {
    /// Stretches of consecutive wanted turns of at most `tokens` tokens, or of one turn.
    pub(super) fn chunks(&self, tokens: usize) -> Vec<Range<usize>> {
        let mut chunks: Vec<Range<usize>> = Vec::new();
        let mut filled = 0;
        for (at, turn) in self.turns.iter().enumerate() {
            if !self.wanted.contains(&turn.id) {
                continue;
            }
            let cost = turn.tokens as usize;
            match chunks.last_mut() {
                Some(last) if last.end == at && filled + cost <= tokens => {
                    last.end = at + 1;
                    filled += cost;
                }
                _ => {
                    chunks.push(at..at + 1);
                    filled = cost;
                }
            }
        }
        chunks
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use chrono::DateTime;
    use mainpoint_store::Scope;

    use super::*;

    fn turn(number: u8) -> Turn {
        Turn {
            id: TurnId([number; 16]),
            parent: None,
            conversation: TurnId([0; 16]),
            scope: Scope::new("k-a").unwrap(),
            position: u32::from(number),
            role: "user".to_owned(),
            text: "text".to_owned(),
            time: DateTime::UNIX_EPOCH,
            tokens: 10,
        }
    }

    #[test]
    fn consecutive_unread_turns_share_a_chunk_up_to_its_size() {
        let job = Job {
            turns: (0..7).map(turn).collect(),
            wanted: [1, 2, 3, 5, 6].map(|number| TurnId([number; 16])).into(),
        };
        assert_eq!(job.chunks(20), [1..3, 3..4, 5..7]);
        assert_eq!(job.chunks(1), [1..2, 2..3, 3..4, 5..6, 6..7]);
        assert_eq!(job.chunks(1000), [1..4, 5..7]);
    }
}
