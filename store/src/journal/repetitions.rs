//! When turns were said again, word for word, at another place than the first.
//!
//! Responsible for: the table of those times.
//!
//! A turn carries the time when it was first seen, and stands where it was said then. A place where it was said at another time has
//! a record here. So what is said once has none, and what is said again has one for each time.

use std::ops::RangeInclusive;

use redb::{ReadableTable, Table, WriteTransaction};

use super::Journal;
use super::rows::{ACCEPTED, COMPLETED, REPETITIONS, RepetitionKey, TurnRow, TurnRowKey, time_from};
use crate::error::StoreError;
use crate::records::{ConversationId, Repetition, Scope, TurnId, TurnPlace};

/// Writes when turns were said.
pub(super) struct RepetitionWriter<'a> {
    repetitions: Table<'a, RepetitionKey, ()>,
    accepted: Table<'a, TurnRowKey, TurnRow<'static>>,
    completed: Table<'a, TurnRowKey, TurnRow<'static>>,
}

impl<'a> RepetitionWriter<'a> {
    pub(super) fn new(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            repetitions: transaction.open_table(REPETITIONS)?,
            accepted: transaction.open_table(ACCEPTED)?,
            completed: transaction.open_table(COMPLETED)?,
        })
    }

    /// Notes that a turn was put to a place where it was said, unless the turn is known to carry that time itself. Turns that are
    /// taken in by the same transaction have to be there before.
    pub(super) fn note(&mut self, scope: &str, repetition: Repetition) -> Result<(), redb::Error> {
        let Repetition { turn, place, time } = repetition;
        let micros = time.timestamp_micros();
        if self.first_seen(scope, turn)? != Some(micros) {
            self.repetitions.insert((scope, &turn.0, micros, &place.conversation.0, place.position), ())?;
        }
        Ok(())
    }

    /// Whether the journal has a turn with its words.
    pub(super) fn has_row(&self, scope: &str, turn: TurnId) -> Result<bool, redb::Error> {
        Ok(self.first_seen(scope, turn)?.is_some())
    }

    /// When a turn was first seen, in microseconds since 1970, as far as the journal has it.
    fn first_seen(&self, scope: &str, turn: TurnId) -> Result<Option<i64>, redb::Error> {
        let key = (scope, &turn.0);
        Ok(match self.accepted.get(key)?.map(|row| row.value().5) {
            Some(time) => Some(time),
            None => self.completed.get(key)?.map(|row| row.value().5),
        })
    }
}

/// Scope, turn, time, conversation, position.
type KeyOfTurn<'a> = (&'a str, &'a [u8; 16], i64, &'a [u8; 16], u32);

/// Every key of a scope.
pub(super) fn of_scope(scope: &str) -> RangeInclusive<KeyOfTurn<'_>> {
    (scope, &[0; 16], i64::MIN, &[0; 16], 0)..=(scope, &[u8::MAX; 16], i64::MAX, &[u8::MAX; 16], u32::MAX)
}

/// Every key of a turn.
pub(super) fn of_turn<'a>(scope: &'a str, turn: &'a TurnId) -> RangeInclusive<KeyOfTurn<'a>> {
    (scope, &turn.0, i64::MIN, &[0; 16], 0)..=(scope, &turn.0, i64::MAX, &[u8::MAX; 16], u32::MAX)
}

impl Journal {
    /// All of a scope, those of each turn in the order of their times.
    pub(crate) fn repetitions(&self, scope: &Scope) -> Result<Vec<Repetition>, StoreError> {
        let found = self.database.read("list what was said again", |transaction| {
            let mut found = Vec::new();
            for entry in transaction.open_table(REPETITIONS)?.range(of_scope(scope.as_str()))? {
                let (key, _) = entry?;
                let (_, turn, micros, conversation, position) = key.value();
                let place = TurnPlace { conversation: ConversationId(*conversation), position };
                found.push((TurnId(*turn), place, micros));
            }
            Ok(found)
        })?;
        let repetition = |(turn, place, micros)| Ok(Repetition { turn, place, time: time_from(micros)? });
        found.into_iter().map(repetition).collect()
    }
}
