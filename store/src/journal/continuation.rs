//! Whether a request goes on with a conversation that it meets.
//!
//! Responsible for: the rule. Pure.
//!
//! A request whose beginning is a conversation's goes on with it. Else the two share some turns in a row, and these may be stock
//! phrases: a question that is asked of every document, what is always answered first, examples that are sent with every question.
//! Two chats that are taken for one are worse than one that is taken for two, so that what is left open by the rule is another
//! conversation.

use std::cmp::Ordering;

use super::conversations::MeetingPoint;
use crate::records::{TurnId, TurnKind, TurnPlace};

/// A request beside a conversation, back from a turn that both have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// The place in the request of the last turn that both have.
    pub(crate) at: usize,
    /// Its place in the conversation.
    pub(crate) place: TurnPlace,
    /// This place, and those after which its conversation and the ones before began. Empty until it is known to be one that may fit.
    pub(crate) line: Vec<TurnPlace>,
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
    /// Whether other conversations may fit as well that were not looked at.
    pub(crate) is_common: bool,
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

/// How well a request goes on with a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    strength: Strength,
    /// Turns in a row that both have.
    pub(crate) run: usize,
    /// Whether no turn of the run only says again what another one said.
    is_exact: bool,
    /// Whether the conversation ends with the run, and the request has no answer after it. A last question of the conversation may
    /// stand behind the run: it was never answered, and the request may put it otherwise.
    pub(crate) is_end: bool,
    /// Whether the run is the beginning of both.
    is_whole: bool,
    /// Where it ends in the request.
    at: usize,
}

/// What a run says about the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// It is the beginning of both, without an answer, and the conversation goes on otherwise.
    Beginning,
    /// Something is in front that the conversation has not, and that may stand for what the request lacks.
    Behind,
    /// Whatever is in front is the conversation's as well.
    Window,
    /// It is the beginning of both: the conversation has nothing before it that another chat could be told.
    Whole,
}

impl Fit {
    /// Whether the request has all that the conversation has up to the meeting, word for word.
    pub(crate) fn is_exact(self) -> bool {
        self.is_whole && self.is_exact
    }

    /// Whether the request begins as the conversation does: none counts that begins otherwise.
    pub(crate) fn is_decided(self) -> bool {
        self.strength == Strength::Whole
    }

    /// Whether this fit is as good as another one, or better; true where there is no other one.
    pub(crate) fn counts_beside(self, other: Option<Self>) -> bool {
        other.is_none_or(|other| self.class() >= other.class())
    }

    /// What fits are compared by: a fit of a greater class is better. Two fits of equal class in different conversations leave open
    /// which one is meant, unless their runs are the beginning ([`best`]).
    fn class(self) -> (Strength, bool, bool, usize) {
        match self.strength {
            Strength::Whole | Strength::Beginning => (self.strength, false, false, 0),
            // What is in front is of no one else's, so that a longer run says no more.
            Strength::Window => (self.strength, self.is_exact, self.is_end, 0),
            Strength::Behind => (self.strength, self.is_exact, self.is_end, self.run),
        }
    }
}

impl PartialOrd for Fit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fit {
    fn cmp(&self, other: &Self) -> Ordering {
        let within = |fit: &Self| (fit.run, fit.is_exact, fit.is_end, fit.at, fit.is_whole);
        self.class().cmp(&other.class()).then_with(|| within(self).cmp(&within(other)))
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
        let (is_exact, is_end) = (run.restated == 0, self.reaches_end());
        Some(Fit { strength, run: run.length(), is_exact, is_end, is_whole, at: self.at })
    }

    /// For a run that is the beginning of both.
    fn of_beginning(&self, run: &Run) -> Option<Strength> {
        match () {
            () if run.answers > 0 => Some(Strength::Whole),
            () if run.restated > 0 => {
                (run.routine > 0 && self.after == 0 && run.length() >= SHORT).then_some(Strength::Window)
            }
            () if self.after == 0 => Some(Strength::Whole),
            () => Some(Strength::Beginning),
        }
    }

