//! Lines of an exported memory as turns of a scope.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mainpoint_store::{ConversationId, PlacedTurn, Scope, Turn, TurnId, TurnPlace};

use super::line::{ArchivedTurn, MOST_POSITION};
use crate::memory::ingest::MovedTurns;

/// Makes turns of lines, one after the other.
pub(crate) struct Restorer<N> {
    scope: Scope,
    /// Names a turn by its role and text.
    name: N,
    /// What a line without a time has.
    now: DateTime<Utc>,
    /// The last turn of each conversation so far.
    last: HashMap<ConversationId, (u32, TurnId)>,
}

impl<N: Fn(&str, &str) -> TurnId> Restorer<N> {
    /// For lines that become part of this scope.
    pub(crate) fn new(scope: Scope, name: N, now: DateTime<Utc>) -> Self {
        Self { scope, name, now, last: HashMap::new() }
    }

    /// Adds the turn of a line, and what was said plainly of it, which needs no place. Without a position it comes
    /// after the last one of its conversation.
    pub(crate) fn add(&mut self, line: ArchivedTurn, to: &mut MovedTurns) {
        let id = (self.name)(&line.role, &line.text);
        let last = self.last.get(&line.conversation).copied();
        let following = last.map_or(0, |(position, _)| position + 1);
        let position = line.position.unwrap_or(following).min(MOST_POSITION);
        self.last.insert(line.conversation, (position, id));
        let place = TurnPlace { conversation: line.conversation, position };
        let origin = line.branches_from.map(TurnPlace::from);
        let time = line.time.unwrap_or(self.now);
        let plain = line.plain.map(|text| ((self.name)(&line.role, &text), text));
        let plain_id = plain.as_ref().map(|(id, _)| *id);
        to.placed.push(PlacedTurn { scope: self.scope.clone(), turn: id, place, origin, time, plain: plain_id });
        let turn = |id, text: String| Turn {
            id,
            parent: last.filter(|(before, _)| *before < position).map(|(_, turn)| turn),
            conversation: line.conversation,
            scope: self.scope.clone(),
            position,
            role: line.role.clone(),
            tokens: u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX),
            text,
            time,
        };
        to.turns.push(turn(id, line.text));
        to.turns.extend(plain.map(|(id, text)| turn(id, text)));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn moved(lines: &[&str]) -> MovedTurns {
        let name = |_: &str, text: &str| TurnId([text.len() as u8; 16]);
        let mut restorer = Restorer::new(Scope::new("s").unwrap(), name, DateTime::UNIX_EPOCH);
        let mut moved = MovedTurns::default();
        for line in lines {
            restorer.add(ArchivedTurn::parse(line.as_bytes()).unwrap(), &mut moved);
        }
        moved
    }

    #[test]
    fn lines_without_positions_follow_each_other_in_their_conversations() {
        let moved = moved(&[
            r#"{"conversation":"a","role":"user","text":"1"}"#,
            r#"{"conversation":"b","role":"user","text":"22"}"#,
            r#"{"conversation":"a","role":"assistant","text":"333","position":7,"time":"2026-05-08T13:56:00+02:00"}"#,
            r#"{"conversation":"a","role":"user","text":"4444"}"#,
        ]);
        let positions: Vec<u32> = moved.placed.iter().map(|placed| placed.place.position).collect();
        assert_eq!(positions, [0, 0, 7, 8]);
        let parents: Vec<Option<u8>> = moved.turns.iter().map(|turn| turn.parent.map(|parent| parent.0[0])).collect();
        assert_eq!(parents, [None, None, Some(1), Some(3)]);
        assert_eq!(moved.turns[0].time, DateTime::UNIX_EPOCH);
        assert_eq!(moved.turns[2].time.to_rfc3339(), "2026-05-08T11:56:00+00:00");
        assert_ne!(moved.turns[0].conversation, moved.turns[1].conversation);
    }

    #[test]
    fn what_was_said_plainly_comes_with_what_was_sent_and_stands_nowhere_itself() {
        let moved = moved(&[
            r#"{"conversation":"a","role":"user","text":"<query>who?</query>","plain":"who?"}"#,
            r#"{"conversation":"a","role":"assistant","text":"Ann."}"#,
        ]);
        let texts: Vec<&str> = moved.turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts, ["<query>who?</query>", "who?", "Ann."]);
        let [sent, said, answer] = [0, 1, 2].map(|at: usize| &moved.turns[at]);
        assert_eq!((said.conversation, said.position, said.time), (sent.conversation, sent.position, sent.time));
        let placed: Vec<_> =
            moved.placed.iter().map(|placed| (placed.turn, placed.place.position, placed.plain)).collect();
        assert_eq!(placed, [(sent.id, 0, Some(said.id)), (answer.id, 1, None)]);
        assert_eq!(answer.parent, Some(sent.id));
    }
}
