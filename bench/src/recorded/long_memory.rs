//! LongMemEval haystacks: sessions of a user with an assistant, and questions that name the sessions that answer them.
//!
//! It must not know what happens to a conversation.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::{Conversation, Question, Turn, Unit};

#[derive(Deserialize)]
struct RawHaystack {
    question_id: String,
    questions: Vec<String>,
    #[serde(default)]
    question_date: Option<String>,
    answer_session_ids: Vec<Vec<String>>,
    haystack_dates: Vec<String>,
    haystack_session_ids: Vec<String>,
    haystack_sessions: Vec<Vec<RawTurn>>,
}

#[derive(Deserialize)]
struct RawTurn {
    role: String,
    content: String,
}

/// Reads every haystack of a file's text.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn parse(text: &str) -> Result<Vec<Conversation>, String> {
    let haystacks: Vec<RawHaystack> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(haystacks.into_iter().map(conversation).collect())
}

fn conversation(raw: RawHaystack) -> Conversation {
    let ids = raw.haystack_session_ids;
    let asked = raw.question_date.as_deref().and_then(parse_time);
    let questions = raw.questions.into_iter().zip(raw.answer_session_ids);
    let questions = questions.filter_map(|(text, answers)| {
        let evidence: Vec<usize> = (0..ids.len())
            .filter(|session| answers.contains(&ids[*session]))
            .collect();
        (!evidence.is_empty()).then(|| Question {
            text,
            evidence,
            category: "all".to_owned(),
            asked,
        })
    });
    let questions: Vec<Question> = questions.collect();
    let (mut turns, mut sessions) = (Vec::new(), Vec::new());
    for (session, date) in raw.haystack_sessions.into_iter().zip(raw.haystack_dates) {
        let (start, time) = (turns.len(), parse_time(&date).unwrap_or_default());
        turns.extend(session.into_iter().map(|said| turn(said, time)));
        sessions.push(start..turns.len());
    }
    Conversation {
        name: raw.question_id,
        sessions,
        turns,
        questions,
        unanswerable: Vec::new(),
        unit: Unit::Session,
    }
}

fn turn(raw: RawTurn, time: DateTime<Utc>) -> Turn {
    let by_user = raw.role == "user";
    Turn {
        speaker: if by_user { "User" } else { "Assistant" }.to_owned(),
        role: if by_user { "user" } else { "assistant" },
        text: raw.content,
        time,
    }
}

/// Reads a time such as `2023/12/18 (Mon) 04:17`.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let time = NaiveDateTime::parse_from_str(text.trim(), "%Y/%m/%d (%a) %H:%M").ok()?;
    Some(time.and_utc())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn questions_name_sessions() {
        let text = r#"[{"question_id": "h", "questions": ["Where?", "Who?"],
            "question_date": "2023/12/20 (Wed) 10:00", "answer_session_ids": [["b", "x"], ["x"]],
            "haystack_dates": ["2023/12/18 (Mon) 04:17", "2023/12/19 (Tue) 04:17"], "haystack_session_ids": ["a", "b"],
            "haystack_sessions": [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}],
                                  [{"role": "user", "content": "Paris"}]]}]"#;
        let found = &parse(text).unwrap()[0];
        assert_eq!(
            (found.turns.len(), found.sessions.as_slice()),
            (3, [0..2, 2..3].as_slice())
        );
        assert_eq!(found.questions.len(), 1);
        assert_eq!(found.questions[0].evidence, [1]);
        let asked = found.questions[0].asked.map(|asked| asked.to_rfc3339());
        assert_eq!(asked.as_deref(), Some("2023-12-20T10:00:00+00:00"));
        assert_eq!(found.turns[0].time.to_rfc3339(), "2023-12-18T04:17:00+00:00");
        assert_eq!(found.judged(&[2, 0]), [1, 0]);
    }
}
