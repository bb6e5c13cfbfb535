//! Which conversation of its scope a request goes on with.
//!
//! Responsible for: choosing between the meetings that the journal finds, with the words of turns that are not the
//! same; telling a conversation that begins as an earlier one did from that one, and what of a request was said before
//! it was sent.
//!
//! Where only the first turn of a request is the beginning of a conversation, the request is sent again, wants another answer, or
//! begins another conversation with the same words. Only the time tells which. The time also tells turns that were said one after
//! the other from turns that came in one request, such as examples before a question: the former have a time each, the latter one
//! for all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{loading, lookup};
use crate::error::StoreError;
use crate::journal::MeetingPoint;
use crate::journal::Standing;
use crate::journal::continuation::{best, undecided};
use crate::records::{ConversationMatch, ConversationView, Scope, Turn, TurnId, TurnKind, TurnPlace};
use crate::state::Shared;
use crate::state::turn_index::State;

/// Who says the same first words so much later means another conversation.
const ANOTHER: TimeDelta = TimeDelta::days(1);
/// Who goes on with a few stock phrases so much later means another conversation.
const FORGOTTEN: TimeDelta = TimeDelta::days(7);

/// The conversation that a request goes on with. The request has these turns, each of its kind, and came at this time, if that is
/// known. `says_again` tells whether the turn at a place of the request says in other words what a known turn said.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    scope: &Scope,
    turns: Vec<TurnId>,
    kinds: Vec<TurnKind>,
    time: Option<DateTime<Utc>>,
    says_again: impl Fn(usize, &Turn) -> bool,
) -> Result<ConversationMatch, StoreError> {
    let mut matched = find_conversation(shared, scope, turns.clone(), kinds, time, says_again).await?;
    match said_earlier(shared, scope, turns, matched.known).await {
        Ok(times) => matched.said_earlier = times,
        Err(error) => tracing::debug!(%error, "when turns of a request were said cannot be looked up"),
    }
    Ok(matched)
}

/// The times of [`ConversationMatch::said_earlier`] for a request of which so many turns are not new.
async fn said_earlier(
    shared: &Arc<Shared>,
    scope: &Scope,
    mut turns: Vec<TurnId>,
    known: usize,
) -> Result<BTreeMap<usize, DateTime<Utc>>, StoreError> {
    let new = turns.split_off(known.min(turns.len()));
    if new.len() < 2 {
        return Ok(BTreeMap::new());
    }
    let (of_journal, asked) = (scope.clone(), new.clone());
    let standings = shared.blocking(move |shared| shared.journal.standings(&of_journal, &asked)).await?;
    let first_placed = standings.iter().position(|standing| *standing == Standing::Placed).unwrap_or(new.len());
    if !standings.iter().skip(first_placed).any(|standing| *standing == Standing::Nowhere) {
        return Ok(BTreeMap::new());
    }
    loading::load_scope(shared, scope, None).await?;
    let recorded: Vec<bool> = {
        let turn_index = shared.turn_index();
        let is_stored = |turn: &TurnId| turn_index.state(scope, *turn) == Some(State::Stored);
        let turns = new.iter().zip(&standings);
        turns.map(|(turn, standing)| *standing == Standing::Nowhere && is_stored(turn)).collect()
    };
    let followed = followed(&standings, &recorded);
    let next: BTreeSet<TurnId> = followed.values().filter_map(|next| new.get(*next).copied()).collect();
    if next.is_empty() {
        return Ok(BTreeMap::new());
    }
    let next: Vec<TurnId> = next.into_iter().collect();
    let times = lookup::first_seen(shared, scope, &next).await?;
    let said = followed.into_iter().filter_map(|(at, next)| Some((known + at, *times.get(new.get(next)?)?)));
    Ok(said.collect())
}

/// The places of turns that stand somewhere, each with that of the next one behind it that was recorded without a place.
fn followed(standings: &[Standing], recorded: &[bool]) -> BTreeMap<usize, usize> {
    let (mut followed, mut next) = (BTreeMap::new(), None);
    for (at, (standing, is_recorded)) in standings.iter().zip(recorded).enumerate().rev() {
        if *is_recorded {
            next = Some(at);
        } else if let Some(next) = next.filter(|_| *standing == Standing::Placed) {
            followed.insert(at, next);
        }
    }
    followed
}

async fn find_conversation(
    shared: &Arc<Shared>,
    scope: &Scope,
    turns: Vec<TurnId>,
    kinds: Vec<TurnKind>,
    time: Option<DateTime<Utc>>,
    says_again: impl Fn(usize, &Turn) -> bool,
) -> Result<ConversationMatch, StoreError> {
    let (asked, of_journal) = (turns.clone(), scope.clone());
    let meetings = shared.blocking(move |shared| shared.journal.meetings(&of_journal, &asked, &kinds)).await?;
    let open = undecided(&meetings);
    let others = if open.is_empty() { Vec::new() } else { lookup::turns(shared, scope, &open).await? };
    let said = |at: usize, known: TurnId| others.iter().any(|other| other.id == known && says_again(at, other));
    let Some(point) = best(&meetings, said) else {
        return Ok(ConversationMatch::default());
    };
    let (asked, of_journal) = (turns.clone(), scope.clone());
    let matched = shared.blocking(move |shared| shared.journal.match_from(&of_journal, &asked, point)).await?;
    let Some((time, tip)) = time.zip(matched.tip) else { return Ok(matched) };
    if !matched.rests_on_first_turn() {
        let met = Met { turns: &turns, matched: &matched, point };
        return Ok(match is_another_by_time(shared, scope, met, time).await {
            Ok(true) => ConversationMatch::default(),
            Ok(false) => matched,
            Err(error) => {
                tracing::debug!(%error, "when turns of a conversation were said cannot be looked up");
                matched
            }
        });
    }
    let Some((earliest, latest)) = time.checked_sub_signed(ANOTHER).zip(time.checked_add_signed(ANOTHER)) else {
        return Ok(matched);
    };
    let began = begun_within(shared, scope, turns, tip, earliest..=latest).await;
    Ok(unless_said_anew(matched, began))
}

