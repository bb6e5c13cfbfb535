//! Reads labelled conversations in the LoCoMo format: sessions of turns, and questions with the turns that answer them.
//!
//! It must not know what is done with them; dates and answers are left out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use mainpoint_engine::TurnText;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::CliError;

/// One conversation with its questions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conversation {
    /// Its `sample_id`.
    pub(super) name: String,
    /// Turns that follow each other, session by session.
    pub(super) sessions: Vec<Vec<TurnText>>,
    /// The questions that turns of the conversation answer.
    pub(super) questions: Vec<Question>,
}

/// One question.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The question.
    pub(super) text: String,
    /// Positions of the turns that answer it, over all sessions; ascending, each once, never empty.
    pub(super) evidence: Vec<usize>,
}

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
    evidence: Vec<String>,
    category: u8,
}

#[derive(Deserialize)]
struct RawTurn {
    speaker: String,
    dia_id: String,
    text: String,
}

/// Reads the file of `--data`.
pub(super) fn read(path: &Path) -> Result<Vec<Conversation>, CliError> {
    let name = format!("--data {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Read {
        name: name.clone(),
        source,
    })?;
    parse(&text).map_err(|reason| CliError::Labels { name, reason })
}

/// The conversations that a flag names, each once.
pub(super) fn pick<'a>(
    all: &'a [Conversation],
    flag: &str,
    names: &[String],
) -> Result<Vec<&'a Conversation>, CliError> {
    let mut picked: Vec<&Conversation> = Vec::with_capacity(names.len());
    for name in names {
        let refused = |reason: String| CliError::Argument(format!("{flag} {name}: {reason}"));
        let Some(found) = all.iter().find(|conversation| conversation.name == *name) else {
            let known: Vec<&str> = all.iter().map(|conversation| conversation.name.as_str()).collect();
            return Err(refused(format!(
                "--data has no such conversation; it has: {}",
                known.join(", ")
            )));
        };
        if found.questions.is_empty() {
            return Err(refused(
                "none of its questions of the categories 1 to 4 names a turn that exists".to_owned(),
            ));
        }
        if !picked.iter().any(|conversation| conversation.name == *name) {
            picked.push(found);
        }
    }
    Ok(picked)
}

fn parse(text: &str) -> Result<Vec<Conversation>, String> {
    let raw: Vec<RawConversation> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    raw.into_iter().map(read_conversation).collect()
}

fn read_conversation(raw: RawConversation) -> Result<Conversation, String> {
    let mut sessions = Vec::new();
    let mut positions = HashMap::new();
    for (number, value) in numbered_sessions(&raw.conversation) {
        let session: Vec<RawTurn> =
            Vec::deserialize(value).map_err(|error| format!("{}, session_{number}: {error}", raw.sample_id))?;
        let mut turns = Vec::with_capacity(session.len());
        for turn in session {
            positions.insert(turn.dia_id, positions.len());
            turns.push(TurnText {
                speaker: turn.speaker,
                text: turn.text,
            });
        }
        sessions.push(turns);
    }
    let turns: usize = sessions.iter().map(Vec::len).sum();
    if turns == 0 || turns != positions.len() {
        return Err(format!("{}: no turns, or two with the same dia_id", raw.sample_id));
    }
    let questions = raw
        .qa
        .into_iter()
        .filter_map(|question| judgeable(question, &positions));
    Ok(Conversation {
        questions: questions.collect(),
        name: raw.sample_id,
        sessions,
    })
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

/// Questions of other categories have no answer in the conversation. Evidence that does not exist is left out.
fn judgeable(raw: RawQuestion, positions: &HashMap<String, usize>) -> Option<Question> {
    if !(1..=4).contains(&raw.category) {
        return None;
    }
    let separator = |character: char| character.is_whitespace() || matches!(character, ';' | ',');
    let ids = raw.evidence.iter().flat_map(|ids| ids.split(separator));
    let mut evidence: Vec<usize> = ids.filter_map(|id| positions.get(id).copied()).collect();
    evidence.sort_unstable();
    evidence.dedup();
    (!evidence.is_empty()).then_some(Question {
        text: raw.question,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    const SMALL: &str = r#"[{"sample_id":"conv-1","conversation":{
        "session_10":[{"speaker":"Bo","dia_id":"D10:1","text":"third"}],
        "session_2_date_time":"1:56 pm on 8 May, 2023",
        "session_2":[{"speaker":"Ann","dia_id":"D2:1","text":"first"},{"speaker":"Bo","dia_id":"D2:2","text":"second"}]},
      "qa":[
        {"question":"joined","evidence":["D10:1; D2:1","D2:1"],"category":2},
        {"question":"missing","evidence":["D99:1"],"category":4},
        {"question":"adversarial","evidence":["D2:1"],"category":5}]},
      {"sample_id":"conv-2","conversation":{"session_1":[{"speaker":"Ann","dia_id":"D1:1","text":"alone"}]},"qa":[]}]"#;

    fn refusal(flag: &str, name: &str) -> String {
        let all = parse(SMALL).unwrap();
        let error = pick(&all, flag, &[name.to_owned()]).unwrap_err();
        assert_eq!(error.exit_code(), 64);
        error.to_string()
    }

    #[test]
    fn evidence_is_counted_over_the_sessions_in_their_order() {
        let conversation = &parse(SMALL).unwrap()[0];
        let texts: Vec<&str> = conversation
            .sessions
            .iter()
            .flatten()
            .map(|turn| turn.text.as_str())
            .collect();
        assert_eq!(texts, ["first", "second", "third"]);
        let joined = Question {
            text: "joined".to_owned(),
            evidence: vec![0, 2],
        };
        assert_eq!(conversation.questions, [joined]);
    }

    #[test]
    fn a_conversation_is_picked_once_and_an_unknown_one_refused_with_those_that_exist() {
        let all = parse(SMALL).unwrap();
        let names = ["conv-1".to_owned(), "conv-1".to_owned()];
        assert_eq!(pick(&all, "--choose", &names).unwrap().len(), 1);
        let unknown = refusal("--report", "conv-9");
        assert!(
            unknown.contains("--report conv-9") && unknown.contains("conv-1, conv-2"),
            "{unknown}"
        );
        assert!(refusal("--choose", "conv-2").contains("questions"));
    }

    #[test]
    fn a_file_that_is_not_labelled_is_refused_with_its_flag() {
        for text in [
            "{}",
            "[{}]",
            &SMALL.replace("D2:2", "D2:1"),
            &SMALL.replace("\"speaker\"", "\"who\""),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("data.json");
            std::fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.exit_code(), 65, "{error}");
            assert!(error.to_string().contains("--data"), "{error}");
        }
        assert_eq!(read(Path::new("no-such-file.json")).unwrap_err().exit_code(), 66);
    }
}
