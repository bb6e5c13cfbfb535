//! Puts what somebody said plainly into the place of the same as it was sent first, with instructions and documents around it.

use std::collections::{HashMap, HashSet};

use mainpoint_store::{Turn, TurnId};

use super::RecalledTurn;
use super::relevance::Candidate;
use super::sentences::Sentences;

/// The same turns, each once, at most so many, where `spoken` has the turns that `plain` names for some of them: such a turn was said
/// when it was sent first, and is as likely as the likelier of both. One whose plain turn is not there stays as it is.
pub(super) fn plainly(
    found: impl Iterator<Item = (RecalledTurn, Candidate)>,
    plain: &HashMap<TurnId, TurnId>,
    spoken: &[Turn],
    asked: &Sentences,
    most: usize,
) -> Vec<(RecalledTurn, Candidate)> {
    let said = |recalled: RecalledTurn| {
        let of = plain.get(&recalled.turn.id).and_then(|id| spoken.iter().find(|turn| turn.id == *id));
        let Some(turn) = of.cloned() else { return recalled };
        let sentences = asked.telling(&turn.text).map(str::to_owned);
        let sent_as = Some(recalled.turn.id);
        let Turn { conversation, parent, position, time, .. } = recalled.turn;
        let turn = Turn { conversation, parent, position, time, ..turn };
        RecalledTurn { turn, sent_as, passage: None, excerpts: Vec::new(), sentences, ..recalled }
    };
    let mut seen = HashSet::new();
    let each = found.map(|(recalled, reasons)| (said(recalled), reasons));
    // The best comes first.
    each.filter(|(recalled, _)| seen.insert(recalled.turn.id)).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::turns_for_tests::{conversation, id, recalled, turn};

    fn found(positions: &[u32]) -> impl Iterator<Item = (RecalledTurn, Candidate)> {
        let score = |rank: usize| 0.5_f32.powi(i32::try_from(rank).unwrap_or_default());
        let each = positions.iter().enumerate().map(move |(rank, position)| {
            let reasons = Candidate { lexical: Some(rank), ..Candidate::default() };
            let passage = Some("<context>".to_owned());
            (RecalledTurn { score: score(rank), passage, ..recalled(turn(*position, "### Task: …")) }, reasons)
        });
        each.collect::<Vec<_>>().into_iter()
    }

    fn told(found: &[(RecalledTurn, Candidate)]) -> Vec<(TurnId, f32)> {
        found.iter().map(|(recalled, _)| (recalled.turn.id, recalled.score)).collect()
    }

    #[test]
    fn what_was_said_plainly_stands_for_what_was_sent_and_as_it_was_said_then() {
        let plain = HashMap::from([(id(1), id(21)), (id(3), id(23))]);
        let later = Turn { conversation: conversation(9), parent: Some(id(20)), ..turn(21, "Where is the key?") };
        let spoken = [later, turn(23, "Is there a key?")];
        let found = plainly(found(&[1, 2, 3]), &plain, &spoken, &Sentences::of("key?"), 9);
        assert_eq!(told(&found), [(id(21), 1.0), (id(2), 0.5), (id(23), 0.25)]);
        let first = &found[0].0;
        assert_eq!(
            (first.turn.text.as_str(), first.turn.position, first.turn.time),
            ("Where is the key?", 1, turn(1, "").time)
        );
        let sent = turn(1, "");
        assert_eq!((first.turn.conversation, first.turn.parent), (sent.conversation, sent.parent), "it stood there");
        assert_eq!((first.sent_as, found[1].0.sent_as), (Some(id(1)), None), "whose time it bears");
        assert_eq!((&first.passage, &found[1].0.passage), (&None, &Some("<context>".to_owned())));
        assert_eq!(found[2].1.lexical, Some(2), "what speaks for it is what spoke for what was sent");
    }

    #[test]
    fn both_are_one_and_as_likely_as_the_likelier() {
        let plain = HashMap::from([(id(1), id(21)), (id(3), id(21))]);
        let spoken = [turn(21, "Where is the key?")];
        for order in [[1, 21, 3], [21, 3, 1], [3, 1, 21]] {
            assert_eq!(told(&plainly(found(&order), &plain, &spoken, &Sentences::of(""), 9)), [(id(21), 1.0)]);
        }
    }

    #[test]
    fn what_comes_behind_two_that_are_one_moves_up() {
        let plain = HashMap::from([(id(1), id(21)), (id(2), id(21))]);
        let spoken = [turn(21, "Where is the key?")];
        let found = plainly(found(&[1, 2, 3, 4]), &plain, &spoken, &Sentences::of("key?"), 2);
        assert_eq!(told(&found), [(id(21), 1.0), (id(3), 0.25)]);
    }

    #[test]
    fn where_only_what_was_sent_is_there_nothing_changes() {
        let before: Vec<_> = found(&[1, 2]).collect();
        for plain in [HashMap::new(), HashMap::from([(id(1), id(21))])] {
            assert_eq!(plainly(found(&[1, 2]), &plain, &[], &Sentences::of("key?"), 9), before);
        }
    }
}
