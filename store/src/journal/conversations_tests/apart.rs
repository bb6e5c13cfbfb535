//! Two chats of one scope that share lines of a script: neither has what the other one was told, and what fits both goes on with none.

use proptest::prelude::*;

use super::*;

/// What is told in one chat alone, by its place: an order and a name.
fn scripted(own: u8) -> [u8; 10] {
    [91, 2, own, 4, 93, 6, 95, 8, 9, 10]
}

/// A chat with the question that is asked next, and how many of its last turns are sent.
struct Client<'a> {
    chat: &'a [u8],
    question: usize,
    window: usize,
}

impl<'a> Client<'a> {
    fn new(chat: &'a [u8], window: usize) -> Self {
        Self { chat, question: 0, window }
    }

    /// Asks the next question, and has it answered. Returns what the request was matched with.
    fn ask(&mut self, all: &mut Conversations) -> Option<ConversationMatch> {
        let begin = (self.question + 1).saturating_sub(self.window);
        let request = self.chat.get(begin..=self.question)?;
        let answer = self.chat.get(self.question + 1)?;
        self.question += 2;
        let matched = all.match_conversation(request);
        all.goes_on_from(&matched, &[&request[matched.known..], &[*answer]].concat());
        Some(matched)
    }
}

#[test]
fn a_chat_that_repeats_the_lines_of_one_that_is_over_goes_on_with_its_own() {
    for window in 3..9 {
        let mut all = Conversations::new();
        let (ann, bob) = (scripted(41), scripted(43));
        let mut client = Client::new(&ann, window);
        while client.ask(&mut all).is_some() {}
        let mut client = Client::new(&bob, window);
        let mut answered = 0;
        while let Some(matched) = client.ask(&mut all) {
            assert!(matched.tip.is_some() && matched.lost.iter().all(|turn| *turn != id(41)), "{window}: {matched:?}");
            assert_eq!(matched.lost.len(), (2 * answered + 1_usize).saturating_sub(window), "{window}: {matched:?}");
            answered += 1;
        }
        assert_eq!(answered, 5);
    }
}

#[test]
fn chats_that_say_the_same_lines_in_turn_lose_nothing_of_each_other() {
    for window in 2..9 {
        let mut all = Conversations::new();
        let (ann, bob) = (scripted(41), scripted(43));
        let (mut first, mut second) = (Client::new(&ann, window), Client::new(&bob, window));
        while let Some((of_ann, of_bob)) = first.ask(&mut all).zip(second.ask(&mut all)) {
            assert!(!of_ann.lost.contains(&id(43)), "{window}: {of_ann:?}");
            assert!(!of_bob.lost.contains(&id(41)), "{window}: {of_bob:?}");
        }
    }
}

#[test]
fn a_conversation_that_ends_with_the_window_goes_before_one_that_has_the_next_question_too() {
    let mut all = Conversations::new();
    let over = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let own = all.said(&[11, 12, 3, 4, 5, 6]);
    assert_ne!(over.conversation, own.conversation);
    assert_eq!(all.match_conversation(&[3, 4, 5, 6, 7]).tip, Some(own));
    assert_eq!(all.match_conversation(&[5, 6, 7]).tip, Some(own));
    assert_eq!(all.match_conversation(&[2, 3, 4, 5, 6, 7]).tip.map(|tip| tip.conversation), Some(over.conversation));
}

#[test]
fn branches_that_went_on_alike_are_not_taken_for_each_other() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let second = all.said(&[1, 2, 33, 34, 5, 6, 7, 8]);
    assert_eq!(all.match_conversation(&[5, 6, 7, 8, 9]), ConversationMatch::default());
    assert_eq!(all.match_conversation(&[4, 5, 6, 7, 8, 9]).tip, Some(first));
    assert_eq!(all.match_conversation(&[34, 5, 6, 7, 8, 9]).tip, Some(second));
}

