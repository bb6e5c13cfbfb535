//! Which conversation a request goes on with that has a few turns of its end: small windows, summaries, agents, and what only looks
//! like them.

use super::*;

/// Has a chat played by a client that sends so many of its last turns: each request finds the conversation, and loses the rest.
fn play(all: &mut Conversations, chat: &[u8], window: usize) {
    let mut end = None;
    for question in (0..chat.len()).filter(|at| at.is_multiple_of(2)) {
        let begin = (question + 1).saturating_sub(window);
        let request = &chat[begin..=question];
        let matched = all.match_conversation(request);
        assert_eq!(matched.tip, end, "{request:?} of {chat:?}");
        let mut lost: Vec<u8> = Vec::new();
        for turn in &chat[..begin] {
            if !request[..matched.known].contains(turn) && !lost.contains(turn) {
                lost.push(*turn);
            }
        }
        assert_eq!(matched.lost, ids(&lost), "{request:?} of {chat:?}");
        let answered = &chat[begin..chat.len().min(question + 2)];
        end = Some(all.said(answered));
    }
}

#[test]
fn a_window_of_one_exchange_goes_on_where_that_exchange_is_short() {
    let mut all = Conversations::new();
    play(&mut all, &[1, 2, 91, 92, 3, 4, 93, 94, 91, 92, 5, 6], 3);
    let turns = all.journal.scope_places(&scope()).unwrap().placed;
    assert_eq!(turns.len(), 12, "in one conversation");
}

#[test]
fn a_short_exchange_that_several_conversations_end_with_tells_none_of_them() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 91, 92]);
    assert_eq!(all.match_conversation(&[91, 92, 5]).tip, Some(first));
    all.said(&[11, 12, 91, 92]);
    assert_eq!(all.match_conversation(&[91, 92, 5]), ConversationMatch::default());
    assert_eq!(all.match_conversation(&[99, 91, 92, 5]), ConversationMatch::default());
    all.said(&[1, 2, 91, 92, 3, 4]);
    let second = all.match_conversation(&[91, 92, 5]).tip.unwrap();
    assert_ne!(second.conversation, first.conversation, "the first ends otherwise now");
}

#[test]
fn a_chat_that_sends_everything_goes_on_with_what_it_sent_and_not_with_the_end_of_another_one() {
    let mut all = Conversations::new();
    let other = all.said(&[1, 2, 3, 4, 91, 92]);
    let own = all.said(&[91]);
    assert_ne!(own.conversation, other.conversation);
    let own = all.said(&[91, 92]);
    assert_eq!(all.match_conversation(&[91, 92, 5]).tip, Some(own));
    assert!(all.lost(&[91, 92, 5]).is_empty());
}

#[test]
fn a_question_that_began_a_chat_long_ago_does_not_hide_the_conversation_that_ends_with_its_answer() {
    let mut all = Conversations::new();
    all.said(&[91, 2, 3, 4]);
    let end = all.said(&[11, 12, 91, 92]);
    assert_eq!(all.match_conversation(&[91, 92, 5]).tip, Some(end), "the first one was answered otherwise");
}

#[test]
fn an_exchange_with_an_answer_behind_it_that_nobody_knows_is_another_chat() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4]);
    for pair in [[91, 92], [3, 4]] {
        assert_eq!(all.match_conversation(&[pair[0], pair[1], 95, 96, 97]).tip, None, "{pair:?}");
    }
}

#[test]
fn a_summary_in_front_of_a_short_exchange_goes_on_with_the_one_conversation_that_ends_with_it() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 3, 4, 91, 92]);
    let matched = all.match_conversation(&[99, 91, 92, 5]);
    assert_eq!((matched.tip, matched.lost.len()), (Some(end), 4));
    for request in [&[99, 91, 92][..], &[99, 98, 91, 92, 5], &[99, 92, 5], &[99, 91, 92, 95, 96, 97]] {
        assert_eq!(all.match_conversation(request).tip, None, "{request:?}");
    }
}

#[test]
fn an_agents_window_of_calls_and_results_goes_on_with_its_conversation() {
    for window in [4, 5] {
        let mut all = Conversations::new();
        // A task, calls and results one after the other, an answer, and another task with some of the same calls.
        let chat = [1, 150, 151, 152, 153, 154, 155, 156, 157, 92, 3, 150, 151, 152, 153, 158, 159, 160, 161, 94, 5];
        play(&mut all, &chat, window);
    }
}

#[test]
fn an_agent_that_keeps_its_task_in_front_of_the_window_goes_on_with_its_conversation() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 150, 151, 152, 153, 154, 155, 156]);
    let matched = all.match_conversation(&[1, 154, 155, 156, 157]);
    assert_eq!((matched.tip, matched.lost.len()), (Some(end), 4));
}

#[test]
fn an_agents_task_with_a_clock_in_it_goes_on_at_its_end_alone() {
    let mut all = Conversations::new();
    let ticks = |at, known| (at, known) == (0, 1);
    let end = all.said(&[1, 150]);
    assert_eq!(all.match_where(&[9, 150, 151], ticks).tip, Some(end));
    all.said(&[1, 150, 151, 152]);
    assert_eq!(all.match_where(&[9, 150, 153], ticks).tip, None, "another agent began alike");
}

#[test]
fn calls_and_results_that_two_agents_ended_with_tell_neither() {
    let mut all = Conversations::new();
    all.said(&[1, 150, 151, 152]);
    all.said(&[3, 150, 151, 152]);
    assert_eq!(all.match_conversation(&[150, 151, 152, 153]).tip, None);
    all.said(&[1, 150, 151, 152, 153, 154]);
    let second = all.match_conversation(&[150, 151, 152, 153]);
    assert_eq!((second.lost, second.is_newest), (ids(&[3]), true), "the first is no longer there");
}

#[test]
fn examples_behind_other_first_words_are_other_chats_whatever_became_of_the_first() {
    let examples = [21, 22, 23, 24];
    // A first line, a first example, a first example that is answered as another one is.
    for (first, second) in [(&[1][..], &[3][..]), (&[1, 2], &[3, 4]), (&[1, 22], &[3, 22])] {
        let mut all = Conversations::new();
        for (asked, answered) in [(5, 6), (7, 8), (9, 10)] {
            // The last question is not answered before the other chat begins.
            let end: &[u8] = if asked == 9 { &[asked] } else { &[asked, answered] };
            all.said(&[first, &examples, end].concat());
            for other in [asked, 51] {
                let request = [second, &examples, &[other]].concat();
                assert_eq!(all.match_conversation(&request), ConversationMatch::default(), "{request:?}");
            }
        }
    }
}

#[test]
fn a_long_row_behind_a_summary_is_sent_again() {
    let mut all = Conversations::new();
    let end = all.said(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let request = [99, 5, 6, 7, 8, 9];
    assert_eq!(all.match_conversation(&request).tip, Some(end), "it got no answer");
    all.said(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(all.match_conversation(&request).tip, Some(end), "another answer is wanted");
    all.said(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(all.match_conversation(&request).tip, None, "the conversation has gone on");
}
