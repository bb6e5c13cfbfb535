//! Which conversation a request goes on with where its beginning is not known: windows, summaries, clocks, phrases that recur.

use super::*;

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
fn short_phrases_at_the_end_tell_a_window_and_nothing_behind_something_else_that_may_stand_for_all_before() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 91, 92, 93, 94]);
    assert_eq!(all.match_conversation(&[93, 94, 95]).tip, Some(end));
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
fn of_two_conversations_that_end_alike_none_is_meant_unless_one_has_all_of_the_window() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let second = all.said(&[11, 12, 13, 14, 5, 6, 7, 8]);
    assert_ne!(first.conversation, second.conversation);
    assert_eq!(all.match_conversation(&[3, 4, 5, 6, 7, 8, 9]).tip, Some(first));
    assert_eq!(all.match_conversation(&[5, 6, 7, 8, 9]), ConversationMatch::default());
    assert_eq!(all.match_conversation(&[99, 5, 6, 7, 8, 9]).tip, None, "nor behind a summary");
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
fn questions_without_their_documents_are_found_in_a_window_of_one_exchange() {
    let mut all = Conversations::new();
    let comes_with = |at, known| (at, known) == (0, 97);
    let end = all.said(&[1, 2, 97, 98]);
    let matched = all.match_where(&[95, 98, 99], comes_with);
    assert_eq!((matched.tip, matched.lost.len()), (Some(end), 3));
    assert_eq!(all.match_conversation(&[95, 98, 99]).tip, None, "another question is another chat");
}