/// A request that meets a conversation.
#[derive(Debug, Clone, Copy)]
struct Met<'a> {
    turns: &'a [TurnId],
    matched: &'a ConversationMatch,
    point: MeetingPoint,
}

/// Whether a request is another chat's than the one that it meets, by when what both have was said. It is where all of that came
/// in one request (what somebody answered there was an example), unless the conversation is only gone on with; and where a few
/// stock phrases were said long ago.
async fn is_another_by_time(
    shared: &Arc<Shared>,
    scope: &Scope,
    met: Met<'_>,
    time: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Met { turns, matched, point } = met;
    let goes_on = matched.is_newest && matched.known < turns.len();
    let may_be_examples = !goes_on && !point.is_whole && point.begins_at < point.at;
    if !may_be_examples && point.is_telling {
        return Ok(false);
    }
    let replaced = matched.replaced.iter().find(|replaced| replaced.at == point.begins_at);
    let first = replaced.map(|replaced| replaced.known).or_else(|| turns.get(point.begins_at).copied());
    let Some((first, last)) = first.zip(turns.get(point.at).copied()) else { return Ok(false) };
    let view = ConversationView { tip: matched.tip, now: time, earlier: Vec::new() };
    let said = lookup::said_last(shared, scope, &[first, last], Some(view)).await?;
    let Some((began, ended)) = said.get(&first).zip(said.get(&last)) else { return Ok(false) };
    let came_at_once = began.timestamp_micros() == ended.timestamp_micros();
    Ok((may_be_examples && came_at_once) || (!point.is_telling && time.signed_duration_since(*ended) > FORGOTTEN))
}

/// The conversation that began as the request does about when it is made, which may be another one than was found first.
fn unless_said_anew(matched: ConversationMatch, began: Result<Began, StoreError>) -> ConversationMatch {
    match began {
        Ok(Began::There) => matched,
        Ok(Began::Elsewhere(other)) => other,
        Ok(Began::Nowhere) => ConversationMatch::default(),
        Err(error) => {
            tracing::debug!(%error, "when a conversation began cannot be looked up");
            matched
        }
    }
}

/// Where the first turn of a request was said within some time.
#[derive(Debug)]
enum Began {
    /// At the place that was found first.
    There,
    /// At the beginning of another conversation.
    Elsewhere(ConversationMatch),
    Nowhere,
}

async fn begun_within(
    shared: &Arc<Shared>,
    scope: &Scope,
    turns: Vec<TurnId>,
    tip: TurnPlace,
    span: RangeInclusive<DateTime<Utc>>,
) -> Result<Began, StoreError> {
    let Some(first) = turns.first().copied() else { return Ok(Began::There) };
    let of_journal = scope.clone();
    let recorded = shared.blocking(move |shared| shared.journal.said_at(&of_journal, first, tip)).await?;
    if recorded.is_some_and(|said| span.contains(&said)) {
        return Ok(Began::There);
    }
    let first_seen = lookup::first_seen(shared, scope, &[first]).await?.get(&first).copied();
    // Of one whose words are not there nobody knows when it was said.
    if recorded.is_none() && first_seen.is_none_or(|said| span.contains(&said)) {
        return Ok(Began::There);
    }
    let of_journal = scope.clone();
    let is_first_seen_then = first_seen.is_some_and(|time| span.contains(&time));
    let other = shared
        .blocking(move |shared| {
            let journal = &shared.journal;
            let beginning = match journal.said_again_at_a_beginning(&of_journal, first, span)? {
                None if is_first_seen_then => journal.first_seen_at_a_beginning(&of_journal, first)?,
                found => found,
            };
            beginning.map(|place| journal.match_beginning(&of_journal, &turns, place)).transpose()
        })
        .await?;
    Ok(other.map_or(Began::Nowhere, Began::Elsewhere))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::ConversationId;

    #[test]
    fn only_what_stands_somewhere_before_a_turn_without_a_place_was_said_by_then() {
        use Standing::{InJournal, Nowhere, Placed};
        let standings = [Placed, Nowhere, Placed, Placed, InJournal, Nowhere, Placed, Nowhere];
        let recorded = [false, true, false, false, false, true, false, false];
        assert_eq!(followed(&standings, &recorded), BTreeMap::from([(0, 1), (2, 5), (3, 5)]));
        assert_eq!(followed(&standings, &[false; 8]), BTreeMap::new());
    }

    #[test]
    fn a_match_stays_where_nobody_can_tell_when_the_conversation_began() {
        let tip = Some(TurnPlace { conversation: ConversationId([1; 16]), position: 0 });
        let matched = || ConversationMatch { tip, known: 1, ..ConversationMatch::default() };
        assert_eq!(unless_said_anew(matched(), Err(StoreError::unreadable("no table"))), matched());
        assert_eq!(unless_said_anew(matched(), Ok(Began::There)), matched());
        assert_eq!(unless_said_anew(matched(), Ok(Began::Nowhere)), ConversationMatch::default());
        let other = ConversationMatch { known: 2, ..matched() };
        assert_eq!(unless_said_anew(matched(), Ok(Began::Elsewhere(other.clone()))), other);
    }
}
