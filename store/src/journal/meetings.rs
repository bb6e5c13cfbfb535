//! Where a request may meet conversations of its scope.
//!
//! Responsible for: looking up places of its turns, and going back from them beside what each conversation has.

use std::collections::HashSet;

use redb::ReadableTable;

use super::Journal;
use super::continuation::{Beside, Fit, Meeting};
use super::lineage::{Lineage, Walk};
use super::rows::{GONE, PLACES, PlaceKey, every_place};
use crate::error::StoreError;
use crate::records::{ConversationId, Scope, TurnId, TurnKind, TurnPlace};

/// Places of one turn that are looked at, the newest conversations first: "yes" may have been said thousands of times.
const PLACES_TRIED: usize = 64;
/// Known turns of a request, from its end, whose places are looked at. What comes after the right one is new, but may have been
/// said elsewhere.
const TURNS_TRIED: usize = 8;
/// Calls and results whose places are looked at besides.
const ROUTINE_TRIED: usize = 256;
/// Turns in a row that settle the matter.
const ENOUGH: usize = 8;
/// Meetings that may be the right one. More are not looked for.
const MOST_MEETINGS: usize = 64;
/// Turns of a conversation that are looked through for those of a request.
const MOST_LOOKED_THROUGH: usize = 20_000;
/// Rows that are read for one request. In doubt it is another chat: none of the rest may be told to it.
const MOST_ROWS: usize = 50_000;
/// Turns of a request that are compared with others in their places.
const MOST_OTHERS: usize = 16;

impl Journal {
    /// The meetings of a request, with these turns of these kinds, with conversations of a scope, as far as the request may go on
    /// with them ([`Meeting::fit`]). They are found from the request's last turn back, those in the newest conversations first. Some
    /// fit only if turns that differ say the same ([`Beside::Other`]), which whoever has the words tells.
    pub(crate) fn meetings(
        &self,
        scope: &Scope,
        turns: &[TurnId],
        kinds: &[TurnKind],
    ) -> Result<Vec<Meeting>, StoreError> {
        // Who sends more has it gone through twice at least.
        self.meetings_within(scope, turns, kinds, MOST_ROWS.max(turns.len().saturating_mul(2)))
    }

    /// [`Journal::meetings`] that reads at most so many rows. If these are not enough, what was found counts as common, since other
    /// conversations were not looked at.
    pub(super) fn meetings_within(
        &self,
        scope: &Scope,
        turns: &[TurnId],
        kinds: &[TurnKind],
        rows: usize,
    ) -> Result<Vec<Meeting>, StoreError> {
        self.database.read("find a conversation", |transaction| {
            let lineage = Lineage::within(transaction, scope, rows)?;
            let mut found = find(&lineage, &transaction.open_table(PLACES)?, turns, kinds)?;
            if lineage.is_used_up() {
                found.iter_mut().for_each(|meeting| meeting.is_common = true);
            }
            Ok(found)
        })
    }
}

fn find(
    lineage: &Lineage,
    places: &impl ReadableTable<PlaceKey, ()>,
    turns: &[TurnId],
    kinds: &[TurnKind],
) -> Result<Vec<Meeting>, redb::Error> {
    let scope = lineage.scope();
    let mut found: Vec<Meeting> = Vec::new();
    let (mut tried, mut tried_routine, mut is_settled) = (0, 0, false);
    let mut certain: Option<Fit> = None;
    for (at, kind) in kinds.iter().enumerate().take(turns.len()).rev() {
        let (Some(turn), Some(up_to)) = (turns.get(at), turns.get(..=at)) else { continue };
        let mut is_known = false;
        let is_cut_off = places.range(every_place(scope.as_str(), turn))?.nth(PLACES_TRIED).is_some();
        for entry in places.range(every_place(scope.as_str(), turn))?.rev().take(PLACES_TRIED) {
            let (key, _) = entry?;
            let (_, _, conversation, position) = key.value();
            is_known = true;
            let place = TurnPlace { conversation: ConversationId(*conversation), position };
            let mut meeting = meet(lineage, up_to, kinds, place)?;
            lineage.spend_row();
            // How far both are alike is not known then.
            if lineage.is_used_up() {
                return Ok(found);
            }
            meeting.new = turns.len() - up_to.len();
            let new_before_last = kinds.iter().take(turns.len().saturating_sub(1)).skip(up_to.len());
            meeting.new_answers = new_before_last.filter(|kind| kind.is_answer()).count();
            // Which turns the conversation lacks takes a long walk. It is taken if none or one of them would do.
            if !may_be_meant(&meeting, certain) {
                meeting.absent = vec![0];
            }
            if !may_be_meant(&meeting, certain) {
                continue;
            }
            meeting.absent = absent(lineage, up_to, &meeting)?;
            if !may_be_meant(&meeting, certain) {
                continue;
            }
            meeting.line = lineage.ends(place)?;
            if lineage.is_used_up() {
                return Ok(found);
            }
            meeting.is_common = (is_cut_off || at == 0) && is_common(places, lineage, up_to, &meeting)?;
            let fit = meeting.fit(|_, _| false);
            // Whoever asks the same as another one did may be at the end of another conversation, behind an earlier turn.
            let is_asked = matches!(kind, TurnKind::Said | TurnKind::Telling);
            is_settled |= fit.is_some_and(|fit| fit.is_decided() || (fit.run >= ENOUGH && fit.is_end && !is_asked));
            certain = certain.max(fit);
            found.push(meeting);
        }
        let count = if *kind == TurnKind::Routine { &mut tried_routine } else { &mut tried };
        *count += usize::from(is_known);
        if is_settled || tried >= TURNS_TRIED || tried_routine >= ROUTINE_TRIED || found.len() >= MOST_MEETINGS {
            break;
        }
    }
    Ok(found)
}

