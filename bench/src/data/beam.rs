//! BEAM chats: batches of turns of messages, and probing questions that name their evidence by message.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Conversation, Question, Turn};
use crate::{BenchError, Failing};

#[derive(Deserialize)]
struct RawBatch {
    turns: Vec<Vec<RawMessage>>,
}

#[derive(Deserialize)]
struct RawMessage {
    role: String,
    id: u64,
    /// A user's with the mark of its place.
    content: String,
    #[serde(default)]
    time_anchor: Option<String>,
}

#[derive(Deserialize)]
struct RawQuestion {
    question: String,
    /// What a good answer says; the kinds of questions call it by different names.
    #[serde(default, alias = "ideal_answer", alias = "ideal_summary", alias = "ideal_response")]
    answer: Value,
    /// The messages that answer it, see [`collect_ids`].
    #[serde(default)]
    source_chat_ids: Value,
}

/// The kind of questions that the chat does not answer.
const UNANSWERABLE: &str = "abstention";

/// Reads every chat in a directory that holds a directory for each, in the order of their numbers; they are named by `family`
/// and number.
pub(super) fn load(directory: &Path, family: &str) -> Result<Vec<Conversation>, BenchError> {
    let mut chats = Vec::new();
    for entry in std::fs::read_dir(directory).when_reading(directory)? {
        let path = entry.when_reading(directory)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.join("chat.json").is_file() {
            chats.push((name.parse::<u64>().unwrap_or(u64::MAX), name, path));
        }
    }
    chats.sort();
    if chats.is_empty() {
        return Err(BenchError::data(directory, "holds no directory with a chat.json"));
    }
    chats.iter().map(|(_, number, path)| read(&format!("{family}-{number}"), path)).collect()
}

fn read(name: &str, directory: &Path) -> Result<Conversation, BenchError> {
    let (chat, questions) = (directory.join("chat.json"), directory.join("probing_questions.json"));
    let chat_text = std::fs::read_to_string(&chat).when_reading(&chat)?;
    let question_text = std::fs::read_to_string(&questions).when_reading(&questions)?;
    parse(name, &chat_text, &question_text).map_err(|error| BenchError::data(directory, error))
}

fn parse(name: &str, chat: &str, questions: &str) -> serde_json::Result<Conversation> {
    let batches: Vec<RawBatch> = serde_json::from_str(chat)?;
    let asked: BTreeMap<String, Vec<RawQuestion>> = serde_json::from_str(questions)?;
    let (mut turns, mut sessions, mut positions) = (Vec::new(), Vec::new(), HashMap::new());
    let mut time = DateTime::UNIX_EPOCH;
    for batch in batches {
        let start = turns.len();
        for message in batch.turns.into_iter().flatten() {
            time = message.time_anchor.as_deref().and_then(parse_day).unwrap_or(time);
            positions.insert(message.id, turns.len());
            turns.push(turn(&message, time));
        }
        sessions.push(start..turns.len());
    }
    let unanswerable = asked.get(UNANSWERABLE).into_iter().flatten();
    let unanswerable = unanswerable.map(|question| question.question.clone()).collect();
    let questions = asked.into_iter().flat_map(|(category, questions)| {
        let judged = questions.into_iter().filter_map(|question| judgeable(question, &category, &positions));
        judged.collect::<Vec<Question>>()
    });
    Ok(Conversation { name: name.to_owned(), questions: questions.collect(), unanswerable, sessions, turns })
}

fn turn(message: &RawMessage, time: DateTime<Utc>) -> Turn {
    let by_user = message.role == "user";
    let text = if by_user { without_place(&message.content) } else { &message.content };
    Turn {
        speaker: if by_user { "User" } else { "Assistant" }.to_owned(),
        role: if by_user { "user" } else { "assistant" },
        text: text.to_owned(),
        time,
    }
}

