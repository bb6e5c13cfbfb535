//! The LongMemEval benchmark file: many dated sessions of a user with an assistant, and questions that name the sessions which
//! answer them.
//!
//! Which turn of a session answers is marked for questions of the benchmark itself. For all others it is the one that
//! has the most of the answer's words, at least half of them.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Conversation, Question, Turn, written};
use crate::content_words::content_words;

#[derive(Deserialize)]
struct RawHaystack {
    question_id: String,
    /// What kind of question the benchmark's own one is.
    question_type: String,
    questions: Vec<String>,
    answers: Vec<Value>,
    /// For each question the sessions that answer it.
    answer_session_ids: Vec<Vec<String>>,
    haystack_dates: Vec<String>,
    haystack_session_ids: Vec<String>,
    haystack_sessions: Vec<Vec<RawMessage>>,
}

#[derive(Deserialize)]
struct RawMessage {
    role: String,
    content: String,
    #[serde(default)]
    has_answer: bool,
}

/// A session in its place among the others.
struct Session {
    id: String,
    time: DateTime<Utc>,
    messages: Vec<RawMessage>,
}

/// What questions that are not the benchmark's own are called.
const SINGLE: &str = "single-session";

/// Reads every haystack of the file's text, its sessions in the order of their dates.
///
/// Questions that no turn answers are kept apart.
pub(super) fn parse(text: &str) -> Result<Vec<Conversation>, String> {
    let raw: Vec<RawHaystack> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    raw.into_iter().map(read).collect()
}

/// Whether a text looks like such a file.
pub(super) fn is_one(text: &str) -> bool {
    text.contains("\"haystack_sessions\"")
}

fn read(raw: RawHaystack) -> Result<Conversation, String> {
    let name = raw.question_id;
    let mut sessions = Vec::with_capacity(raw.haystack_sessions.len());
    let dated = raw.haystack_session_ids.into_iter().zip(raw.haystack_dates);
    for ((id, date), messages) in dated.zip(raw.haystack_sessions) {
        let time = parse_time(&date);
        let time = time.ok_or_else(|| format!("{name}: {date:?} is not like \"2023/08/11 (Fri) 00:01\""))?;
        sessions.push(Session { id, time, messages });
    }
    sessions.sort_by_key(|session| session.time);
    let (mut turns, mut ranges) = (Vec::new(), Vec::new());
    for session in &sessions {
        let start = turns.len();
        turns.extend(session.messages.iter().map(|message| turn(message, session.time)));
        ranges.push(start..turns.len());
    }
    let (mut questions, mut unanswerable) = (Vec::new(), Vec::new());
    let asked = raw.questions.into_iter().zip(&raw.answers).zip(&raw.answer_session_ids);
    for ((text, answer), ids) in asked {
        let answering = || sessions.iter().zip(&ranges).filter(|(session, _)| ids.contains(&session.id));
        let is_own = answering().any(|(session, _)| session.messages.iter().any(|message| message.has_answer));
        let category = if is_own { raw.question_type.as_str() } else { SINGLE };
        let answer_text = written(answer);
        let evidence = answering().flat_map(|(session, range)| {
            telling(session, &text, &answer_text).into_iter().map(|place| range.start + place)
        });
        match Question::judgeable(text.clone(), evidence, category.to_owned()) {
            Some(question) => questions.push(question.answered(answer)),
            None => unanswerable.push(text),
        }
    }
    Ok(Conversation { name, sessions: ranges, turns, questions, unanswerable })
}

fn turn(message: &RawMessage, time: DateTime<Utc>) -> Turn {
    let role = if message.role == "assistant" { "assistant" } else { "user" };
    Turn { speaker: role.to_owned(), role, text: message.content.clone(), time }
}

