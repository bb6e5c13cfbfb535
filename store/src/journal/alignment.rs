//! Which turns of a conversation a request has, and what it has in place of others.
//!
//! Pure.

use std::collections::{HashMap, HashSet};

use crate::records::{ConversationMatch, ReplacedTurn, TurnId};

/// The turns of a request up to where it meets a conversation, beside those of the conversation.
pub(super) struct Alignment<'a> {
    /// Of the request, oldest first.
    said: &'a [TurnId],
    /// Of the conversation, newest first.
    known: Vec<TurnId>,
}

impl<'a> Alignment<'a> {
    /// Both end with the same turn, unless nothing of the conversation is to be compared.
    pub(super) fn new(said: &'a [TurnId], known: Vec<TurnId>) -> Self {
        Self { said, known }
    }

    /// Notes what is lost and what is replaced.
    ///
    /// Between two turns that both have, turns of the conversation that the request has not got are lost. Where the request has
    /// exactly as many others there, each stands for one of them.
    pub(super) fn write(self, matched: &mut ConversationMatch) {
        let mut places: HashMap<TurnId, Vec<usize>> = HashMap::new();
        for (place, turn) in self.known.iter().enumerate() {
            places.entry(*turn).or_default().push(place);
        }
        let mut lost = Vec::new();
        // Place in `known` from which on nothing has been compared, and turns of the request since the last one that both have.
        let (mut from, mut unmatched) = (0, 0);
        for (at, turn) in self.said.iter().enumerate().rev() {
            let later = places.get(turn).and_then(|places| places.iter().find(|place| **place >= from));
            let Some(place) = later else {
                unmatched += 1;
                continue;
            };
            self.gap(at + 1, unmatched, from..*place, &mut lost, matched);
            (from, unmatched) = (place + 1, 0);
        }
        let rest = from..self.known.len();
        self.gap(0, unmatched, rest, &mut lost, matched);
        let has: HashSet<TurnId> = self.said.iter().copied().collect();
        let mut seen = HashSet::new();
        matched.lost = lost.into_iter().rev().filter(|turn| !has.contains(turn) && seen.insert(*turn)).collect();
        matched.replaced.sort_by_key(|replaced| replaced.at);
    }

    /// `unmatched` turns of the request from `at` on stand where the conversation has those of `range`.
    fn gap(
        &self,
        at: usize,
        unmatched: usize,
        range: std::ops::Range<usize>,
        lost: &mut Vec<TurnId>,
        matched: &mut ConversationMatch,
    ) {
        let known = self.known.get(range).unwrap_or_default();
        if known.len() != unmatched {
            lost.extend(known);
            return;
        }
        // The conversation's turns are newest first.
        let replaced = known.iter().rev().enumerate();
        matched.replaced.extend(replaced.map(|(nth, known)| ReplacedTurn { at: at + nth, known: *known }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> TurnId {
        TurnId([number; 16])
    }

    /// What is lost, and what is replaced by which, when a request says `said` in a conversation of `known`, oldest first.
    fn aligned(said: &[u8], known: &[u8]) -> (Vec<u8>, Vec<(usize, u8)>) {
        let said: Vec<TurnId> = said.iter().map(|number| id(*number)).collect();
        let known = known.iter().rev().map(|number| id(*number)).collect();
        let mut matched = ConversationMatch::default();
        Alignment::new(&said, known).write(&mut matched);
        let lost = matched.lost.iter().map(|turn| turn.0[0]).collect();
        (lost, matched.replaced.iter().map(|replaced| (replaced.at, replaced.known.0[0])).collect())
    }

    #[test]
    fn what_a_window_has_slid_past_is_lost() {
        assert_eq!(aligned(&[3, 4], &[1, 2, 3, 4]), (vec![1, 2], vec![]));
        assert_eq!(aligned(&[1, 2, 3, 4], &[1, 2, 3, 4]), (vec![], vec![]));
        assert_eq!(
            aligned(&[1, 5, 6], &[1, 2, 3, 4, 5, 6]),
            (vec![2, 3, 4], vec![]),
            "the first message stays in front"
        );
    }

    #[test]
    fn a_summary_in_front_replaces_nothing_unless_it_stands_for_one_turn() {
        assert_eq!(aligned(&[99, 3, 4], &[1, 2, 3, 4]), (vec![1, 2], vec![]));
        assert_eq!(aligned(&[99, 2, 3], &[1, 2, 3]), (vec![], vec![(0, 1)]), "a clock in the first message");
        assert_eq!(aligned(&[1, 98, 99, 4], &[1, 2, 3, 4]), (vec![], vec![(1, 2), (2, 3)]), "two were edited");
    }

    #[test]
    fn what_was_said_twice_is_lost_only_if_the_request_has_neither() {
        assert_eq!(aligned(&[7, 3], &[7, 1, 7, 3]), (vec![1], vec![]));
        assert_eq!(aligned(&[2, 3], &[7, 1, 7, 2, 3]), (vec![7, 1], vec![]));
        assert_eq!(aligned(&[], &[]), (vec![], vec![]));
    }
}
