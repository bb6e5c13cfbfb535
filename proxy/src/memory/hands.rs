//! Reads what waits, slice by slice: each hand takes what the backlog gives it, looks the words up in the journal and has them
//! read.
//!
//! It must not know in which order scopes are served, nor how turns are read.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use mainpoint_store::{Scope, Turn, TurnId};
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Hand, Slice};
use super::reader::Reader;
use super::unreadable::{self, is_about_the_text};
use crate::error::MemoryError;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// One that reads, slice after slice.
#[derive(Clone)]
pub(super) struct Reads {
    pub(super) reader: Reader,
    pub(super) backlog: Arc<Backlog>,
    pub(super) warnings: Arc<OncePerMinute>,
    pub(super) stop: CancellationToken,
}

/// Those hands that read at the same time: one for what is quickly read, and some for turns that take long, so that these are
/// read beside the others and not before them.
pub(super) const HANDS: [Hand; 3] = [Hand::Quick, Hand::Patient, Hand::Patient];

impl Reads {
    /// Reads until told to stop, and ends the slice that it is at first unless that takes long; what is left is in the journal.
    pub(super) async fn run(self, hand: Hand) {
        let mut failures = 0_u32;
        loop {
            let slice = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                slice = self.backlog.next(hand) => slice,
            };
            let result = tokio::select! {
                biased;
                result = self.slice(&slice) => result,
                () = self.grace_after_stop() => return,
            };
            failures = match result {
                Ok(()) => 0,
                Err(error) => {
                    self.report(&error);
                    failures.saturating_add(1)
                }
            };
            drop(slice);
            if failures > 0 {
                let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
                // Whether the time is over or all is stopped, the loop goes on.
                let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
            }
        }
    }

    async fn grace_after_stop(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    /// Reads a slice. What is left of it after an error waits again.
    async fn slice(&self, slice: &Slice) -> Result<(), MemoryError> {
        let store = &self.reader.store;
        let read = store.read_turns(&slice.scope, &slice.turns).await?;
        let known: Vec<TurnId> = read.iter().copied().collect();
        self.backlog.settle(&slice.scope, &known);

        let asked: Vec<TurnId> = slice.previous.into_iter().chain(slice.turns.iter().copied()).collect();
        let found = store.turns(&slice.scope, &asked).await?;
        let is_there = |name: &TurnId| found.iter().any(|turn| turn.id == *name);
        // What is gone was deleted meanwhile.
        let gone = slice.turns.iter().filter(|name| !is_there(name));
        let gone: Vec<(Scope, TurnId)> = gone.map(|name| (slice.scope.clone(), *name)).collect();
        self.backlog.forget(&gone);
        for stretch in stretches(&found, |turn| {
            slice.turns.contains(&turn.id) && !read.contains(&turn.id)
        }) {
            self.stretch(&found, stretch).await?;
        }
        Ok(())
    }

    /// Reads consecutive turns. If that fails for a reason of one of them, the others are still read.
    async fn stretch(&self, found: &[Turn], stretch: Range<usize>) -> Result<(), MemoryError> {
        let error = match self.read(found, stretch.clone()).await {
            Err(error) if is_about_the_text(&error) => error,
            result => return result,
        };
        if stretch.len() == 1 {
            return self.give_up(found, stretch, &error).await;
        }
        for at in stretch {
            match self.read(found, at..at + 1).await {
                Err(error) if is_about_the_text(&error) => self.give_up(found, at..at + 1, &error).await?,
                result => result?,
            }
        }
        Ok(())
    }

    async fn read(&self, found: &[Turn], stretch: Range<usize>) -> Result<(), MemoryError> {
        let turns = found.get(stretch.clone()).unwrap_or_default();
        let Some(first) = turns.first() else { return Ok(()) };
        // It is only there if it is the turn before: nothing else is asked for.
        let previous = found.iter().find(|turn| Some(turn.id) == first.parent);
        self.reader.read(turns, previous).await?;
        self.backlog.settle(&first.scope, &names(turns));
        Ok(())
    }

    /// Such a turn is not read again and again; it stays in the prompt.
    async fn give_up(&self, found: &[Turn], stretch: Range<usize>, error: &MemoryError) -> Result<(), MemoryError> {
        for turn in found.get(stretch).unwrap_or_default() {
            unreadable::mark(&self.reader.store, turn, error).await?;
            self.backlog.settle(&turn.scope, &[turn.id]);
            self.report(error);
        }
        Ok(())
    }

    fn report(&self, error: &MemoryError) {
        let label = error.label();
        metrics::failure(label);
        if self.warnings.allows(label) {
            if is_about_the_text(error) {
                tracing::warn!(kind = label, error = %error, "a turn cannot be read; it stays in its prompt");
            } else {
                tracing::warn!(kind = label, error = %error, "turns wait in the journal until they can be read");
            }
        }
    }
}

/// Where those of `turns` that are wanted follow one another without a gap.
fn stretches(turns: &[Turn], is_wanted: impl Fn(&Turn) -> bool) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for (at, turn) in turns.iter().enumerate().filter(|(_, turn)| is_wanted(turn)) {
        let before = at.checked_sub(1).and_then(|before| turns.get(before));
        let follows = before.is_some_and(|before| turn.parent == Some(before.id));
        match stretches.last_mut() {
            Some(last) if last.end == at && follows => last.end = at + 1,
            _ => stretches.push(at..at + 1),
        }
    }
    stretches
}

fn names(turns: &[Turn]) -> Vec<TurnId> {
    turns.iter().map(|turn| turn.id).collect()
}

/// How long a slice that is being read may still take after a stop; a long turn takes minutes.
const GRACE: Duration = Duration::from_secs(1);
/// The pause after a failure, twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use chrono::DateTime;

    use super::*;

    fn turn(number: u8, parent: Option<u8>) -> Turn {
        Turn {
            id: TurnId([number; 16]),
            parent: parent.map(|parent| TurnId([parent; 16])),
            conversation: TurnId([0; 16]),
            scope: Scope::new("k-a").unwrap(),
            position: u32::from(number),
            role: "user".to_owned(),
            text: "text".to_owned(),
            time: DateTime::UNIX_EPOCH,
            tokens: 1,
        }
    }

    #[test]
    fn turns_are_read_together_only_where_each_follows_the_one_before() {
        let turns: Vec<Turn> = [
            (0, None),
            (1, Some(0)),
            (2, Some(1)),
            (4, Some(3)),
            (5, Some(4)),
            (6, Some(5)),
        ]
        .map(|(number, parent)| turn(number, parent))
        .to_vec();
        assert_eq!(stretches(&turns, |turn| turn.id.0[0] != 0), [1..3, 3..6]);
        assert_eq!(stretches(&turns, |turn| turn.id.0[0] != 5), [0..3, 3..4, 5..6]);
    }
}
