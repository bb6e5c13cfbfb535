//! When turns were said at their places.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mainpoint_store::{Outline, Scope, Store, StoreError, Turn, TurnId, TurnPlace};

/// The times of turns at places of an outline. One that was said plainly after it had been sent with more around it was
/// said when it was sent.
pub(super) struct SaidTimes<'a> {
    outline: &'a Outline,
    /// When what was sent was first seen.
    sent: HashMap<TurnId, DateTime<Utc>>,
}

impl<'a> SaidTimes<'a> {
    /// For turns at these places.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn of(
        store: &Store,
        scope: &Scope,
        outline: &'a Outline,
        places: impl IntoIterator<Item = &(TurnPlace, TurnId)>,
    ) -> Result<Self, StoreError> {
        let sent = places.into_iter().filter_map(|(place, turn)| outline.sent_as(*place, *turn));
        let sent: Vec<TurnId> = sent.collect();
        let sent = if sent.is_empty() { HashMap::new() } else { store.first_seen(scope, &sent).await? };
        Ok(Self { outline, sent })
    }

    /// When a turn, which has the time when it was first seen, was said at a place.
    pub(super) fn at(&self, place: TurnPlace, turn: &Turn) -> DateTime<Utc> {
        let sent = || self.sent.get(&self.outline.sent_as(place, turn.id)?).copied();
        self.outline.time_at(place, turn.id).or_else(sent).unwrap_or(turn.time)
    }
}
