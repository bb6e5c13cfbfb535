//! What we wrote ourselves: small talk, ten remarks in each of ten languages, on which nothing that was said before bears; and chats
//! in which something is told that a later chat tells otherwise, in five languages, with a question for each pair.
//!
//! The rule for newer facts was chosen on the first pairs; the others were written after it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{Conversation, DataSet, Kind, Question, Turn};
use crate::{BenchError, Failing};

#[derive(Deserialize)]
struct Update {
    then: String,
    now: String,
    question: String,
    answer: String,
    #[serde(default)]
    chosen_on: bool,
}

const REMARKS: &str = include_str!("../../data/small-talk.json");
const UPDATES: &str = include_str!("../../data/updates.json");
/// What questions are called whose answer has changed.
pub(crate) const UPDATE: &str = "knowledge-update";
/// The same of pairs that the rule for newer facts was chosen on.
const CHOSEN_ON: &str = "knowledge-update, chosen on";
/// When the first chat took place, 5 January 2026, in seconds since 1970.
const FIRST: i64 = 1_767_603_600;
/// Hours from one chat to the next.
const HOURS: i64 = 31;

/// The remarks by the code of their language.
pub(crate) fn remarks() -> Result<BTreeMap<String, Vec<String>>, BenchError> {
    serde_json::from_str(REMARKS).because("small-talk.json cannot be read")
}

/// One caller's chats: first what was told once, then what is told now, each in a chat of its own.
pub(crate) fn updates() -> Result<DataSet, BenchError> {
    let updates: Vec<Update> = serde_json::from_str(UPDATES).because("updates.json cannot be read")?;
    let told = updates.iter().map(|update| &update.then).chain(updates.iter().map(|update| &update.now));
    let turns: Vec<Turn> = told.zip(0..).map(|(text, number)| turn(text, number)).collect();
    let count = updates.len();
    let question = |(place, update): (usize, Update)| Question {
        text: update.question,
        evidence: vec![place, place + count],
        category: if update.chosen_on { CHOSEN_ON } else { UPDATE }.to_owned(),
        answer: update.answer,
    };
    let conversation = Conversation {
        name: "updates".to_owned(),
        sessions: (0..turns.len()).map(|place| place..place + 1).collect(),
        turns,
        questions: updates.into_iter().enumerate().map(question).collect(),
        unanswerable: Vec::new(),
    };
    Ok(DataSet { kind: Kind::Updates, conversations: vec![conversation] })
}

fn turn(text: &str, number: i64) -> Turn {
    let first = DateTime::<Utc>::from_timestamp(FIRST, 0).unwrap_or_default();
    let time = first + TimeDelta::hours(HOURS * number);
    Turn { speaker: "user".to_owned(), role: "user", text: text.to_owned(), time }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_told_now_is_told_later_than_what_was_told_once() -> Result<(), BenchError> {
        let conversation = updates()?.conversations.remove(0);
        let texts: BTreeSet<&str> = conversation.turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts.len(), 2 * conversation.questions.len(), "nothing is told twice");
        for question in &conversation.questions {
            let times: Vec<_> = question.evidence.iter().map(|turn| conversation.turns[*turn].time).collect();
            assert!(times.len() == 2 && times[0] < times[1], "{times:?}");
            assert!(!question.answer.is_empty());
        }
        let is_new = |question: &&Question| question.category == UPDATE;
        assert!(conversation.questions.iter().filter(is_new).count() >= 16);
        Ok(())
    }
    #[test]
    fn there_are_a_hundred_remarks_in_ten_languages() -> Result<(), BenchError> {
        let remarks = remarks()?;
        assert_eq!(remarks.len(), 10);
        let texts: BTreeSet<&String> = remarks.values().flatten().collect();
        assert_eq!(texts.len(), 100);
        Ok(())
    }
}
