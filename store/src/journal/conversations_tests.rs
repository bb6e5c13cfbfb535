//! Which conversation a request goes on with, and what becomes of its turns there.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::HashSet;

use chrono::DateTime;
use proptest::prelude::*;

use super::Journal;
use super::places::ScopePlaces;
use crate::directory::Directory;
use crate::records::samples::scope;
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
        // Turns from 150 on are calls and results, and others from 100 on are long.
        let kind = |number: &u8| match number {
            150.. => TurnKind::Routine,
            100.. => TurnKind::Telling,
            _ => TurnKind::Said,
        };
        let kinds: Vec<TurnKind> = turns.iter().map(kind).collect();
        self.journal.match_conversation(&scope(), &ids(turns), &kinds).unwrap()
    }

    /// What a request with these turns, and its answer, leave behind.
    fn said(&mut self, turns: &[u8]) -> TurnPlace {
        let matched = self.match_conversation(turns);
        self.begun += 1;
        let turns = said_turns(turns.get(matched.known..).unwrap());
        let new = ConversationAppend { scope: scope(), after: matched.tip, fresh: name(self.begun), turns };
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
fn what_is_said_again_elsewhere_does_not_tell_a_conversation() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4, 5]);
    assert_eq!(all.match_conversation(&[3]).tip, None, "the only turn of a request may begin a conversation");
    assert_eq!(all.match_conversation(&[3, 90]).tip, None);
    assert_eq!(all.match_conversation(&[90, 3, 91]).tip, None);
    all.said(&[10, 11, 3]);
    let new = all.match_conversation(&[10, 11, 3, 12]);
    assert_eq!((new.known, new.is_newest), (3, true));
    all.said(&[20, 104, 105]);
    assert_eq!(
        all.match_conversation(&[104, 21]).tip,
        None,
        "it stands where a window would begin, and at the request's beginning"
    );
    assert_eq!(all.match_conversation(&[90, 104, 21]).known, 2, "long enough to tell");
}

#[test]
fn calls_and_results_that_agents_make_everywhere_tell_no_conversation() {
    let mut all = Conversations::new();
    let routine: Vec<u8> = (150..170).collect();
    all.said(&[&[1], &routine[..]].concat());
    for called in [2, 8, 20] {
        let asked = [&[40 + called], &routine[..usize::from(called)]].concat();
        assert_eq!(all.match_conversation(&asked).tip, None, "{called} alike");
        let own = all.said(&asked[..1]);
        assert_eq!(all.match_conversation(&asked).tip, Some(own), "its own question is known, and all else is new");
        all.said(&asked);
    }
    assert!(all.lost(&[&[1], &routine[..]].concat()).is_empty());
}

#[test]
fn a_clock_in_the_first_message_stands_for_the_first_message() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4]);
    let matched = all.match_conversation(&[9, 2, 3, 4, 5]);
    assert_eq!((matched.known, matched.is_newest), (4, true));
    assert!(matched.lost.is_empty());
    assert_eq!(matched.replaced.iter().map(|replaced| (replaced.at, replaced.known)).collect::<Vec<_>>(), [(0, id(1))]);
}

#[test]
fn two_requests_at_once_agree_on_what_came_first() {
    let all = Conversations::new();
    let new = |after, fresh, turns: &[u8]| ConversationAppend {
        scope: scope(),
        after,
        fresh: name(fresh),
        turns: said_turns(turns),
    };
    let first = all.journal.place(&new(None, 201, &[1, 2])).unwrap().unwrap();
    let one = all.journal.place(&new(Some(first), 202, &[3, 4])).unwrap().unwrap();
    let other = all.journal.place(&new(Some(first), 203, &[3, 5])).unwrap().unwrap();
    assert_eq!(one, TurnPlace { position: 3, ..first });
    assert_eq!(other, TurnPlace { conversation: name(203), position: 3 });
    assert_eq!(all.lost(&[3, 5]), [1, 2]);
    let answer = all.journal.place(&new(Some(first), 203, &[3, 5, 6])).unwrap().unwrap();
    assert_eq!(answer, TurnPlace { position: 4, ..other });
}

#[test]
fn a_deletion_takes_conversations_with_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3]);
    let other = all.said(&[5, 6, 7]);
    let (ids, conversations) = (HashSet::new(), HashSet::from([first.conversation]));
    all.delete(Removed::Turns { ids, conversations, places: HashSet::new() });
    assert_eq!(all.match_conversation(&[1, 2, 3]).tip, None);
    assert_eq!(all.match_conversation(&[5, 6, 7]).tip, Some(other));
    all.delete(Removed::Everything);
    assert_eq!(all.match_conversation(&[5, 6, 7]).tip, None);
    assert!(all.journal.scope_places(&scope()).unwrap().placed.is_empty());
}

