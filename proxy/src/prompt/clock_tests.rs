//! What a request becomes when the clock in one of its messages has gone on.

use super::*;

#[tokio::test]
async fn a_message_whose_clock_has_gone_on_is_the_turn_that_it_was() {
    let (known, new) = ("It is 14:03. Be kind.", "It is 15:10. Be kind.");
    let mut case = window();
    let turn = turns::turn(7, known);
    case.planner.memory.conversation_match = ConversationMatch {
        known: 1,
        replaced: vec![ReplacedTurn { at: 0, known: turn.id }],
        ..ConversationMatch::default()
    };
    let id = turn.id;
    case.planner.memory.turns = vec![turn];
    case.body = request(&[json!({"role": "user", "content": new})]);
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.intake.turns.iter().map(|turn| turn.id).collect::<Vec<_>>(), [id]);
    case.planner.memory.turns[0].text = format!("It is 14:03. The word is {MASK}.");
    case.body = request(&[json!({"role": "user", "content": format!("It is 15:10. The word is {SECRET}.")})]);
    assert_eq!(case.plan(Mode::On).await.intake.turns[0].id, id, "its secret was masked when it was stored");
    case.body = request(&[json!({"role": "user", "content": "Be cruel."})]);
    assert_ne!(case.plan(Mode::On).await.intake.turns[0].id, id);
}

#[tokio::test]
async fn what_left_a_prompt_stays_out_of_it_when_the_clock_in_its_first_message_has_gone_on() {
    let mut case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let beginning = |first: &str| {
        let mut messages = said(16);
        messages[0]["content"] = json!(format!("{first} {}", "word ".repeat(30)));
        messages.push(json!({"role": "user", "content": "and where is the harbour?"}));
        request(&messages)
    };
    case.body = beginning("It is 14:03.");
    let before = case.plan(Mode::On).await;
    assert!(before.evicts, "{:?}", before.receipt);
    let known = before.intake.turns[0].clone();
    assert!(known.text.starts_with("It is 14:03."), "{known:?}");
    case.planner.memory.conversation_match =
        ConversationMatch { replaced: vec![ReplacedTurn { at: 0, known: known.id }], ..ConversationMatch::default() };
    case.planner.memory.turns = vec![known];
    case.body = beginning("It is 15:10.");
    let after = case.plan(Mode::On).await;
    assert_eq!((after.evicts, &after.body), (false, &before.body), "{:?}", after.receipt);
    assert_eq!(case.entries(), 2, "an eviction and a block, once each");
    case.body = beginning("It is late.");
    assert!(case.plan(Mode::On).await.evicts, "whoever edits the message begins anew");
}

#[tokio::test]
async fn what_stands_again_in_a_message_whose_clock_has_gone_on_is_known_when_it_comes_back() {
    let mut case = window();
    let asked = |clock: &str| {
        let content = format!("It is {clock}. And where is the harbour?");
        request(&[json!({"role": "user", "content": content})])
    };
    case.body = asked("14:03");
    let before = case.plan(Mode::On).await;
    assert_eq!((before.memories, case.entries()), (1, 1), "{:?}", before.receipt);
    let known = before.intake.turns[0].clone();
    case.planner.memory.conversation_match.replaced = vec![ReplacedTurn { at: 0, known: known.id }];
    case.planner.memory.turns = vec![known.clone()];
    case.body = asked("15:10");
    let after = case.plan(Mode::On).await;
    assert_eq!((after.memories, case.entries()), (1, 1), "the block that it had stands there");
    case.body = after.body;
    assert_eq!(case.plan(Mode::On).await.intake.turns[0].id, known.id, "what was put in is no word of the user");
}
