//! Which conversation a request goes on with, and what becomes of its turns there.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod apart;
mod bounds;
mod deletions;
mod ends;
mod meetings;
mod properties;

use std::collections::HashSet;

use chrono::DateTime;

use super::Journal;
use super::continuation::best;
use super::places::ScopePlaces;
use crate::directory::Directory;
use crate::records::samples_for_tests::scope;
use crate::records::{
    ConversationAppend, ConversationId, ConversationMatch, PlacedTurn, Removal, Removed, SaidTurn, TurnId, TurnKind,
    TurnPlace,
};

struct Conversations {
    journal: Journal,
    begun: u8,
    _root: tempfile::TempDir,
}

fn id(number: u8) -> TurnId {
    TurnId([number; 16])
}

fn name(number: u8) -> ConversationId {
    ConversationId([number; 16])
}

/// Turns below 90 are long, others short, and those from 150 on calls and results. Even ones are answers.
fn kind(number: u8) -> TurnKind {
    match (number, number % 2) {
        (150.., _) => TurnKind::Routine,
        (90.., 0) => TurnKind::Answer,
        (90.., _) => TurnKind::Said,
        (_, 0) => TurnKind::TellingAnswer,
        _ => TurnKind::Telling,
    }
}

fn ids(numbers: &[u8]) -> Vec<TurnId> {
    numbers.iter().map(|number| id(*number)).collect()
}

fn said_turns(numbers: &[u8]) -> Vec<SaidTurn> {
    ids(numbers).into_iter().map(|turn| SaidTurn { turn, time: DateTime::UNIX_EPOCH }).collect()
}

impl Conversations {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(&root.path().join("data")).unwrap();
        Self { journal: Journal::open(&directory).unwrap(), begun: 200, _root: root }
    }

    fn match_conversation(&self, turns: &[u8]) -> ConversationMatch {
        self.match_where(turns, |_, _| false)
    }

    /// The same where some turns, by their places in the request, say again what others said.
    fn match_where(&self, turns: &[u8], says_again: impl Fn(usize, u8) -> bool) -> ConversationMatch {
        let kinds: Vec<TurnKind> = turns.iter().map(|number| kind(*number)).collect();
        let meetings = self.journal.meetings(&scope(), &ids(turns), &kinds).unwrap();
        let Some(point) = best(&meetings, |at, known| says_again(at, known.0[0])) else {
            return ConversationMatch::default();
        };
        self.journal.match_from(&scope(), &ids(turns), point).unwrap()
    }

    /// What a request with these turns, and its answer, leave behind.
    fn said(&mut self, turns: &[u8]) -> TurnPlace {
        let matched = self.match_conversation(turns);
        self.goes_on_from(&matched, turns.get(matched.known..).unwrap())
    }

    /// The same for turns that are new behind a match.
    fn goes_on_from(&mut self, matched: &ConversationMatch, new: &[u8]) -> TurnPlace {
        self.begun = self.begun.wrapping_add(1);
        let turns = said_turns(new);
        let new = ConversationAppend {
            scope: scope(),
            after: matched.tip,
            fresh: name(self.begun),
            turns,
            plain: Vec::new(),
        };
        let place = self.journal.place(&new).unwrap();
        assert_eq!(self.journal.place(&new).unwrap(), place, "once is as good as twice");
        place.or(matched.tip).unwrap()
    }

    fn delete(&self, what: Removed) {
        self.journal.delete(&Removal { scope: scope(), what }, |_, _| Some(Vec::new())).unwrap();
    }

    fn delete_turns(&self, turns: &[u8]) {
        self.delete(Removed::turns(ids(turns)));
    }

    /// Every turn at its place, as it would be put back.
    fn placed(&self) -> Vec<PlacedTurn> {
        let ScopePlaces { origins, placed } = self.journal.scope_places(&scope()).unwrap();
        let origin =
            |conversation| origins.iter().find(|(branch, _)| *branch == conversation).map(|(_, origin)| *origin);
        let placed = placed.into_iter().map(|(place, turn)| PlacedTurn {
            scope: scope(),
            turn,
            place,
            origin: origin(place.conversation),
            time: DateTime::UNIX_EPOCH,
            plain: None,
        });
        placed.collect()
    }

    fn lost(&self, turns: &[u8]) -> Vec<u8> {
        self.match_conversation(turns).lost.iter().map(|turn| turn.0[0]).collect()
    }
}

