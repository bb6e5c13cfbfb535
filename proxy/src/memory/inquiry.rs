//! Asks the memory of a scope a question, as the proxy does for a prompt, and keeps what speaks for each turn that is found.

use std::collections::HashSet;

use chrono::Utc;
use mainpoint_engine::Engine;
use mainpoint_store::{Point, Scope, Store, Turn, TurnId, Within};
use serde_json::{Value, json};

use super::facade::most_recalled;
use super::main_point;
use super::recall::abstention::{Evidence, Floor};
use super::recall::relevance::Candidate;
use super::recall::{Recall, RecallQuery, RecalledTurn};
use super::small_talk::SmallTalk;
use super::words_of;
use crate::config::{MemoryConfig, RecallReach};
use crate::error::MemoryError;
use crate::room::Room;

/// What an inquiry needs.
pub(crate) struct Inquiry<'a> {
    /// Reads the question.
    pub(crate) engine: &'a Engine,
    /// Is searched.
    pub(crate) store: &'a Store,
    /// How much is looked at, and what it takes to be recalled.
    pub(crate) config: &'a MemoryConfig,
    /// What is no question about the memory, if that is known.
    pub(crate) small_talk: Option<&'a SmallTalk>,
    /// Where what is compared takes its place, if that is bounded.
    pub(crate) room: Option<&'a Room>,
}

/// What an inquiry found.
#[derive(Default)]
pub(crate) struct InquiryFindings {
    /// The turns, best first.
    pub(crate) turns: Vec<FoundTurn>,
    /// How well the best of them matches the question.
    pub(crate) evidence: Evidence,
    /// What the evidence must reach before the proxy recalls anything.
    pub(crate) floor: Floor,
    /// Turns of the scope that have been accepted and nobody has read.
    pub(crate) turns_waiting: usize,
    /// The question's words, and those of what it asks.
    asked: Vec<String>,
}

/// A turn that was found.
pub(crate) struct FoundTurn {
    /// How likely it is to be the one that answers, 0 to 1.
    pub(crate) score: f32,
    /// What speaks for it.
    pub(crate) reasons: Candidate,
    /// The turn.
    pub(crate) turn: Turn,
    /// The turn that was sent, if this was said plainly after it had been sent with documents or instructions around
    /// it.
    pub(crate) sent_as: Option<TurnId>,
    /// The main point of its best passage, each span word for word.
    pub(crate) main_point: Vec<String>,
}

impl Inquiry<'_> {
    /// Asks; at most `most` turns are given, also such as the proxy would not think enough. As in prompts, what was told last comes
    /// before what it tells otherwise, which counts among the `most`.
    ///
    /// # Errors
    /// When the engine or the store fails.
    pub(crate) async fn ask(
        &self,
        scope: &Scope,
        question: String,
        most: usize,
    ) -> Result<InquiryFindings, MemoryError> {
        let config = MemoryConfig { least_match: -1.0, ..self.config.clone() };
        let recall = Recall {
            engine: self.engine,
            store: self.store,
            config: &config,
            small_talk: self.small_talk,
            // The newer of two facts may be behind those that are shown.
            most: most.max(most_recalled(&config)),
            room: self.room,
        };
        let (text, asked) = (question.clone(), Utc::now());
        let question = RecallQuery {
            scope,
            text: question,
            asked,
            reach: RecallReach::Caller,
            view: None,
            missing: Vec::new(),
            retained: HashSet::new(),
        };
        // A prompt waits for nothing; whoever asks by hand waits until what was read a moment ago can be searched.
        drop(self.store.snapshot(scope, &Within::Scope).await?);
        let mut found = recall.run(question).await?.newest_first(&text, asked);
        found.turns.truncate(most);
        let questions = found.questions(&text);
        let shown: Vec<TurnId> = found.turns.iter().map(|recalled| recalled.turn.id).collect();
        let points = self.store.points(scope, &Within::Turns(shown.clone()), MOST_POINTS).await?;
        let plain = self.store.sent_as(scope, &shown).await?;
        let turns = found.turns.into_iter().zip(found.reasons);
        let turns = turns.map(|(RecalledTurn { turn, score, sent_as, .. }, reasons)| {
            let point = points.iter().find(|point| point.turn == turn.id);
            let sent_as = sent_as.or_else(|| plain.get(&turn.id).copied());
            FoundTurn { score, reasons, main_point: point.map(main_point).unwrap_or_default(), turn, sent_as }
        });
        Ok(InquiryFindings {
            turns: turns.collect(),
            evidence: found.evidence,
            floor: Floor {
                least_match: self.config.least_match,
                least_lead: self.small_talk.map_or(0.0, SmallTalk::least_lead),
            },
            turns_waiting: self.store.counts(scope).await?.waiting,
            asked: questions,
        })
    }
}

