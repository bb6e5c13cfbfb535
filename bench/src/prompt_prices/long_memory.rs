//! LongMemEval's haystacks: dated sessions between a user and an assistant, and questions that name sessions.
//!
//! It must not know what happens to a conversation.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::conversation::{Conversation, Passage, Question, Turn, rounds};
use crate::BenchError;

#[derive(Deserialize)]
struct RawHaystack {
    question_id: String,
    questions: Vec<String>,
    answer_session_ids: Vec<Vec<String>>,
    haystack_session_ids: Vec<String>,
    haystack_sessions: Vec<Vec<RawTurn>>,
}

#[derive(Deserialize)]
struct RawTurn {
    role: String,
    content: String,
    #[serde(default)]
    has_answer: bool,
}

/// Reads every haystack of the file at `path`.
///
/// # Errors
/// [`BenchError::Read`] if the file cannot be read, [`BenchError::Data`] if it is not LongMemEval.
pub(super) fn load(path: &Path) -> Result<Vec<Conversation>, BenchError> {
    let text = std::fs::read_to_string(path).map_err(BenchError::reading(path))?;
    parse(&text).map_err(|error| BenchError::Data {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn parse(text: &str) -> serde_json::Result<Vec<Conversation>> {
    let haystacks: Vec<RawHaystack> = serde_json::from_str(text)?;
    Ok(haystacks.iter().map(conversation).collect())
}

/// All sessions one after the other as one conversation.
fn conversation(raw: &RawHaystack) -> Conversation {
    let turns: Vec<&RawTurn> = raw.haystack_sessions.iter().flatten().collect();
    let said: Vec<Turn<'_>> = turns
        .iter()
        .map(|turn| Turn {
            by_user: turn.role == "user",
            text: &turn.content,
        })
        .collect();
    let (rounds, places) = rounds(&said);
    let sessions = session_ranges(raw);
    let passage = |at: usize| Passage {
        round: places[at],
        text: turns[at].content.clone(),
    };
    let evidence = |ids: &[String]| -> Vec<Vec<Passage>> {
        let found = ids.iter().filter_map(|id| sessions.get(id.as_str()));
        found.flat_map(|session| pieces(session, &turns, passage)).collect()
    };
    let questions = raw.questions.iter().zip(&raw.answer_session_ids);
    let questions: Vec<Question> = questions
        .map(|(text, ids)| Question {
            text: text.clone(),
            evidence: evidence(ids),
        })
        .filter(|question| !question.evidence.is_empty())
        .collect();
    let played = rounds.len();
    let conversation = Conversation {
        name: raw.question_id.clone(),
        rounds,
        questions,
    };
    conversation.first(played)
}

/// Which turns each session holds.
fn session_ranges(raw: &RawHaystack) -> HashMap<&str, Range<usize>> {
    let mut start = 0;
    let mut ranges = HashMap::new();
    for (id, session) in raw.haystack_session_ids.iter().zip(&raw.haystack_sessions) {
        ranges.insert(id.as_str(), start..start + session.len());
        start += session.len();
    }
    ranges
}

/// The evidence of a session: each turn that is marked, or else any of its turns.
fn pieces(session: &Range<usize>, turns: &[&RawTurn], passage: impl Fn(usize) -> Passage) -> Vec<Vec<Passage>> {
    let marked: Vec<Vec<Passage>> = session
        .clone()
        .filter(|at| turns[*at].has_answer)
        .map(|at| vec![passage(at)])
        .collect();
    if marked.is_empty() && !session.is_empty() {
        return vec![session.clone().map(passage).collect()];
    }
    marked
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    const FILE: &str = r#"[{
        "question_id": "852", "questions": ["How much?", "Which?", "Who?"], "answers": ["1", "2", "3"],
        "answer_session_ids": [["one"], ["two"], ["elsewhere"]], "haystack_session_ids": ["one", "two"],
        "haystack_sessions": [
            [{"role": "user", "content": "a", "has_answer": true},
             {"role": "assistant", "content": "b", "has_answer": false}],
            [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]
        ]
    }]"#;

    #[test]
    fn sessions_follow_each_other_as_one_conversation() {
        let found = parse(FILE).unwrap();
        assert_eq!(
            (found.len(), found[0].name.as_str(), found[0].rounds.len()),
            (1, "852", 2)
        );
        assert_eq!(
            (found[0].rounds[1].user.as_str(), found[0].rounds[1].assistant.as_str()),
            ("c", "d")
        );
    }

    #[test]
    fn evidence_is_every_marked_turn_or_else_any_turn_of_the_session() {
        let questions = &parse(FILE).unwrap()[0].questions;
        let texts = |question: &Question| -> Vec<Vec<String>> {
            let texts = |piece: &Vec<Passage>| piece.iter().map(|passage| passage.text.clone()).collect();
            question.evidence.iter().map(texts).collect()
        };
        assert_eq!(questions.len(), 2);
        assert_eq!(texts(&questions[0]), [["a"]]);
        assert_eq!(texts(&questions[1]), [["c", "d"]]);
    }
}