#[test]
fn the_branches_of_a_conversation_belong_to_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5, 6]);
    let branch = all.said(&[1, 2, 3, 44, 55]);
    let further = all.said(&[1, 2, 3, 44, 66]);
    let other = all.said(&[7, 8, 3]);
    let family = all.journal.with_branches(&scope(), first.conversation).unwrap();
    assert_eq!(family, HashSet::from([first, branch, further].map(|place| place.conversation)));
    assert_eq!(all.journal.with_branches(&scope(), branch.conversation).unwrap().len(), 2);
    let turns = all.journal.turns_of(&scope(), &family).unwrap();
    let said: HashSet<TurnId> = ids(&[1, 2, 3, 4, 5, 6, 44, 55, 66]).into_iter().collect();
    assert_eq!(turns, said);
    let shared = all.journal.in_other_conversations(&scope(), &turns, &family).unwrap();
    assert_eq!(shared, HashSet::from([id(3)]), "{other:?} has it as well");
}

#[test]
fn around_a_turn_that_was_deleted_everything_keeps_its_place() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5]);
    all.delete_turns(&[3]);
    for request in [&[1, 2, 3, 4, 5, 6][..], &[1, 2, 33, 4, 5, 6], &[1, 2, 4, 5, 6]] {
        let matched = all.match_conversation(request);
        assert_eq!((matched.tip, matched.is_newest), (Some(first), true), "{request:?}");
        assert_eq!((matched.known, matched.lost.len()), (request.len() - 1, 0), "{request:?}");
        assert!(matched.replaced.is_empty(), "{request:?}");
    }
    assert_eq!(all.lost(&[4, 5, 6]), [1, 2], "nobody has said what stands between them");
    assert_eq!(all.said(&[1, 2, 3, 4, 5, 6]), TurnPlace { position: 5, ..first });
    let branch = all.said(&[1, 2, 77]);
    assert_ne!(branch.conversation, first.conversation, "the place is not free");
}

#[test]
fn a_turn_that_was_deleted_tells_no_conversation() {
    let mut all = Conversations::new();
    all.said(&[9, 1, 2, 3, 4]);
    all.delete_turns(&[1, 2]);
    assert_eq!(all.match_conversation(&[90, 91, 92, 3]).tip, None, "only 3 is the same");
    assert_eq!(all.match_conversation(&[90, 91, 3, 4, 5]).known, 4);
}

#[test]
fn nothing_of_a_deleted_turn_stays_at_the_ends_of_its_conversation() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5, 6]);
    all.delete_turns(&[1, 2, 6]);
    let matched = all.match_conversation(&[3, 4, 5, 7]);
    assert_eq!((matched.known, matched.is_newest), (3, true));
    assert_eq!(all.said(&[3, 4, 5, 7]), TurnPlace { position: 5, ..first });
    let places = all.journal.scope_places(&scope()).unwrap().placed;
    let places: Vec<(u32, u8)> = places.iter().map(|(place, turn)| (place.position, turn.0[0])).collect();
    assert_eq!(places, [(2, 3), (3, 4), (4, 5), (5, 7)]);
    all.delete_turns(&[3, 4, 5, 7]);
    assert!(all.journal.scope_places(&scope()).unwrap().placed.is_empty());
}

#[test]
fn what_was_put_back_is_as_it_was_and_stands_in_nobodys_way() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4]);
    let branch = all.said(&[1, 2, 33, 44]);
    let before = all.journal.scope_places(&scope()).unwrap();
    let placed: Vec<PlacedTurn> = all.placed();
    all.delete_turns(&[3, 33]);
    let restored = all.journal.restore(&[], &placed, |_| false).unwrap();
    assert!(restored.is_empty(), "no words came with it");
    let after = all.journal.scope_places(&scope()).unwrap();
    assert_eq!((after.placed, after.origins), (before.placed, before.origins));
    assert_eq!(all.match_conversation(&[1, 2, 3, 4]).tip, Some(first));
    assert_eq!(all.match_conversation(&[1, 2, 33, 44]).tip, Some(branch));
    let other = PlacedTurn { turn: id(99), ..placed[0].clone() };
    all.journal.restore(&[], &[other], |_| false).unwrap();
    assert_eq!(all.placed(), placed, "its place is taken");
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
    };
    all.journal.restore(&[], &[placed(1, 2), placed(2, 1)], |_| false).unwrap();
    assert!(all.lost(&[1, 2]).is_empty());
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

    #[test]
    fn after_any_deletions_a_conversation_is_found_by_what_is_left_of_it_and_grows_at_its_end(
        length in 6..20_u8, deleted in prop::collection::hash_set(1..20_u8, 0..12),
    ) {
        let mut all = Conversations::new();
        let turns: Vec<u8> = (1..=length).collect();
        let first = all.said(&turns);
        let deleted: Vec<u8> = deleted.into_iter().collect();
        all.delete_turns(&deleted);
        let left: Vec<u8> = turns.iter().copied().filter(|turn| !deleted.contains(turn)).collect();
        let places = all.journal.scope_places(&scope()).unwrap().placed;
        prop_assert!(places.iter().all(|(_, turn)| !ids(&deleted).contains(turn)));
        prop_assume!(left.len() >= 2);
        for request in [&turns, &left] {
            let request: Vec<u8> = request.iter().copied().chain([99]).collect();
            let matched = all.match_conversation(&request);
            prop_assert_eq!(matched.tip.map(|tip| tip.conversation), Some(first.conversation));
            prop_assert!(matched.is_newest);
            prop_assert!(matched.lost.is_empty());
        }
    }
}
