//! Turns on their way to the reader, joined so that one pass reads many of them.
//!
//! It must not read or store anything.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use mainpoint_store::{Scope, Turn, TurnId};

/// Consecutive turns of one conversation, oldest first, and which of them are to be read.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) scope: Scope,
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

    /// Takes over `later` if it goes on where this job ends; gives it back otherwise.
    fn join(&mut self, mut later: Self) -> Option<Self> {
        let last = self.turns.last().map(|turn| turn.id);
        let seam = later.turns.iter().position(|turn| Some(turn.id) == last);
        match seam {
            Some(seam) if self.scope == later.scope => {
                let own = |turn: &Turn| !later.wanted.contains(&turn.id) || self.turns.iter().any(|t| t.id == turn.id);
                if !later.turns.iter().take(seam + 1).all(own) {
                    return Some(later);
                }
                self.turns.extend(later.turns.drain(seam + 1..));
                self.wanted.extend(later.wanted);
                None
            }
            _ => Some(later),
        }
    }
}

/// Jobs that wait for the reader, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<Job>);

impl Waiting {
    /// Adds a job to one that it continues, or behind all others.
    pub(super) fn add(&mut self, job: Job) {
        let mut job = Some(job);
        for earlier in &mut self.0 {
            let Some(later) = job.take() else { return };
            job = earlier.join(later);
        }
        self.0.extend(job);
    }

    /// Whether this many jobs wait.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.0.len() >= limit
    }

    /// The job that has waited longest.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.0.pop_front()
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use chrono::DateTime;

    use super::*;

    pub(in super::super) fn turn(number: u8, parent: Option<u8>, tokens: u32) -> Turn {
        Turn {
            id: TurnId([number; 16]),
            parent: parent.map(|parent| TurnId([parent; 16])),
            conversation: TurnId([0; 16]),
            scope: Scope::new("k-a").unwrap(),
            position: u32::from(number),
            role: "user".to_owned(),
            text: "text".to_owned(),
            time: DateTime::UNIX_EPOCH,
            tokens,
        }
    }

    fn job(turns: Range<u8>, wanted: &[u8]) -> Job {
        let turns = turns.map(|number| turn(number, None, 10)).collect();
        Job {
            scope: Scope::new("k-a").unwrap(),
            turns,
            wanted: wanted.iter().map(|number| TurnId([*number; 16])).collect(),
        }
    }

    fn order(job: &Job) -> Vec<u32> {
        job.turns.iter().map(|turn| turn.position).collect()
    }

    #[test]
    fn consecutive_unread_turns_share_a_chunk_up_to_its_size() {
        let job = job(0..7, &[1, 2, 3, 5, 6]);
        assert_eq!(job.chunks(20), [1..3, 3..4, 5..7]);
        assert_eq!(job.chunks(1), [1..2, 2..3, 3..4, 5..6, 6..7]);
        assert_eq!(job.chunks(1000), [1..4, 5..7]);
    }

    #[test]
    fn what_continues_a_waiting_job_is_read_with_it() {
        let mut waiting = Waiting::default();
        waiting.add(job(0..3, &[2]));
        waiting.add(job(50..52, &[51]));
        waiting.add(job(1..4, &[3]));
        waiting.add(job(2..6, &[4, 5]));
        let joined = waiting.next().unwrap();
        assert_eq!(order(&joined), [0, 1, 2, 3, 4, 5]);
        assert_eq!(joined.chunks(1000).first(), Some(&(2..6)));
        assert_eq!(order(&waiting.next().unwrap()), [50, 51]);
        assert!(waiting.next().is_none());
    }

    #[test]
    fn a_branch_or_a_turn_that_would_be_lost_is_not_joined() {
        let mut waiting = Waiting::default();
        waiting.add(job(2..4, &[3]));
        // It wants a turn from before the earlier job begins.
        waiting.add(job(1..5, &[1, 4]));
        let mut other_scope = job(3..5, &[4]);
        other_scope.scope = Scope::new("k-b").unwrap();
        waiting.add(other_scope);
        assert_eq!(order(&waiting.next().unwrap()), [2, 3]);
        assert_eq!(order(&waiting.next().unwrap()), [1, 2, 3, 4]);
        assert_eq!(order(&waiting.next().unwrap()), [3, 4]);
    }
}
