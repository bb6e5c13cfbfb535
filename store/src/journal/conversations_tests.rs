//! Which conversation a request goes on with, and what becomes of its turns there.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::Journal;
use crate::directory::Directory;
use crate::records::samples::scope;
use crate::records::{Deletion, NewTurns, Standing, TurnId, TurnPlace};

struct Conversations {
    journal: Journal,
    begun: u8,
    _root: tempfile::TempDir,
}

fn id(number: u8) -> TurnId {
    TurnId([number; 16])
}

fn ids(numbers: &[u8]) -> Vec<TurnId> {
    numbers.iter().map(|number| id(*number)).collect()
}

impl Conversations {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(&root.path().join("data")).unwrap();
        Self { journal: Journal::open(&directory).unwrap(), begun: 200, _root: root }
    }

    fn standing(&self, turns: &[u8]) -> Standing {
        // Turns from 100 on are long.
        let is_telling: Vec<bool> = turns.iter().map(|number| *number >= 100).collect();
        self.journal.standing(&scope(), &ids(turns), &is_telling).unwrap()
    }

    /// What a request with these turns, and its answer, leave behind.
    fn said(&mut self, turns: &[u8]) -> TurnPlace {
        let standing = self.standing(turns);
        self.begun += 1;
        let turns = ids(turns.get(standing.known..).unwrap());
        let new = NewTurns { scope: scope(), after: standing.tip, fresh: id(self.begun), turns };
        let place = self.journal.place(&new).unwrap();
        assert_eq!(self.journal.place(&new).unwrap(), place, "once is as good as twice");
        place.or(standing.tip).unwrap()
    }

    fn lost(&self, turns: &[u8]) -> Vec<u8> {
        self.standing(turns).lost.iter().map(|turn| turn.0[0]).collect()
    }
}

#[test]
fn a_conversation_grows_and_a_window_that_slides_over_it_goes_on_with_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2]);
    assert_eq!(all.said(&[1, 2, 3, 4]), TurnPlace { position: 3, ..first });
    assert_eq!(all.said(&[3, 4, 5, 6]), TurnPlace { position: 5, ..first });
    assert_eq!(all.lost(&[5, 6, 7]), [1, 2, 3, 4]);
    assert_eq!(all.standing(&[5, 6, 7]).known, 2);
    assert!(all.lost(&[1, 2, 3, 4, 5, 6, 7]).is_empty());
}

#[test]
fn a_request_that_is_sent_again_is_new_in_nothing() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3]);
    let again = all.standing(&[1, 2, 3]);
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
    assert!(!all.standing(&[1]).is_newest, "another conversation may begin with the same word");
    all.said(&[1, 2, 30, 40]);
    assert_eq!(all.lost(&[30, 40, 50]), [1, 2]);
    assert_eq!(all.lost(&[3, 4, 5]), [1, 2]);
}

#[test]
fn what_is_said_again_elsewhere_does_not_tell_a_conversation() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4, 5]);
    assert_eq!(all.standing(&[3]).tip, None, "the only turn of a request may begin a conversation");
    assert_eq!(all.standing(&[3, 90]).tip, None);
    assert_eq!(all.standing(&[90, 3, 91]).tip, None);
    all.said(&[10, 11, 3]);
    let new = all.standing(&[10, 11, 3, 12]);
    assert_eq!((new.known, new.is_newest), (3, true));
    all.said(&[20, 104, 105]);
    assert_eq!(
        all.standing(&[104, 21]).tip,
        None,
        "it stands where a window would begin, and at the request's beginning"
    );
    assert_eq!(all.standing(&[90, 104, 21]).known, 2, "long enough to tell");
}

#[test]
fn a_clock_in_the_first_message_stands_for_the_first_message() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4]);
    let standing = all.standing(&[9, 2, 3, 4, 5]);
    assert_eq!((standing.known, standing.is_newest), (4, true));
    assert!(standing.lost.is_empty());
    assert_eq!(
        standing.replaced.iter().map(|replaced| (replaced.at, replaced.known)).collect::<Vec<_>>(),
        [(0, id(1))]
    );
}

#[test]
fn two_requests_at_once_agree_on_what_came_first() {
    let all = Conversations::new();
    let new = |after, fresh, turns: &[u8]| NewTurns { scope: scope(), after, fresh: id(fresh), turns: ids(turns) };
    let first = all.journal.place(&new(None, 201, &[1, 2])).unwrap().unwrap();
    let one = all.journal.place(&new(Some(first), 202, &[3, 4])).unwrap().unwrap();
    let other = all.journal.place(&new(Some(first), 203, &[3, 5])).unwrap().unwrap();
    assert_eq!(one, TurnPlace { position: 3, ..first });
    assert_eq!(other, TurnPlace { conversation: id(203), position: 3 });
    assert_eq!(all.lost(&[3, 5]), [1, 2]);
    let answer = all.journal.place(&new(Some(first), 203, &[3, 5, 6])).unwrap().unwrap();
    assert_eq!(answer, TurnPlace { position: 4, ..other });
}

#[test]
fn a_deletion_takes_conversations_with_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3]);
    let other = all.said(&[5, 6, 7]);
    let deletion = Deletion { scope: scope(), conversation: Some(first.conversation) };
    all.journal.delete(&deletion).unwrap();
    assert_eq!(all.standing(&[1, 2, 3]).tip, None);
    assert_eq!(all.standing(&[5, 6, 7]).tip, Some(other));
    all.journal.delete(&Deletion { scope: scope(), conversation: None }).unwrap();
    assert_eq!(all.standing(&[5, 6, 7]).tip, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_window_loses_what_it_has_slid_past_and_nothing_else(length in 3..30u8, window in 3..8usize) {
        let mut all = Conversations::new();
        let turns: Vec<u8> = (1..=length).collect();
        for end in 1..=turns.len() {
            let begin = end.saturating_sub(window);
            let seen = turns.get(begin..end).unwrap();
            let lost = all.lost(seen);
            prop_assert_eq!(&lost[..], turns.get(..begin).unwrap());
            let place = all.said(seen);
            prop_assert_eq!(place.position as usize, end - 1);
        }
    }
}
