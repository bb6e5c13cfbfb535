//! What is noted where a request says plainly what an earlier one sent with documents around it.

use mainpoint_store::PlainTurn;

use super::*;

const ASKED: &str = "Where does the spare key hang?";

fn sent(question: &str) -> String {
    format!(
        "### Task: use the context.\n<context>Whales are mammals.</context>\n<user_query>\n{question}\n</user_query>"
    )
}

/// A conversation that has these turns of a role where a request has its first messages, all of the user's, before another one.
async fn noted(role: &str, known: &[&str], said: &[&str]) -> (Vec<PlainTurn>, Vec<Turn>) {
    let mut case = window();
    let known = (0..).zip(known).map(|(at, text)| Turn { role: role.to_owned(), ..turns::turn(100 + at, text) });
    case.planner.memory.turns = known.collect();
    let replaced = case.planner.memory.turns.iter().enumerate();
    case.planner.memory.conversation_match = ConversationMatch {
        known: said.len(),
        replaced: replaced.map(|(at, turn)| ReplacedTurn { at, known: turn.id }).collect(),
        ..ConversationMatch::default()
    };
    let mut messages: Vec<Value> = said.iter().map(|text| json!({"role": "user", "content": text})).collect();
    messages.push(json!({"role": "user", "content": "And what else?"}));
    case.body = request(&messages);
    let intake = case.plan(Mode::On).await.intake;
    (intake.placement.unwrap().plain, intake.turns)
}

#[tokio::test]
async fn a_message_that_says_plainly_what_was_sent_with_documents_is_noted_for_it() {
    let (plain, turns) = noted("user", &[&sent(ASKED)], &[ASKED]).await;
    assert_eq!(plain, [PlainTurn { wrapped: turns::id(100), turn: turns[0].id }]);
    assert_eq!(turns[0].text, ASKED, "its words are kept");
    let sent_first = turns::turn(100, "");
    assert_eq!(turns[0].time, sent_first.time, "it was said when it was sent first");
    assert_eq!((turns[0].conversation, turns[0].position), (sent_first.conversation, 100), "and where");
    assert_ne!(turns.last().unwrap().time, turns[0].time, "what is new is said now");
    let secret = format!("{ASKED} The word is {SECRET}.");
    let masked = secret.replace(SECRET, MASK);
    assert_eq!(noted("user", &[&sent(&masked)], &[&secret]).await.0.len(), 1, "what is stored has no secret");
}

#[tokio::test]
async fn other_words_other_speakers_and_more_words_are_no_plain_ones() {
    for (role, known, said) in [
        ("user", sent(ASKED), "Where does the other key hang?".to_owned()),
        ("assistant", sent(ASKED), ASKED.to_owned()),
        ("user", format!("{ASKED} And remember that my daughter is allergic to nuts."), ASKED.to_owned()),
        ("user", ASKED.to_owned(), sent(ASKED)),
    ] {
        assert_eq!(noted(role, &[&known], &[&said]).await.0, [], "{known} / {said}");
    }
}

#[tokio::test]
async fn in_a_long_conversation_the_newest_message_is_looked_at() {
    let known: Vec<String> = (0..40).map(|number| sent(&format!("Question {number}?"))).collect();
    let said: Vec<String> = (0..40).map(|number| format!("Question {number}?")).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let (plain, _) = noted("user", &known, &said).await;
    assert_eq!(plain.last().map(|plain| plain.wrapped), Some(turns::id(139)));
}
