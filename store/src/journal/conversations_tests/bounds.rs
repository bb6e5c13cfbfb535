//! How much a request may read to find its conversation, and what becomes of it where that is not enough.

use super::*;
use crate::journal::continuation::Meeting;
use crate::journal::conversations::MeetingPoint;

/// Where a request goes on if so many rows may be read, and what was found.
fn within(all: &Conversations, turns: &[u8], rows: usize) -> (Option<MeetingPoint>, Vec<Meeting>) {
    let kinds: Vec<TurnKind> = turns.iter().map(|number| kind(*number)).collect();
    let meetings = all.journal.meetings_within(&scope(), &ids(turns), &kinds, rows).unwrap();
    (best(&meetings, |_, _| false), meetings)
}

/// Chats that begin with the same turns, each in rows of its own. The last one is the newest.
fn alike(beginning: &[u8], answers: &[u8]) -> (Conversations, Option<TurnPlace>) {
    let mut all = Conversations::new();
    let chats = answers.iter().map(|answer| [beginning, &[*answer]].concat());
    let last = chats.map(|chat| all.goes_on_from(&ConversationMatch::default(), &chat)).last();
    (all, last)
}

#[test]
fn an_answer_that_is_made_anew_in_one_of_many_chats_that_begin_alike_is_found_by_reading_few_of_them() {
    let beginning: Vec<u8> = (1..=39).collect();
    let (all, last) = alike(&beginning, &[40, 42, 44, 46, 48, 50]);
    let (point, every) = within(&all, &beginning, usize::MAX);
    assert_eq!(every.len(), 6);
    assert_eq!(point.map(|point| point.place.conversation), last.map(|place| place.conversation));
    for rows in [60, 100, 200] {
        let (found, some) = within(&all, &beginning, rows);
        let read: usize = some.iter().map(|meeting| meeting.beside.len()).sum();
        assert!(read <= rows && (1..6).contains(&some.len()), "{read} of {rows} rows");
        assert_eq!(found, point, "the newest comes first");
    }
    assert_eq!(
        within(&all, &beginning, 30),
        (None, Vec::new()),
        "nothing is known of one that was not read to its end"
    );
}

#[test]
fn a_window_whose_rivals_were_not_looked_at_is_another_chat() {
    let beginning: Vec<u8> = (1..=39).collect();
    let (all, last) = alike(&beginning, &[40, 42, 44, 46, 48, 50]);
    let window = [37, 38, 39, 50, 51];
    let (point, found) = within(&all, &window, usize::MAX);
    assert_eq!((point.map(|point| point.place), found.is_empty()), (last, false));
    for rows in 0..12 {
        assert_eq!(within(&all, &window, rows).0, None, "{rows} rows");
    }
}

#[test]
fn a_turn_with_many_places_in_one_chat_is_not_known_to_be_said_nowhere_else() {
    let mut all = Conversations::new();
    let chat = [&[1][..], &[92, 91].repeat(70), &[2, 91, 92]].concat();
    let end = all.goes_on_from(&ConversationMatch::default(), &chat);
    assert_eq!(all.match_conversation(&[91, 92, 93]).tip, None);
    assert_eq!(all.match_conversation(&[2, 91, 92, 93]).tip, Some(end), "the first of them is said nowhere else");
}
