//! What deletions leave of conversations.

use super::*;

#[test]
fn a_deletion_takes_conversations_with_it() {
    let mut all = Conversations::new();
    let first = all.said(&[1, 2, 3]);
    let other = all.said(&[5, 6, 7]);
    let (ids, conversations) = ([].into(), [first.conversation].into());
    all.delete(Removed::Turns { ids, conversations, places: [].into() });
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
    let restored = all.journal.restore(&[], &placed, |_, _| false).unwrap();
    assert!(restored.is_empty(), "no words came with it");
    let after = all.journal.scope_places(&scope()).unwrap();
    assert_eq!((after.placed, after.origins), (before.placed, before.origins));
    assert_eq!(all.match_conversation(&[1, 2, 3, 4]).tip, Some(first));
    assert_eq!(all.match_conversation(&[1, 2, 33, 44]).tip, Some(branch));
    let other = PlacedTurn { turn: id(99), ..placed[0].clone() };
    all.journal.restore(&[], &[other], |_, _| false).unwrap();
    assert_eq!(all.placed(), placed, "its place is taken");
}