#[test]
fn a_conversation_grows_and_a_window_that_slides_over_it_goes_on_with_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2]);
    assert_eq!(all.said(&[1, 2, 3, 4]), TurnPlace { position: 3, ..first });
    assert_eq!(all.said(&[3, 4, 5, 6]), TurnPlace { position: 5, ..first });
    assert_eq!(all.lost(&[5, 6, 7]), [1, 2, 3, 4]);
    assert_eq!(all.match_conversation(&[5, 6, 7]).known, 2);
    assert!(all.lost(&[1, 2, 3, 4, 5, 6, 7]).is_empty());
}

#[test]
fn a_request_that_is_sent_again_is_new_in_nothing() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3]);
    let again = all.match_conversation(&[1, 2, 3]);
    assert_eq!((again.tip, again.known, again.is_newest), (Some(first), 3, true));
}

#[test]
fn an_answer_that_is_made_anew_begins_a_branch_that_has_lost_nothing_of_the_other() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5, 6]);
    let branch = all.said(&[1, 2, 3, 44, 55]);
    assert_ne!(branch.conversation, first.conversation);
    assert_eq!(branch.position, 4);
    assert_eq!(all.lost(&[44, 55, 66]), [1, 2, 3], "neither 4 nor 5 nor 6");
    assert_eq!(all.lost(&[5, 6, 7]), [1, 2, 3, 4], "and the first has none of the branch's");
    let further = all.said(&[1, 2, 3, 44, 55, 66, 77]);
    assert_eq!(further, TurnPlace { position: 6, ..branch });
    let third = all.said(&[1, 2, 3, 44, 99]);
    assert_eq!(all.lost(&[44, 99]), [1, 2, 3]);
    assert_eq!(third.position, 4);
}

#[test]
fn conversations_that_begin_alike_are_apart_from_where_they_differ() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4]);
    assert!(!all.match_conversation(&[1]).is_newest, "another conversation may begin with the same word");
    all.said(&[1, 2, 30, 40]);
    assert_eq!(all.lost(&[30, 40, 50]), [1, 2]);
    assert_eq!(all.lost(&[3, 4, 5]), [1, 2]);
}

#[test]
fn two_requests_at_once_agree_on_what_came_first() {
    let all = Conversations::new();
    let new = |after, fresh, turns: &[u8]| ConversationAppend {
        scope: scope(),
        after,
        fresh: name(fresh),
        turns: said_turns(turns),
        plain: Vec::new(),
    };
    let first = all.journal.place(&new(None, 201, &[1, 2])).unwrap().unwrap();
    let one = all.journal.place(&new(Some(first), 202, &[3, 4])).unwrap().unwrap();
    let other = all.journal.place(&new(Some(first), 203, &[3, 5])).unwrap().unwrap();
    assert_eq!(one, TurnPlace { position: 3, ..first });
    assert_eq!(other, TurnPlace { conversation: name(203), position: 3 });
    assert_eq!(all.lost(&[2, 3, 5]), [1]);
    let answer = all.journal.place(&new(Some(first), 203, &[3, 5, 6])).unwrap().unwrap();
    assert_eq!(answer, TurnPlace { position: 4, ..other });
}

#[test]
fn branches_that_begin_in_each_other_are_not_walked_through_for_ever() {
    let all = Conversations::new();
    let place = |conversation: u8, position| TurnPlace { conversation: name(conversation), position };
    let placed = |conversation: u8, of: u8| PlacedTurn {
        scope: scope(),
        turn: id(conversation),
        place: place(conversation, 5),
        origin: Some(place(of, 4)),
        time: DateTime::UNIX_EPOCH,
        plain: None,
    };
    all.journal.restore(&[], &[placed(1, 2), placed(2, 1)], |_, _| false).unwrap();
    assert!(all.lost(&[1, 2]).is_empty());
}
