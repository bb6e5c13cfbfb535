//! Whether a request goes on with a conversation that it meets.
//!
//! Responsible for: the rule. Pure. It must not know redb, nor what turns say: whoever has the words tells which turn of a request
//! says again what stands in its place.
//!
//! A request whose beginning is a conversation's goes on with it. Else the two share some turns in a row, and these may be stock
//! phrases: a question that is asked of every document and what is always answered first. Two chats that are taken for one are
//! worse than one that is taken for two, so that what is left open by the rule is another conversation.

use super::conversations::MeetingPoint;
use crate::records::{TurnId, TurnKind, TurnPlace};

/// A request beside a conversation, back from a turn that both have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// The place in the request of the last turn that both have.
    pub(crate) at: usize,
    /// Its place in the conversation.
    pub(crate) place: TurnPlace,
    /// What the conversation has for the request's turns, from `at` back without a break, as far as the two were compared.
    pub(crate) beside: Vec<Beside>,
    /// How many turns the conversation has after the meeting; those after the second are not counted.
    pub(crate) after: usize,
    /// How many turns the request has after it.
    pub(crate) new: usize,
    /// Places in the request of turns before the meeting that the conversation has nowhere before it.
    pub(crate) absent: Vec<usize>,
}

/// What a conversation has where a request has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// The same turn, at this position.
    Same(u32, TurnKind),
    /// One that was deleted, which speaks neither for nor against.
    Gap,
    /// Another one, at this position.
    Other(u32, TurnId),
}

/// How well a request goes on with a conversation; of several the greatest is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fit {
    /// Whether the run is the beginning of both, or long: few turns in the middle say less than a beginning.
    is_strong: bool,
    /// Turns in a row that both have.
    pub(crate) run: usize,
    /// Whether the run is the beginning of both.
    pub(crate) is_whole: bool,
    /// Whether no turn of the run only says again what another one said.
    is_exact: bool,
    /// Where it ends in the request.
    at: usize,
}

impl Fit {
    /// Whether the request has all that the conversation has up to the meeting, word for word.
    pub(crate) fn is_exact(self) -> bool {
        self.is_whole && self.is_exact
    }
}

/// Turns in a row that tell a conversation though it goes on after them, or though all of them are short.
const LONG: usize = 4;

impl Meeting {
    /// Whether the request goes on with the conversation, and how well, where `says_again` tells whether the turn at a place of the
    /// request says what this turn said.
    pub(crate) fn fit(&self, says_again: impl Fn(usize, TurnId) -> bool) -> Option<Fit> {
        let run = self.run(says_again);
        let is_whole = run.covered_from == 0 && run.reached == Some(0);
        let goes_on = match is_whole {
            true => run.restated == 0 || run.answers > 0,
            false => self.goes_on(&run),
        };
        let is_strong = is_whole || run.is_long();
        let is_exact = run.restated == 0;
        goes_on.then_some(Fit { is_strong, run: run.same + run.restated, is_whole, is_exact, at: self.at })
    }

