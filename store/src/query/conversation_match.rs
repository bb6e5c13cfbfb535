//! Which conversation of its scope a request goes on with.
//!
//! Responsible for: telling a conversation that begins as an earlier one did from that one. Must not know: how turns are compared.
//!
//! A request whose first turn alone is the beginning of a conversation is sent again, wants another answer, or begins another
//! conversation with the same words. Nothing but the time tells these apart.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::lookup;
use crate::error::StoreError;
use crate::records::{ConversationMatch, Scope, TurnId, TurnKind, TurnPlace};
use crate::state::Shared;

/// Who says the same first words so much later means another conversation.
const ANOTHER: TimeDelta = TimeDelta::days(1);

/// What matches a request with these turns, each of its kind, whose first one is said at a time, if that is known.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    scope: &Scope,
    turns: Vec<TurnId>,
    kinds: Vec<TurnKind>,
    time: Option<DateTime<Utc>>,
) -> Result<ConversationMatch, StoreError> {
    let (first, of_journal) = (turns.first().copied(), scope.clone());
    let matched = shared.blocking(move |shared| shared.journal.match_conversation(&of_journal, &turns, &kinds)).await?;
    let Some(((first, time), tip)) = first.zip(time).zip(matched.tip).filter(|_| matched.rests_on_first_turn()) else {
        return Ok(matched);
    };
    Ok(unless_said_anew(matched, is_said_anew(shared, scope, first, tip, time).await))
}

/// The match, unless it is known that its first turn is said anew.
fn unless_said_anew(matched: ConversationMatch, is_said_anew: Result<bool, StoreError>) -> ConversationMatch {
    match is_said_anew {
        Ok(true) => ConversationMatch::default(),
        Ok(false) => matched,
        Err(error) => {
            tracing::debug!(%error, "when a conversation began cannot be looked up");
            matched
        }
    }
}

/// Whether a known turn was not said within a day of this time at its place.
async fn is_said_anew(
    shared: &Arc<Shared>,
    scope: &Scope,
    turn: TurnId,
    place: TurnPlace,
    time: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some((earliest, latest)) = time.checked_sub_signed(ANOTHER).zip(time.checked_add_signed(ANOTHER)) else {
        return Ok(false);
    };
    let of_journal = scope.clone();
    let recorded = shared.blocking(move |shared| shared.journal.said_at(&of_journal, turn, place)).await?;
    let said = match recorded {
        Some(said) => Some(said),
        None => lookup::turns(shared, scope, &[turn]).await?.first().map(|known| known.time),
    };
    // Of one whose words are not there nobody knows when it was said.
    Ok(said.is_some_and(|said| !(earliest..=latest).contains(&said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_stays_where_nobody_can_tell_when_the_conversation_began() {
        let tip = Some(TurnPlace { conversation: TurnId([1; 16]), position: 0 });
        let matched = || ConversationMatch { tip, known: 1, ..ConversationMatch::default() };
        assert_eq!(unless_said_anew(matched(), Err(StoreError::unreadable("no table"))), matched());
        assert_eq!(unless_said_anew(matched(), Ok(false)), matched());
        assert_eq!(unless_said_anew(matched(), Ok(true)), ConversationMatch::default());
    }
}