impl InquiryFindings {
    /// Whether the proxy recalls what was found. Where nothing was found, or the question alone, there is nothing to recall, though
    /// nothing speaks against it.
    pub(crate) fn are_recalled(&self) -> bool {
        let answers = |found: &FoundTurn| !self.asked.contains(&words_of(&found.turn.text));
        self.turns.iter().any(answers) && self.evidence.is_enough(&self.floor)
    }

    /// All of it.
    pub(crate) fn describe(&self) -> Value {
        let results: Vec<Value> = self.turns.iter().map(FoundTurn::describe).collect();
        json!({ "evidence": self.describe_evidence(), "results": results, "turns_waiting": self.turns_waiting })
    }

    fn describe_evidence(&self) -> Value {
        json!({
            "max_sim": self.evidence.max_sim,
            "cosine": self.evidence.cosine,
            "small_talk": self.evidence.small_talk,
            "strength": self.evidence.strength(&self.floor),
            "least_match": self.floor.least_match,
            "is_enough": self.are_recalled(),
        })
    }
}

impl FoundTurn {
    fn describe(&self) -> Value {
        let turn = &self.turn;
        json!({
            "score": self.score,
            "words": self.reasons.lexical.map(|place| place + 1),
            "cosine": self.reasons.cosine,
            "max_sim": self.reasons.max_sim,
            "turn": turn.id.to_string(),
            "conversation": turn.conversation.to_string(),
            "position": turn.position,
            "time": turn.time,
            "role": turn.role,
            "text": turn.text,
            "main_point": self.main_point,
            "sent_as": self.sent_as.map(|turn| turn.to_string()),
        })
    }
}

/// Most main points that are read of the turns that are shown.
const MOST_POINTS: usize = 10_000;

fn main_point(point: &Point) -> Vec<String> {
    let pieces = main_point::pieces(point.start..point.end, &point.spans, &point.text);
    pieces.into_iter().map(|piece| piece.text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::memory::turns_for_tests as turns;

    #[test]
    fn a_found_turn_has_its_time_in_the_form_that_lists_have() {
        let turn = Turn { time: "2026-05-08T15:56:00.25+02:00".parse().unwrap(), ..turns::turn(0, "hello") };
        let found =
            FoundTurn { score: 0.5, reasons: Candidate::default(), turn, sent_as: None, main_point: Vec::new() };
        assert_eq!(found.describe()["time"], "2026-05-08T13:56:00.250Z");
    }

    #[test]
    fn where_nothing_was_compared_nothing_is_enough() {
        assert_eq!(InquiryFindings::default().describe()["evidence"]["is_enough"], false);
    }

    #[test]
    fn the_question_alone_is_not_recalled() {
        let found = |text: &str| FoundTurn {
            score: 0.5,
            reasons: Candidate::default(),
            turn: turns::turn(0, text),
            sent_as: None,
            main_point: Vec::new(),
        };
        let recalled = |texts: &[&str]| {
            let turns = texts.iter().map(|text| found(text)).collect();
            InquiryFindings { turns, asked: vec![words_of("Where is it?")], ..InquiryFindings::default() }
                .are_recalled()
        };
        assert!(!recalled(&["where is it"]));
        assert!(recalled(&["where is it", "Behind the mill."]));
    }
}