/// A user message without the mark of its place in the recording, such as ` ->-> 1,12`, which would give answers away.
fn without_place(text: &str) -> &str {
    const LONGEST: usize = 8;
    match text.rsplit_once("->->") {
        Some((said, place))
            if place.trim().len() <= LONGEST
                && place.trim_start().starts_with(|first: char| first.is_ascii_digit()) =>
        {
            said.trim_end()
        }
        _ => text,
    }
}

/// The question with the messages that it names; none if it names none that exists.
fn judgeable(raw: RawQuestion, category: &str, positions: &HashMap<u64, usize>) -> Option<Question> {
    let mut ids = BTreeSet::new();
    collect_ids(&raw.source_chat_ids, &mut ids);
    let evidence = ids.iter().filter_map(|id| positions.get(id).copied());
    let question = Question::judgeable(raw.question, evidence, category.replace('_', " "))?;
    Some(question.answered(&raw.answer))
}

/// Ids stand in a list, or in lists inside an object.
fn collect_ids(value: &Value, ids: &mut BTreeSet<u64>) {
    match value {
        Value::Number(number) => ids.extend(number.as_u64()),
        Value::Array(values) => values.iter().for_each(|value| collect_ids(value, ids)),
        Value::Object(fields) => fields.values().for_each(|value| collect_ids(value, ids)),
        _ => {}
    }
}

/// Reads a day such as `March-15-2024`.
fn parse_day(text: &str) -> Option<DateTime<Utc>> {
    let day = NaiveDate::parse_from_str(text.trim(), "%B-%d-%Y").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = r#"[{"batch_number": 1, "turns": [
        [{"role": "user", "id": 0, "time_anchor": "March-15-2024", "content": "My cat is Tom. ->-> 1,1"},
         {"role": "assistant", "id": 1, "content": "Nice."}]]},
        {"batch_number": 2, "turns": [
        [{"role": "user", "id": 7, "content": "And my dog? ->->  1,2"},
         {"role": "assistant", "id": 8, "content": "x ->-> 1,2"}]]}]"#;
    const QUESTIONS: &str = r#"{
        "abstention": [{"question": "Why?"}],
        "knowledge_update": [{"question": "What first?", "source_chat_ids": {"old": [8], "new": [0, 7, 99]}}]
    }"#;

    #[test]
    fn messages_become_turns_in_sessions_without_the_marks_of_users() {
        let found = parse("beam-1", CHAT, QUESTIONS).unwrap();
        let said: Vec<&str> = found.turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(said, ["My cat is Tom.", "Nice.", "And my dog?", "x ->-> 1,2"]);
        assert_eq!(found.sessions, [0..2, 2..4]);
        assert!(found.turns.iter().all(|turn| turn.time.to_rfc3339().starts_with("2024-03-15") && !turn.is_named()));
    }

    #[test]
    fn questions_name_their_evidence_in_lists_and_in_objects() {
        let found = parse("beam-1", CHAT, QUESTIONS).unwrap();
        let asked: Vec<(&str, &[usize])> =
            found.questions.iter().map(|question| (question.category.as_str(), question.evidence.as_slice())).collect();
        assert_eq!(asked, [("knowledge update", &[0, 2, 3][..])]);
        assert_eq!(found.told_by(&found.questions[0]), Some("several"));
    }

    #[test]
    fn questions_without_an_answer_are_kept_apart() {
        assert_eq!(parse("beam-1", CHAT, QUESTIONS).unwrap().unanswerable, ["Why?"]);
    }

    #[test]
    fn only_a_mark_at_the_end_is_taken_off() {
        for (text, kept) in [
            ("a ->-> 2,N/A", "a"),
            ("a ->-> 5,14)", "a"),
            ("a ->-> b", "a ->-> b"),
            ("a ->-> 1,1 and much more text", "a ->-> 1,1 and much more text"),
        ] {
            assert_eq!(without_place(text), kept);
        }
    }
}
