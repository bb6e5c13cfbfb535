//! The BEAM chats: batches of turns of messages, and probing questions that name their evidence by message.
//!
//! It must not know what happens to a conversation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::conversation::{Conversation, Passage, Question, Turn, rounds};
use crate::BenchError;
use crate::recorded::beam::{RawBatch, RawMessage, RawQuestion, collect_ids, without_place};

/// Reads the chat in `directory`; `number` is its name there.
///
/// # Errors
/// [`BenchError::Read`] if a file cannot be read, [`BenchError::Data`] if it is not BEAM.
pub(super) fn load(directory: &Path, number: &str) -> Result<Conversation, BenchError> {
    let (chat, questions) = (directory.join("chat.json"), directory.join("probing_questions.json"));
    let chat_text = std::fs::read_to_string(&chat).map_err(BenchError::reading(&chat))?;
    let question_text = std::fs::read_to_string(&questions).map_err(BenchError::reading(&questions))?;
    parse(&format!("beam-{number}"), &chat_text, &question_text).map_err(|error| BenchError::Data {
        path: directory.to_owned(),
        reason: error.to_string(),
    })
}

fn parse(name: &str, chat: &str, questions: &str) -> serde_json::Result<Conversation> {
    let batches: Vec<RawBatch> = serde_json::from_str(chat)?;
    let questions: BTreeMap<String, Vec<RawQuestion>> = serde_json::from_str(questions)?;
    let messages: Vec<&RawMessage> = batches.iter().flat_map(|batch| batch.turns.iter().flatten()).collect();
    let turns: Vec<Turn<'_>> = messages.iter().map(|message| turn(message)).collect();
    let (rounds, places) = rounds(&turns);
    let mut passages = HashMap::new();
    for ((message, turn), round) in messages.iter().zip(&turns).zip(places) {
        passages.insert(
            message.id,
            Passage {
                round,
                text: turn.text.to_owned(),
            },
        );
    }
    let conversation = Conversation {
        name: name.to_owned(),
        questions: (questions.into_values().flatten())
            .filter_map(|question| with_evidence(question, &passages))
            .collect(),
        rounds,
    };
    // Evidence in a message that is not played is no evidence.
    let played = conversation.rounds.len();
    Ok(conversation.first(played))
}

fn turn(message: &RawMessage) -> Turn<'_> {
    let by_user = message.role == "user";
    Turn {
        by_user,
        text: if by_user {
            without_place(&message.content)
        } else {
            &message.content
        },
    }
}

/// The question with the messages that it names; none if it names none that exists.
fn with_evidence(question: RawQuestion, passages: &HashMap<u64, Passage>) -> Option<Question> {
    let mut ids = BTreeSet::new();
    collect_ids(&question.source_chat_ids, &mut ids);
    let evidence: Vec<Vec<Passage>> = ids
        .iter()
        .filter_map(|id| Some(vec![passages.get(id)?.clone()]))
        .collect();
    (!evidence.is_empty()).then_some(Question {
        text: question.question,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    const CHAT: &str = r#"[{"batch_number": 1, "turns": [
        [{"role": "user", "id": 0, "content": "My cat is Tom. ->-> 1,1"},
         {"role": "assistant", "id": 1, "content": "Nice."}],
        [{"role": "user", "id": 2, "content": "And my dog? ->->  1,2"},
         {"role": "assistant", "id": 3, "content": "x ->-> 1,2"}]
    ]}]"#;
    const QUESTIONS: &str = r#"{
        "abstention": [{"question": "Why?"}],
        "extraction": [{"question": "Which cat?", "source_chat_ids": [0, 0, 99]}],
        "update": [{"question": "What first?", "source_chat_ids": {"old": [3], "new": [0, 2]}}]
    }"#;

    #[test]
    fn messages_become_rounds_without_the_marks_of_users() {
        let found = parse("beam-1", CHAT, QUESTIONS).unwrap();
        let said: Vec<(&str, &str)> = found
            .rounds
            .iter()
            .map(|round| (round.user.as_str(), round.assistant.as_str()))
            .collect();
        assert_eq!(said, [("My cat is Tom.", "Nice."), ("And my dog?", "x ->-> 1,2")]);
    }

    #[test]
    fn questions_name_each_message_once_in_lists_and_in_objects() {
        let found = parse("beam-1", CHAT, QUESTIONS).unwrap();
        let evidence = |question: &Question| -> Vec<(usize, String)> {
            let passages = question.evidence.iter().flatten();
            passages.map(|passage| (passage.round, passage.text.clone())).collect()
        };
        assert_eq!(found.questions.len(), 2);
        assert_eq!(evidence(&found.questions[0]), [(0, "My cat is Tom.".to_owned())]);
        let places: Vec<usize> = evidence(&found.questions[1]).iter().map(|(round, _)| *round).collect();
        assert_eq!(places, [0, 1, 1]);
    }

    #[test]
    fn only_a_mark_at_the_end_is_taken_off() {
        for (text, kept) in [
            ("a ->-> 2,N/A", "a"),
            ("a ->-> 5,14)", "a"),
            ("a ->-> b", "a ->-> b"),
            ("a ->-> 1,1 and much more text", "a ->-> 1,1 and much more text"),
            ("a", "a"),
        ] {
            assert_eq!(without_place(text), kept);
        }
    }
}
