//! The conversation of the demo: everyday chat, a few facts early on, and questions about them late.
//!
//! It must not know who answers or what is measured.

use serde::Deserialize;

use crate::BenchError;

/// What can be said and answered.
#[derive(Debug, Deserialize)]
pub(super) struct Script {
    facts: Vec<Fact>,
    /// What the scripted upstream answers, one after the other.
    pub(super) replies: Vec<String>,
    small_talk: Vec<String>,
}

/// A fact, told early and asked for late.
#[derive(Debug, Deserialize)]
struct Fact {
    told: String,
    asked: String,
    needs: String,
}

/// One user turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What the user says.
    pub(super) text: String,
    /// For a question about an early fact: the words that its answer needs.
    pub(super) needs: Option<String>,
}

/// The system message of every request.
pub(super) const SYSTEM: &str = "You are a friendly assistant who keeps answers short.";
const SCRIPT: &str = include_str!("../../data/demo.json");

impl Script {
    /// The script that lies beside the benchmarks.
    pub(super) fn read() -> Result<Self, BenchError> {
        serde_json::from_str(SCRIPT).map_err(|error| BenchError::data("demo.json", error))
    }

    /// The conversation of `turns` user turns, at least 20.
    pub(super) fn conversation(&self, turns: usize) -> Vec<Line> {
        let mut chat = 0..;
        let last = turns.saturating_sub(1);
        let line = |text: String, needs: Option<&String>| Line { text, needs: needs.cloned() };
        let said = |turn: usize| {
            let told = self.facts.get(turn.wrapping_sub(1) / 2).filter(|_| turn % 2 == 1);
            let asked = self.facts.get((last - turn) / 2);
            let asked = asked.filter(|_| (last - turn).is_multiple_of(2));
            let told = told.map(|fact| line(fact.told.clone(), None));
            let asked = || asked.map(|fact| line(fact.asked.clone(), Some(&fact.needs)));
            told.or_else(asked).or_else(|| Some(line(self.small_talk(chat.next()?), None)))
        };
        (0..turns).filter_map(said).collect()
    }

    /// Small talk without end; after the last line the days are counted, so that no two lines are alike.
    fn small_talk(&self, number: usize) -> String {
        let text = &self.small_talk[number % self.small_talk.len()];
        match number / self.small_talk.len() {
            0 => text.clone(),
            round => format!("Another day, number {round} of these. {text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fact_is_told_early_and_asked_late() {
        let script = Script::read().unwrap();
        for turns in [20, 60, 61, 150] {
            let lines = script.conversation(turns);
            assert_eq!(lines.len(), turns);
            for fact in &script.facts {
                let told = lines.iter().position(|line| line.text == fact.told);
                let asked = lines.iter().position(|line| line.text == fact.asked);
                assert!(told.is_some_and(|told| told < 10), "{}", fact.told);
                assert!(asked.is_some_and(|asked| asked >= turns - 9), "{}", fact.asked);
            }
        }
    }

    #[test]
    fn no_line_is_said_twice_and_no_question_gives_its_answer_away() {
        let script = Script::read().unwrap();
        let lines = script.conversation(200);
        let texts: HashSet<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts.len(), 200);
        for fact in &script.facts {
            assert!(fact.told.contains(&fact.needs));
            assert!(script.facts.iter().all(|other| !other.asked.contains(&fact.needs)));
            let mut others = script.small_talk.iter().chain(&script.replies);
            assert!(others.all(|line| !line.contains(&fact.needs)));
        }
    }
}