#[test]
fn what_was_said_word_for_word_goes_before_what_was_said_otherwise() {
    let mut all = Conversations::new();
    // On the telephone the questions of the laptop are asked with a word more.
    let says_again = |_, known: u8| [21, 23, 25].contains(&known);
    all.said(&[1, 2, 3, 4, 21, 22, 23, 24, 25, 26]);
    let telephone = all.said(&[1, 2, 5, 6, 31, 22, 33, 24, 35, 26]);
    assert_eq!(all.match_where(&[33, 24, 35, 26, 99], says_again).tip, Some(telephone));
    let mut all = Conversations::new();
    all.said(&[1, 2, 3, 4, 21, 22, 23, 24]);
    let telephone = all.said(&[1, 2, 5, 6, 31, 22, 33, 24, 35, 26]);
    let again = all.match_where(&[31, 22, 33, 24, 35], says_again);
    assert_eq!(again.tip, Some(TurnPlace { position: telephone.position - 1, ..telephone }), "made anew");
}

#[test]
fn a_long_answer_alone_tells_the_one_conversation_that_ends_with_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2]);
    assert_eq!(all.said(&[2, 3, 4]), TurnPlace { position: 3, ..first });
    let matched = all.match_conversation(&[4, 95]);
    assert_eq!((matched.tip, matched.lost), (Some(TurnPlace { position: 3, ..first }), ids(&[1, 2, 3])));
    for request in [&[2, 95][..], &[4], &[99, 4, 95], &[4, 95, 96, 97]] {
        assert_eq!(all.match_conversation(request).tip, None, "{request:?}");
    }
    all.said(&[11, 4, 13, 14]);
    assert_eq!(all.match_conversation(&[4, 95]).tip, None, "it was said elsewhere");
    all.said(&[21, 22, 23, 92]);
    assert_eq!(all.match_conversation(&[92, 95]).tip, None, "it is short");
}

#[test]
fn of_an_exchange_that_was_said_too_often_to_look_everywhere_nothing_is_told() {
    let mut all = Conversations::new();
    all.said(&[1, 2, 93, 92, 91, 92]);
    for other in 0..24 {
        all.said(&[101 + 2 * other, 92, 91, 92, 91, 92, 93, 94]);
    }
    let newest = all.said(&[77, 78, 91, 92]);
    assert_eq!(all.match_conversation(&[91, 92, 5]).tip, None, "the first one ends with it, too");
    let grown = all.said(&[77, 78, 91, 92, 3, 92]);
    assert_eq!(grown.conversation, newest.conversation);
    assert_eq!(all.match_conversation(&[3, 92, 5]).tip, Some(grown), "no other one has the question");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn of_two_chats_neither_is_matched_with_what_was_said_in_the_other_one_alone(
        is_own in prop::collection::vec((any::<bool>(), any::<bool>()), 10), turns in prop::collection::vec(0..2_usize, 10),
        window in 2..9_usize,
    ) {
        // Shared lines are long or short, and each is said once; own ones are from 41 on in one chat, from 61 on in the other.
        let line = |at: usize| u8::try_from(at).unwrap() + if at % 4 < 2 { 1 } else { 91 };
        let chat = |own: u8, is_own: fn(&(bool, bool)) -> bool, all: &[(bool, bool)]| -> Vec<u8> {
            let lines = all.iter().enumerate();
            lines.map(|(at, flags)| if is_own(flags) { own + u8::try_from(at).unwrap() } else { line(at) }).collect()
        };
        let chats = [chat(41, |flags| flags.0, &is_own), chat(61, |flags| flags.1, &is_own)];
        let mut clients = [Client::new(&chats[0], window), Client::new(&chats[1], window)];
        let mut all = Conversations::new();
        // In some order, and then whatever is left of each.
        for chat in turns.into_iter().chain([0; 5]).chain([1; 5]) {
            if let Some(matched) = clients[chat].ask(&mut all) {
                let foreign = if chat == 0 { 61..81 } else { 41..61 };
                prop_assert!(matched.lost.iter().all(|turn| !foreign.contains(&turn.0[0])), "{matched:?} of {chats:?}");
            }
        }
    }
}
