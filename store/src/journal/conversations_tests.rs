//! Which conversation a request goes on with, and what becomes of its turns there.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::HashSet;

use chrono::DateTime;
use proptest::prelude::*;

use super::Journal;
use super::continuation::best;
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
    for request in [&[3, 90][..], &[90, 3, 91], &[91, 4, 5], &[91, 92, 4, 5], &[91, 4, 93], &[4, 93]] {
        assert_eq!(all.match_conversation(request).tip, None, "{request:?}");
    }
    all.said(&[10, 11, 3]);
    let new = all.match_conversation(&[10, 11, 3, 12]);
    assert_eq!((new.known, new.is_newest), (3, true));
}

#[test]
fn requests_that_ask_the_same_of_different_documents_are_conversations_of_their_own() {
    let mut all = Conversations::new();
    let (read_it, summarise) = (2, 3);
    let mut places = Vec::new();
    for (document, answer) in [(11, 12), (21, 22), (31, 32)] {
        assert_eq!(all.match_conversation(&[document, read_it, summarise]).tip, None, "{document}");
        places.push(all.said(&[document, read_it, summarise, answer]));
    }
    let names: HashSet<ConversationId> = places.iter().map(|place| place.conversation).collect();
    assert_eq!(names.len(), 3);
    for (document, answer, place) in [(11, 12, places[0]), (21, 22, places[1]), (31, 32, places[2])] {
        let matched = all.match_conversation(&[document, read_it, summarise, answer, 99]);
        assert_eq!((matched.tip, matched.lost.len()), (Some(place), 0), "each goes on with its own");
    }
    let only = HashSet::from([places[0].conversation]);
    let turns = all.journal.turns_of(&scope(), &only).unwrap();
    let elsewhere = all.journal.in_other_conversations(&scope(), &turns, &only).unwrap();
    assert_eq!(elsewhere, HashSet::from([id(read_it), id(summarise)]), "these are the others' as well");
}

#[test]
fn a_question_that_was_never_answered_is_not_the_same_chat_as_another_one_that_asks_it() {
    let mut all = Conversations::new();
    all.said(&[11, 2, 3]);
    assert_eq!(all.match_conversation(&[21, 2, 3]).tip, None);
    all.said(&[5, 6, 7, 8, 11, 2, 3]);
    assert_eq!(all.match_conversation(&[21, 2, 3]).tip, None, "it is no summary that is sent again with a question");
}

#[test]
fn what_begins_a_chat_may_be_said_in_the_middle_of_another_one() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2]);
    let hello = [91, 92, 1];
    assert_eq!(all.match_conversation(&hello).tip, None);
    let second = all.said(&hello);
    assert_ne!(second.conversation, first.conversation);
    assert_eq!(second.position, 2, "its own first turns are in front of it");
    assert_eq!(all.said(&[91, 92, 1, 4]), TurnPlace { position: 3, ..second });
    assert_eq!(all.match_conversation(&[1, 2, 5]).tip, Some(first));
}

#[test]
fn a_question_that_an_earlier_chat_ended_with_does_not_bring_that_chat_along() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(all.match_conversation(&[11, 92, 7]), ConversationMatch::default());
    let own = all.said(&[11, 92, 7, 12]);
    assert_eq!(all.match_conversation(&[11, 92, 7, 12, 13]).tip, Some(own));
    assert!(all.lost(&[11, 92, 7, 12, 13]).is_empty());
}

#[test]
fn a_summary_in_front_of_what_was_said_last_goes_on_with_the_conversation() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    for summary in [&[99][..], &[99, 98]] {
        for window in [&[7, 8][..], &[6, 7, 8], &[5, 6, 7, 8]] {
            let request = [summary, window, &[9]].concat();
            let matched = all.match_conversation(&request);
            assert_eq!((matched.tip, matched.is_newest), (Some(end), true), "{request:?}");
            assert_eq!(matched.lost.len(), 8 - window.len(), "{request:?}");
        }
    }
    for request in [&[99, 8, 9][..], &[99, 5, 6, 9], &[99, 7, 8], &[99, 98, 97, 96, 95, 94, 7, 8, 9]] {
        assert_eq!(all.match_conversation(request).tip, None, "{request:?}");
    }
}

#[test]
fn what_stands_in_front_must_be_less_than_what_it_stands_for() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4, 5, 6]);
    assert_eq!(all.match_conversation(&[99, 3, 4, 5, 6, 7]).known, 5, "one stands for two");
    assert_eq!(all.match_conversation(&[99, 98, 3, 4, 5, 6, 7]).tip, None, "two stand for two");
    assert_eq!(all.match_conversation(&[99, 2, 3, 4, 5, 6, 7]).tip, None, "another first message");
    assert_eq!(all.match_conversation(&[99, 98, 1, 2, 3, 4, 5, 6, 7]).tip, None, "nothing is lacking");
}

#[test]
fn short_phrases_tell_a_window_only_in_a_long_row() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 91, 92, 93, 94]);
    assert_eq!(all.match_conversation(&[93, 94, 95]).tip, None);
    assert_eq!(all.match_conversation(&[91, 92, 93, 94, 95]).tip, Some(end));
    assert_eq!(all.match_conversation(&[99, 91, 92, 93, 94, 95]).tip, None, "and not behind something else");
    let long = all.said(&[1, 2, 91, 92, 93, 94, 5, 96]);
    assert_eq!(all.match_conversation(&[5, 96, 97]).tip, Some(long), "one of them is long");
}