    /// For any other run.
    fn of_other(&self, run: &Run) -> Option<Strength> {
        let absent_before = |at: usize| self.absent.iter().filter(|absent| **absent < at).count();
        let (unknown, uncovered) = (absent_before(run.begins_at), absent_before(run.covered_from));
        if unknown == 0 {
            // A window that has slid. Its first message may have stayed, which is said elsewhere in the conversation.
            let has_reply = run.answers > 0 || run.routine > 0;
            let is_enough = run.is_long() || (self.reaches_end() && run.length() >= SHORT) || self.is_lone_answer(run);
            return (has_reply && (run.covered_from == 0 || run.begin > 0) && is_enough).then_some(Strength::Window);
        }
        // Something stands for the beginning that the request lacks. Nobody knows what stood where turns were deleted.
        let lacks = if uncovered == 0 { usize::MAX } else { run.begin as usize };
        let is_less = run.answers > 0 && uncovered < lacks;
        let is_much_less = is_less && uncovered.saturating_mul(2) < lacks;
        let has_no_others = uncovered == 0 || self.new_answers == 0;
        // Examples come with other first words and go on with other questions.
        let is_enough = match self.new {
            1.. if run.is_long() => is_less && self.after == 0,
            1.. => is_much_less && run.length() >= SHORT && run.said >= SHORT && self.after == 0 && has_no_others,
            // What was sent is sent again.
            0 => is_much_less && run.is_long() && run.telling >= 2 && self.after <= 1,
        };
        is_enough.then_some(Strength::Behind)
    }

    /// Whether the conversation ends with the meeting and has no answer to come. A question that was never answered may have been
    /// put otherwise.
    fn reaches_end(&self) -> bool {
        let meets_answer = matches!(self.beside.first(), Some(Beside::Same(_, kind)) if kind.is_answer());
        self.new_answers == 0 && (self.after == 0 || (self.after == 1 && meets_answer))
    }

    /// Whether all that is left of the conversation is the long answer that it ends with, before a new question. One that is said
    /// elsewhere is common.
    fn is_lone_answer(&self, run: &Run) -> bool {
        let is_alone = self.at == 0 && run.same == 1 && run.answers == 1 && run.telling == 1;
        is_alone && self.after == 0 && self.new > 0 && self.new_answers == 0
    }

    /// Whether neither of two places comes before the other one.
    fn is_elsewhere(&self, other: &Self) -> bool {
        let is_before = |place: TurnPlace, line: &[TurnPlace]| {
            line.iter().any(|end| end.conversation == place.conversation && end.position >= place.position)
        };
        !is_before(self.place, &other.line) && !is_before(other.place, &self.line)
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

/// Turns whose words decide which of several meetings is meant; none where that is decided without.
pub(crate) fn undecided(meetings: &[Meeting]) -> Vec<TurnId> {
    let certain = meetings.iter().filter_map(|meeting| meeting.fit(|_, _| false)).max();
    let open = meetings.iter().filter(|meeting| meeting.fit(|_, _| true) > certain);
    let mut turns: Vec<TurnId> = open.flat_map(Meeting::others).map(|(_, known)| known).collect();
    turns.sort_unstable();
    turns.dedup();
    turns
}

/// The meeting that fits best. `None` if a meeting in another conversation fits equally well, unless the run is the beginning: of
/// several conversations that begin alike the newest one is meant, which comes first in `meetings`.
pub(crate) fn best(meetings: &[Meeting], says_again: impl Fn(usize, TurnId) -> bool) -> Option<MeetingPoint> {
    let fits = meetings.iter().filter_map(|meeting| {
        let run = meeting.run(&says_again);
        Some((meeting.fit_of(&run)?, meeting, run))
    });
    let fits: Vec<(Fit, &Meeting, Run)> = fits.collect();
    // Of equal ones the last is found.
    let (fit, meeting, run) = fits.iter().rev().max_by_key(|(fit, ..)| *fit)?;
    let may_be_several = matches!(fit.strength, Strength::Window | Strength::Behind);
    // What is common has rivals that were not looked at.
    let is_rival = |(other, at, _): &(Fit, &Meeting, Run)| other.class() == fit.class() && at.is_elsewhere(meeting);
    if may_be_several && (meeting.is_common || fits.iter().any(is_rival)) {
        return None;
    }
    Some(MeetingPoint {
        at: meeting.at,
        place: meeting.place,
        begins_at: run.begins_at,
        is_whole: fit.is_exact(),
        is_telling: fit.is_decided() || (run.telling + run.restated > 0 && run.length() >= SHORT),
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
    /// Of the turns that are the same, calls of tools and their results.
    routine: usize,
    /// Of the turns that are the same, answers.
    answers: usize,
    /// Of the turns that are the same, long ones.
    telling: usize,
    /// Where it begins in the request.
    begins_at: usize,
    /// Where it begins in the conversation: so many turns are before it, or were.
    begin: u32,
    /// Where the run begins in the request if turns that stand in the place of deleted ones count as part of it.
    covered_from: usize,
    /// The position of what was compared last, unless that was deleted.
    reached: Option<u32>,
}

impl Run {
    fn length(&self) -> usize {
        self.same + self.restated
    }

    fn is_long(&self) -> bool {
        self.said >= LONG && self.telling + self.restated > 0
    }

    fn reach(&mut self, at: usize, position: u32) {
        (self.begins_at, self.begin, self.reached) = (at, position, Some(position));
    }
}