/// The places of the turns of a session that answer: those that are marked, else the one with the most of the answer's words, and
/// among equals of the question's.
fn telling(session: &Session, question: &str, answer: &str) -> Vec<usize> {
    let messages = session.messages.iter().enumerate();
    let marked: Vec<usize> = messages.filter(|(_, message)| message.has_answer).map(|(place, _)| place).collect();
    if !marked.is_empty() {
        return marked;
    }
    let words = |text: &str| content_words(text).collect::<HashSet<String>>();
    let (asked, expected) = (words(question), words(answer));
    let fit = |message: &RawMessage| {
        let said = words(&message.content);
        let shared = |wanted: &HashSet<String>| wanted.intersection(&said).count();
        (shared(&expected), shared(&asked))
    };
    let fits = session.messages.iter().map(fit).enumerate();
    // Of equals the first one.
    let best = fits.rev().max_by_key(|(_, fit)| *fit);
    let enough = best.filter(|(_, (found, _))| *found > 0 && found * 2 >= expected.len());
    enough.map(|(place, _)| place).into_iter().collect()
}

/// Reads a time such as `2023/08/11 (Fri) 00:01`.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let (day, rest) = text.trim().split_once(' ')?;
    let (_, time) = rest.split_once(' ')?;
    NaiveDateTime::parse_from_str(&format!("{day} {time}"), "%Y/%m/%d %H:%M").ok().map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"[{"question_id":"a1","question_type":"knowledge-update",
        "questions":["own","By what is the dough raised?","never said"],
        "answers":["21 June","By sourdough from Altamura",7],
        "answer_session_ids":[["s1","s2"],["s3"],["s3"]],
        "haystack_session_ids":["s2","s1","s3"],
        "haystack_dates":["2023/08/11 (Fri) 00:01","2023/07/01 (Sat) 10:30","2023/08/12 (Sat) 09:00"],
        "haystack_sessions":[
            [{"role":"user","content":"It is on 21 June.","has_answer":true},{"role":"assistant","content":"Fine."}],
            [{"role":"user","content":"It is on 14 June.","has_answer":true},
             {"role":"assistant","content":"Noted.","has_answer":false}],
            [{"role":"user","content":"How do I bake bread?"},
             {"role":"assistant","content":"Let the sourdough rise; that of Altamura raised mine."},
             {"role":"assistant","content":"Sourdough from Altamura keeps."}]]}]"#;

    #[test]
    fn sessions_come_in_the_order_of_their_dates() {
        let conversation = &parse(SMALL).unwrap()[0];
        assert_eq!(conversation.sessions, [0..2, 2..4, 4..7]);
        assert_eq!((conversation.turns[0].text.as_str(), conversation.turns[0].role), ("It is on 14 June.", "user"));
        assert_eq!(conversation.turns[2].time.to_rfc3339(), "2023-08-11T00:01:00+00:00");
        assert_eq!(conversation.turns[3].message(), "Fine.");
    }

    #[test]
    fn the_marked_turns_answer_the_benchmarks_own_question_and_the_likeliest_turn_every_other_one() {
        let conversation = &parse(SMALL).unwrap()[0];
        let found: Vec<(&str, &[usize], &str)> = conversation
            .questions
            .iter()
            .map(|question| (question.category.as_str(), question.evidence.as_slice(), question.answer.as_str()))
            .collect();
        let expected: [(&str, &[usize], &str); 2] =
            [("knowledge-update", &[0, 2], "21 June"), (SINGLE, &[5], "By sourdough from Altamura")];
        assert_eq!(found, expected);
        assert_eq!(conversation.unanswerable, ["never said"]);
    }

    #[test]
    fn another_file_is_told_from_this_one_and_what_is_wrong_with_it_is_named() {
        assert!(is_one(SMALL) && !is_one(r#"[{"sample_id":"conv-1"}]"#) && !is_one("{}"));
        assert!(parse(&SMALL.replace("2023/07/01 (Sat) 10:30", "long ago")).unwrap_err().contains("long ago"));
    }
}
