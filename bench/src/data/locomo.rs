//! The LoCoMo benchmark file: conversations of dated turns, and questions with evidence turns.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Conversation, Question, Turn};

#[derive(Deserialize)]
struct RawConversation {
    sample_id: String,
    conversation: BTreeMap<String, Value>,
    qa: Vec<RawQuestion>,
}

#[derive(Deserialize)]
struct RawQuestion {
    question: String,
    #[serde(default)]
    answer: Value,
    #[serde(default)]
    evidence: Vec<String>,
    category: u8,
}

#[derive(Deserialize)]
struct RawTurn {
    speaker: String,
    dia_id: String,
    text: String,
}

/// The category of questions that the conversation does not answer.
const UNANSWERABLE: u8 = 5;

/// The names of the categories from 1 on.
const CATEGORIES: [&str; 4] = ["multi-hop", "temporal", "open-domain", "single-hop"];

/// Reads every conversation of the file's text.
///
/// Questions of category 5 have no answer in the conversation and are kept apart; questions whose evidence names no turn that
/// exists are left out. Evidence that names a turn that does not exist next to turns that do is kept without it.
pub(super) fn parse(text: &str) -> Result<Vec<Conversation>, String> {
    let raw: Vec<RawConversation> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    raw.into_iter().map(read_conversation).collect()
}

/// The turn names in one evidence string, which may hold several between `;`, `,` and spaces.
fn evidence_ids(evidence: &str) -> Vec<&str> {
    let separator = |character: char| character.is_whitespace() || matches!(character, ';' | ',');
    evidence.split(separator).filter(|id| !id.is_empty()).collect()
}

fn read_conversation(raw: RawConversation) -> Result<Conversation, String> {
    let mut turns: Vec<Turn> = Vec::new();
    let (mut sessions, mut positions) = (Vec::new(), HashMap::new());
    for (number, value) in numbered_sessions(&raw.conversation) {
        let name = format!("{}, session {number}", raw.sample_id);
        let key = format!("session_{number}_date_time");
        let date = raw.conversation.get(&key).and_then(Value::as_str).ok_or_else(|| format!("{name}: no {key}"))?;
        let time =
            parse_time(date).ok_or_else(|| format!("{name}: {date:?} is not like \"1:56 pm on 8 May, 2023\""))?;
        let session: Vec<RawTurn> = Vec::deserialize(value).map_err(|error| format!("{name}: {error}"))?;
        let start = turns.len();
        for turn in &session {
            positions.insert(turn.dia_id.clone(), positions.len());
        }
        turns.extend(session.into_iter().map(|turn| Turn {
            speaker: turn.speaker,
            role: "user",
            text: turn.text,
            time,
        }));
        sessions.push(start..turns.len());
    }
    if turns.is_empty() {
        return Err(format!("{}: no turns", raw.sample_id));
    }
    let unanswerable = raw.qa.iter().filter(|question| question.category == UNANSWERABLE);
    let unanswerable = unanswerable.map(|question| question.question.clone()).collect();
    let questions = raw.qa.into_iter().filter_map(|question| judgeable(question, &positions)).collect();
    Ok(Conversation { name: raw.sample_id, sessions, turns, questions, unanswerable })
}

/// The lists under `session_1`, `session_2`, …, in the order of their numbers.
fn numbered_sessions(conversation: &BTreeMap<String, Value>) -> Vec<(u32, &Value)> {
    let mut sessions: Vec<(u32, &Value)> = conversation
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("session_")?.parse().ok()?, value)))
        .collect();
    sessions.sort_by_key(|(number, _)| *number);
    sessions
}

fn judgeable(raw: RawQuestion, positions: &HashMap<String, usize>) -> Option<Question> {
    let category = CATEGORIES.get(usize::from(raw.category).checked_sub(1)?)?;
    let ids = raw.evidence.iter().flat_map(|ids| evidence_ids(ids));
    let evidence = ids.filter_map(|id| positions.get(id).copied());
    let question = Question::judgeable(raw.question, evidence, (*category).to_owned())?;
    Some(question.answered(&raw.answer))
}

/// Reads a time such as `1:56 pm on 8 May, 2023`.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text.trim(), "%I:%M %p on %d %B, %Y").ok().map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"[{"sample_id":"conv-1","conversation":{
        "speaker_a":"Ann","session_10_date_time":"12:05 am on 1 January, 2024","session_10":[
            {"speaker":"Bo","dia_id":"D10:1","text":"third"}],
        "session_2_date_time":"1:56 pm on 8 May, 2023","session_2":[
            {"speaker":"Ann","dia_id":"D2:1","text":"first","img_url":["x"]},
            {"speaker":"Bo","dia_id":"D2:2","text":"second"}],
        "session_11_date_time":"2:00 pm on 9 May, 2024"},
      "qa":[
        {"question":"one","answer":2022,"evidence":["D2:2","D2:1","D2:2"],"category":1},
        {"question":"joined","evidence":["D2:1; D10:1"],"category":2},
        {"question":"partly missing","evidence":["D","D10:1","D99:1"],"category":4},
        {"question":"missing","evidence":["D99:1"],"category":4},
        {"question":"none","evidence":[],"category":3},
        {"question":"adversarial","evidence":["D2:1"],"category":5,"adversarial_answer":"x"}]}]"#;

    #[test]
    fn sessions_come_in_the_order_of_their_numbers_with_their_dates() {
        let conversation = &parse(SMALL).unwrap()[0];
        assert_eq!(conversation.sessions, [0..2, 2..3]);
        let texts: Vec<&str> = conversation.turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts, ["first", "second", "third"]);
        assert_eq!(conversation.turns[0].time.to_rfc3339(), "2023-05-08T13:56:00+00:00");
        assert_eq!(conversation.turns[2].time.to_rfc3339(), "2024-01-01T00:05:00+00:00");
    }

    #[test]
    fn only_questions_with_evidence_that_exists_are_judged() {
        let conversation = &parse(SMALL).unwrap()[0];
        let found: Vec<(&str, &[usize])> = conversation
            .questions
            .iter()
            .map(|question| (question.text.as_str(), question.evidence.as_slice()))
            .collect();
        assert_eq!(found, [("one", &[0, 1][..]), ("joined", &[0, 2][..]), ("partly missing", &[2][..])]);
        let answers: Vec<&str> = conversation.questions.iter().map(|question| question.answer.as_str()).collect();
        assert_eq!(answers, ["2022", "", ""]);
    }

    #[test]
    fn questions_without_an_answer_are_kept_apart() {
        assert_eq!(parse(SMALL).unwrap()[0].unanswerable, ["adversarial"]);
    }

    #[test]
    fn one_evidence_string_may_name_several_turns() {
        assert_eq!(evidence_ids("D8:6; D9:17"), ["D8:6", "D9:17"]);
        assert_eq!(evidence_ids("D1:1 D2:3,D4:5"), ["D1:1", "D2:3", "D4:5"]);
        assert!(evidence_ids(" ; ").is_empty());
    }

    #[test]
    fn what_is_wrong_with_the_file_is_named() {
        let no_date = SMALL.replace("session_10_date_time", "other");
        assert!(parse(&no_date).unwrap_err().contains("conv-1, session 10: no session_10_date_time"));
        let bad_date = SMALL.replace("12:05 am on 1 January, 2024", "yesterday");
        assert!(parse(&bad_date).unwrap_err().contains("yesterday"));
        assert!(parse("{}").is_err());
    }
}
