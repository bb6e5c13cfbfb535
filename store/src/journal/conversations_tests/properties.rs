//! What holds for conversations of any length, however a window slides and whatever is deleted.

use proptest::prelude::*;

use super::*;

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