/// Whether a meeting may be the one that is meant: it fits, either with or without the turns that only may say the same, and does so
/// no worse than the best fit that is certain.
fn may_be_meant(meeting: &Meeting, certain: Option<Fit>) -> bool {
    let counts = |fit: Option<Fit>| fit.is_some_and(|fit| fit.counts_beside(certain));
    counts(meeting.fit(|_, _| false)) || counts(meeting.fit(|_, _| true))
}

/// Whether each of the last turns in a row that both have is said in other conversations, too. One that has more places than are
/// looked at may be.
fn is_common(
    places: &impl ReadableTable<PlaceKey, ()>,
    lineage: &Lineage,
    turns: &[TurnId],
    meeting: &Meeting,
) -> Result<bool, redb::Error> {
    let is_same = |beside: &&Beside| matches!(beside, Beside::Same(..));
    let run = meeting.beside.iter().take_while(is_same).count().min(TURNS_TRIED);
    for turn in turns.iter().rev().take(run) {
        let mut is_elsewhere = false;
        for (tried, entry) in places.range(every_place(lineage.scope().as_str(), turn))?.enumerate() {
            let (key, _) = entry?;
            let (_, _, conversation, position) = key.value();
            let is_here = |end: &TurnPlace| end.conversation.0 == *conversation && position <= end.position;
            let is_own = *conversation == meeting.place.conversation.0 || meeting.line.iter().any(is_here);
            is_elsewhere = !is_own || tried >= PLACES_TRIED || !lineage.spend_row();
            if is_elsewhere {
                break;
            }
        }
        if !is_elsewhere {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Goes back through both from the last of `turns`, which stands at `place`.
fn meet(lineage: &Lineage, turns: &[TurnId], kinds: &[TurnKind], place: TurnPlace) -> Result<Meeting, redb::Error> {
    let mut walk = WalkOverGaps { walk: lineage.back_from(place)?, next: None, gaps: 0, earliest: place.position };
    let (mut beside, mut others, mut was_other) = (Vec::new(), 0, false);
    for (turn, kind) in turns.iter().zip(kinds).rev() {
        let Some(known) = walk.pass(*turn, *kind)? else { break };
        let is_other = matches!(known, Beside::Other(..));
        others += usize::from(is_other);
        // What others say once more is between turns that are the same.
        if (is_other && was_other) || others > MOST_OTHERS {
            break;
        }
        was_other = is_other;
        beside.push(known);
    }
    let after = lineage.count_after(place, 2)?;
    Ok(Meeting {
        at: turns.len().saturating_sub(1),
        place,
        line: Vec::new(),
        beside,
        after,
        new: 0,
        new_answers: 0,
        absent: Vec::new(),
        is_common: false,
    })
}

/// The places of those of `turns`, up to a meeting, that the conversation has nowhere.
fn absent(lineage: &Lineage, turns: &[TurnId], meeting: &Meeting) -> Result<Vec<usize>, redb::Error> {
    let is_same = |beside: &&Beside| matches!(beside, Beside::Same(..));
    let front = turns.get(..turns.len() - meeting.beside.iter().take_while(is_same).count()).unwrap_or_default();
    let mut missing: HashSet<TurnId> = front.iter().copied().collect();
    let mut walk = lineage.back_from(meeting.place)?.take(MOST_LOOKED_THROUGH);
    while !missing.is_empty()
        && let Some((_, known)) = walk.next().transpose()?
    {
        missing.remove(&known);
    }
    Ok((0..front.len()).filter(|at| front.get(*at).is_some_and(|turn| missing.contains(turn))).collect())
}

/// Goes back through a conversation beside a request, which may have something at the place of a turn that was deleted, or nothing.
struct WalkOverGaps<'a> {
    walk: Walk<'a>,
    /// The turn that was reached and not passed.
    next: Option<(u32, TurnId)>,
    /// Deleted turns between it and the last one that was passed.
    gaps: usize,
    /// The position of the last one that was reached. Those before it are deleted if there is none.
    earliest: u32,
}

impl WalkOverGaps<'_> {
    /// What the conversation has in the place of a turn; `None` before its beginning.
    fn pass(&mut self, turn: TurnId, kind: TurnKind) -> Result<Option<Beside>, redb::Error> {
        while self.next.is_none() {
            match self.walk.next().transpose()? {
                Some((position, GONE)) => (self.gaps, self.earliest) = (self.gaps + 1, position),
                Some((position, known)) => (self.next, self.earliest) = (Some((position, known)), position),
                None => {
                    self.gaps += std::mem::take(&mut self.earliest) as usize;
                    break;
                }
            }
        }
        Ok(match self.next {
            Some((position, known)) if known == turn => {
                (self.next, self.gaps) = (None, 0);
                Some(Beside::Same(position, kind))
            }
            _ if self.gaps > 0 => {
                self.gaps -= 1;
                Some(Beside::Gap)
            }
            Some((position, known)) => {
                self.next = None;
                Some(Beside::Other(position, known))
            }
            None => None,
        })
    }
}
