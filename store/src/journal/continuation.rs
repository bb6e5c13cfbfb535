//! Whether a request goes on with a conversation that it meets.
//!
//! Responsible for: the rule. Pure. It must not know redb, nor what turns say: whoever has the words tells which turn of a request
//! says again what stands in its place.
//!
//! A request whose beginning is a conversation's goes on with it. Else the two share some turns in a row, and these may be stock
//! phrases: a question that is asked of every document, what is always answered first, examples that are sent with every question.
//! Two chats that are taken for one are worse than one that is taken for two, so that what is left open by the rule is another
//! conversation.

use std::collections::HashSet;

use super::conversations::MeetingPoint;
use crate::records::{ConversationId, TurnId, TurnKind, TurnPlace};

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
    /// How many of them are answers with something behind them. A conversation that ends with the meeting would have them.
    pub(crate) new_answers: usize,
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
    strength: Strength,
    /// Turns in a row that both have.
    pub(crate) run: usize,
    /// Whether the run is the beginning of both.
    pub(crate) is_whole: bool,
    /// Whether no turn of the run only says again what another one said.
    is_exact: bool,
    /// Where it ends in the request.
    at: usize,
}

/// What a run says about the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// It is the beginning of both, without an answer, and the conversation goes on otherwise.
    Beginning,
    /// It is short and the conversation's end. Stock phrases end many conversations: if several have it, none is meant.
    End,
    /// It is the beginning of both, or long.
    Strong,
}

impl Fit {
    /// Whether the request has all that the conversation has up to the meeting, word for word.
    pub(crate) fn is_exact(self) -> bool {
        self.is_whole && self.is_exact
    }

    /// Whether no other conversation counts that shares less.
    pub(crate) fn is_strong(self) -> bool {
        self.strength == Strength::Strong
    }
}

/// Turns in a row that tell a conversation though it goes on after them, or though others have some of them.
const LONG: usize = 4;
/// Turns in a row that may tell it at its end.
const SHORT: usize = 2;

impl Meeting {
    /// Whether the request goes on with the conversation, and how well, where `says_again` tells whether the turn at a place of the
    /// request says what this turn said.
    pub(crate) fn fit(&self, says_again: impl Fn(usize, TurnId) -> bool) -> Option<Fit> {
        self.fit_of(&self.run(says_again))
    }

    fn fit_of(&self, run: &Run) -> Option<Fit> {
        let is_whole = run.covered_from == 0 && run.reached == Some(0);
        // No chat begins with a call.
        let strength = match is_whole && run.said > 0 {
            true => self.of_beginning(run)?,
            false => self.of_other(run)?,
        };
        let is_exact = run.restated == 0;
        Some(Fit { strength, run: run.same + run.restated, is_whole, is_exact, at: self.at })
    }

    /// For a run that is the beginning of both.
    fn of_beginning(&self, run: &Run) -> Option<Strength> {
        match () {
            () if run.answers > 0 => Some(Strength::Strong),
            () if run.restated > 0 => of_end(run, run.routine > 0 && self.after == 0),
            () if self.after == 0 => Some(Strength::Strong),
            () => Some(Strength::Beginning),
        }
    }

    /// For any other run.
    fn of_other(&self, run: &Run) -> Option<Strength> {
        let absent_before = |at: usize| self.absent.iter().filter(|absent| **absent < at).count();
        let (unknown, uncovered) = (absent_before(run.begins_at), absent_before(run.covered_from));
        if unknown == 0 {
            // A window that has slid. Its first message may have stayed, which is said elsewhere in the conversation.
            let meets_answer = matches!(self.beside.first(), Some(Beside::Same(_, kind)) if kind.is_answer());
            // A question that was never answered may have been put otherwise.
            let reaches_end = self.after == 0 || (self.after == 1 && meets_answer);
            let has_reply = run.answers > 0 || run.routine > 0;
            return match has_reply && (run.covered_from == 0 || run.begin > 0) {
                true if run.is_long() => Some(Strength::Strong),
                true => of_end(run, reaches_end && self.new_answers == 0),
                false => None,
            };
        }
        // Something stands for the beginning that the request lacks. Nobody knows what stood where turns were deleted.
        let lacks = if uncovered == 0 { usize::MAX } else { run.begin as usize };
        let is_less = run.answers > 0 && uncovered < lacks;
        let is_much_less = is_less && uncovered.saturating_mul(2) < lacks;
        let has_no_others = uncovered == 0 || self.new_answers == 0;
        // Examples come with other first words and go on with other questions.
        match self.new {
            1.. if run.is_long() => (is_less && self.after == 0).then_some(Strength::Strong),
            1.. => of_end(run, is_much_less && run.said >= SHORT && self.after == 0 && has_no_others),
            // What was sent is sent again.
            0 => (is_much_less && run.is_long() && run.telling >= 2 && self.after <= 1).then_some(Strength::Strong),
        }
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
}

/// For a short run.
fn of_end(run: &Run, is_end: bool) -> Option<Strength> {
    (is_end && run.same + run.restated >= SHORT).then_some(Strength::End)
}

/// Turns whose words decide which of several meetings is meant; none where that is decided without.
pub(crate) fn undecided(meetings: &[Meeting]) -> Vec<TurnId> {
    let certain = meetings.iter().filter_map(|meeting| meeting.fit(|_, _| false)).max();
    let strong = certain.filter(|fit| fit.is_strong());
    let open = meetings.iter().filter(|meeting| meeting.fit(|_, _| true) > strong);
    let mut turns: Vec<TurnId> = open.flat_map(Meeting::others).map(|(_, known)| known).collect();
    turns.sort_unstable();
    turns.dedup();
    turns
}

/// The meeting that fits best; of several the first, which is that with the newest conversation.
pub(crate) fn best(meetings: &[Meeting], says_again: impl Fn(usize, TurnId) -> bool) -> Option<MeetingPoint> {
    let fits = meetings.iter().filter_map(|meeting| {
        let run = meeting.run(&says_again);
        Some((meeting.fit_of(&run)?, meeting, run))
    });
    let mut fits: Vec<(Fit, &Meeting, Run)> = fits.collect();
    let ends = fits.iter().filter(|(fit, ..)| fit.strength == Strength::End);
    let conversations: HashSet<ConversationId> = ends.map(|(_, meeting, _)| meeting.place.conversation).collect();
    if conversations.len() > 1 {
        fits.retain(|(fit, ..)| fit.strength != Strength::End);
    }
    // Of equal ones the last is found.
    let best = fits.into_iter().rev().max_by_key(|(fit, ..)| *fit);
    best.map(|(fit, meeting, run)| MeetingPoint {
        at: meeting.at,
        place: meeting.place,
        begins_at: run.begins_at,
        is_whole: fit.is_exact(),
        is_telling: fit.is_strong() || run.telling + run.restated > 0,
    })
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