#[test]
fn in_a_window_an_answer_is_made_anew_and_a_question_edited_where_enough_is_known_before_it() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let at = |position| Some(TurnPlace { position, ..end });
    let again = all.match_conversation(&[4, 5, 6, 7]);
    assert_eq!((again.tip, again.is_newest), (at(6), false));
    assert_eq!(all.match_conversation(&[3, 4, 5, 6, 77]).tip, at(5), "the last question is edited");
    assert_eq!(all.match_conversation(&[5, 6, 7]).tip, None, "that few may be another chat's");
    assert_eq!(all.match_conversation(&[5, 6, 77]).tip, None);
}

#[test]
fn a_question_that_got_no_answer_may_be_put_otherwise() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 3, 4, 5]);
    let matched = all.match_conversation(&[3, 4, 7]);
    assert_eq!((matched.tip, matched.is_newest), (Some(TurnPlace { position: 3, ..end }), false));
}

#[test]
fn a_first_message_that_stays_in_front_of_the_window_does_not_hide_the_conversation() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let matched = all.match_conversation(&[1, 5, 6, 7, 8, 9]);
    assert_eq!((matched.tip, matched.is_newest), (Some(end), true));
    assert_eq!(all.lost(&[1, 5, 6, 7, 8, 9]), [2, 3, 4]);
}

#[test]
fn of_two_conversations_that_end_alike_the_longest_row_tells_and_then_the_newest() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let second = all.said(&[11, 12, 13, 14, 5, 6, 7, 8]);
    assert_ne!(first.conversation, second.conversation);
    assert_eq!(all.match_conversation(&[3, 4, 5, 6, 7, 8, 9]).tip, Some(first));
    assert_eq!(all.match_conversation(&[5, 6, 7, 8, 9]).tip, Some(second));
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
    let ticks = |at, known| (at, known) == (0, 1);
    let matched = all.match_where(&[9, 2, 3, 4, 5], ticks);
    assert_eq!((matched.known, matched.is_newest), (4, true));
    assert!(matched.lost.is_empty());
    assert_eq!(matched.replaced.iter().map(|replaced| (replaced.at, replaced.known)).collect::<Vec<_>>(), [(0, id(1))]);
    assert_eq!(all.match_conversation(&[9, 2, 3, 4, 5]).tip, None, "another first message is another chat");
    assert_eq!(all.match_where(&[9, 5], ticks).tip, None, "it has no answer yet");
    let again = all.match_where(&[9, 2, 3], ticks);
    assert_eq!((again.known, again.is_newest), (3, false), "an answer is made anew");
}

#[test]
fn behind_a_clock_short_answers_are_enough() {
    let mut all = Conversations::new();
    let first = all.said(&[91, 92]);
    let matched = all.match_where(&[93, 92, 95], |at, known| (at, known) == (0, 91));
    assert_eq!((matched.tip, matched.is_newest), (Some(first), true));
    assert_eq!(all.match_conversation(&[93, 92, 95]).tip, None);
}

#[test]
fn questions_without_the_documents_that_they_came_with_are_the_conversations_own() {
    let mut all = Conversations::new();
    // The question 3 came as 33, with documents, and so on.
    let comes_with = |_, known: u8| (30..40).contains(&known);
    all.said(&[31, 2]);
    assert_eq!(all.match_where(&[1, 2, 33], comes_with).known, 2);
    let end = all.said(&[31, 2, 33, 4, 35, 6]);
    for (request, lost) in [(&[1, 2, 3, 4, 5, 6, 37][..], 0), (&[3, 4, 5, 6, 37], 3), (&[5, 6, 37], 5)] {
        let matched = all.match_where(request, comes_with);
        assert_eq!((matched.tip, matched.lost.len()), (Some(end), lost), "{request:?}");
    }
    // Where some of the beginning is known word for word the whole still counts.
    all.said(&[1, 2, 95]);
    assert_eq!(all.match_where(&[1, 2, 3, 4, 5, 6, 37], comes_with).tip, Some(end));
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
    assert_eq!(all.lost(&[2, 3, 5]), [1]);
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
        prop_assume!(left.len() >= 2 && left.iter().any(|turn| kind(*turn).is_answer()));
        for request in [&turns, &left] {
            let request: Vec<u8> = request.iter().copied().chain([99]).collect();
            let matched = all.match_conversation(&request);
            prop_assert_eq!(matched.tip.map(|tip| tip.conversation), Some(first.conversation));
            prop_assert!(matched.is_newest);
            prop_assert!(matched.lost.is_empty());
        }
    }

    #[test]
    fn chats_that_say_the_same_after_other_first_messages_stay_apart(
        same in prop::collection::btree_set(1..90_u8, 0..8), chats in 2..4_u8, own in 1..4_u8,
    ) {
        let mut all = Conversations::new();
        // Each chat has short turns of its own at its beginning.
        let begin = |chat: u8| (0..own).map(move |turn| 100 + 16 * chat + turn);
        let chats: Vec<Vec<u8>> = (0..chats).map(|chat| begin(chat).chain(same.iter().copied()).collect()).collect();
        let mut names = HashSet::new();
        for chat in &chats {
            prop_assert_eq!(&all.match_conversation(chat), &ConversationMatch::default(), "brought at once");
            names.insert(all.said(chat).conversation);
        }
        prop_assert_eq!(names.len(), chats.len());
        for chat in &chats {
            let request: Vec<u8> = chat.iter().copied().chain([149]).collect();
            let matched = all.match_conversation(&request);
            prop_assert_eq!((matched.known, matched.is_newest, matched.lost.len()), (chat.len(), true, 0));
        }
    }
}