    /// The turns whose words decide where the run begins, with the places in the request that are beside them.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, TurnId)> {
        self.beside.iter().enumerate().filter_map(|(back, beside)| match beside {
            Beside::Other(_, known) => Some((self.at.checked_sub(back)?, *known)),
            _ => None,
        })
    }

    fn run(&self, says_again: impl Fn(usize, TurnId) -> bool) -> Run {
        let begin = self.place.position.saturating_add(1);
        let mut run = Run { begin, begins_at: self.at + 1, covered_from: self.at + 1, ..Run::default() };
        for (back, beside) in self.beside.iter().enumerate() {
            let Some(at) = self.at.checked_sub(back) else { break };
            match *beside {
                Beside::Same(position, kind) => {
                    run.same += 1;
                    run.said += usize::from(kind != TurnKind::Routine);
                    run.routine += usize::from(kind == TurnKind::Routine);
                    run.answers += usize::from(kind.is_answer());
                    run.telling += usize::from(kind.is_telling());
                    run.reach(at, position);
                }
                Beside::Gap => run.reached = None,
                Beside::Other(position, known) if says_again(at, known) => {
                    run.restated += 1;
                    run.said += 1;
                    run.reach(at, position);
                }
                Beside::Other(..) => break,
            }
            run.covered_from = at;
        }
        run
    }

    /// The rule for a run that is not the beginning of both.
    fn goes_on(&self, run: &Run) -> bool {
        let meets_answer = matches!(self.beside.first(), Some(Beside::Same(_, kind)) if kind.is_answer());
        // A question that was never answered may have been put otherwise.
        let reaches_end = self.after == 0 || (self.after == 1 && meets_answer);
        if !reaches_end && !run.is_long() {
            return false;
        }
        let absent_before = |at: usize| self.absent.iter().filter(|absent| **absent < at).count();
        let (unknown, uncovered) = (absent_before(run.begins_at), absent_before(run.covered_from));
        if unknown == 0 {
            let has_reply = run.answers > 0 || run.routine > 0;
            let is_enough = match run.covered_from {
                // A window that has slid.
                0 => run.restated > 0 || run.said >= LONG || (run.same >= 2 && run.telling > 0),
                // What stands in front is said elsewhere in the conversation: its first message, which the window keeps.
                _ => run.is_long(),
            };
            return run.begin > 0 && run.said > 0 && has_reply && is_enough;
        }
        // Something stands for the beginning that the request lacks. Nobody knows what stood where turns were deleted.
        let lacks = if uncovered == 0 { usize::MAX } else { run.begin as usize };
        match () {
            () if uncovered >= lacks || run.answers == 0 => false,
            () if run.is_long() => reaches_end || run.telling >= 2,
            // Who sends again what was sent, or sums up as little as this, may as well be in another chat.
            () if self.new == 0 || uncovered.saturating_mul(2) >= lacks => false,
            () => (run.said >= 3 && run.telling > 0) || (run.said >= 2 && run.telling >= 2),
        }
    }
}

/// Turns whose words decide which of several meetings is meant; none where that is decided without.
pub(crate) fn undecided(meetings: &[Meeting]) -> Vec<TurnId> {
    let certain = meetings.iter().filter_map(|meeting| meeting.fit(|_, _| false)).max();
    let open = meetings.iter().filter(|meeting| meeting.fit(|_, _| true) > certain);
    let mut turns: Vec<TurnId> = open.flat_map(Meeting::others).map(|(_, known)| known).collect();
    turns.sort_unstable();
    turns.dedup();
    turns
}

/// The meeting that fits best; of several the first, which is that with the newest conversation.
pub(crate) fn best(meetings: &[Meeting], says_again: impl Fn(usize, TurnId) -> bool) -> Option<MeetingPoint> {
    let mut best: Option<(Fit, &Meeting)> = None;
    for meeting in meetings {
        let Some(fit) = meeting.fit(&says_again) else { continue };
        if best.is_none_or(|(best, _)| fit > best) {
            best = Some((fit, meeting));
        }
    }
    best.map(|(fit, meeting)| MeetingPoint { at: meeting.at, place: meeting.place, is_whole: fit.is_exact() })
}

/// Turns in a row that both have, as far as the words of some turns are told.
#[derive(Debug, Default)]
struct Run {
    /// Turns that are the same.
    same: usize,
    /// Turns that say again what stands in their place.
    restated: usize,
    /// Of all these, those that somebody said: calls and their results alone tell no conversation.
    said: usize,
    /// Of the same, the others.
    routine: usize,
    /// Of the same, answers.
    answers: usize,
    /// Of the same, long ones.
    telling: usize,
    /// Where it begins in the request.
    begins_at: usize,
    /// Where it begins in the conversation: so many turns are before it, or were.
    begin: u32,
    /// The same as `begins_at` with the turns before it that stand in the place of deleted ones.
    covered_from: usize,
    /// The position of what was compared last, unless that was deleted.
    reached: Option<u32>,
}

impl Run {
    fn is_long(&self) -> bool {
        self.said >= LONG && self.telling + self.restated > 0
    }

    fn reach(&mut self, at: usize, position: u32) {
        (self.begins_at, self.begin, self.reached) = (at, position, Some(position));
    }
}
