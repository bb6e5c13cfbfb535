//! What the running proxy forwards for each question, and what is in it.
//!
//! A conversation is imported once, with the times at which it took place, into a store that is kept; the proxy runs on
//! a copy.

use mainpoint_tests::prompt;
use serde::Serialize;
use serde_json::Value;

use super::AnswerOptions;
use crate::BenchError;
use crate::data::{Conversation, Question, Turn};
use crate::filled::{History, message};
use crate::memory_block::{MemoryBlock, Recalled};
use crate::progress::over;
use crate::running::NO_DEADLINE;

/// A prompt as the upstream received it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Forwarded {
    pub(super) messages: Vec<Value>,
    /// The share of the turns that answer the question which the prompt holds, as messages or quoted.
    pub(super) evidence: f64,
    pub(super) quotes: Vec<QuotedTurn>,
    /// What the last message quotes.
    pub(super) block: MemoryBlock,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct QuotedTurn {
    /// How likely mainpoint says it is to answer the question, 0 to 1.
    pub(super) score: f64,
    /// Whether it is one of those that answer it.
    pub(super) is_evidence: bool,
}

/// The system message of every prompt of a question. Only those that ask for a time are told so: told that times are dates, a
/// small model answers other questions with the date of a turn.
pub(super) fn instruction(question: &Question) -> &'static str {
    if question.category.starts_with("temporal") { ASKED_WHEN } else { ASKED_WHAT }
}

const ASKED_WHAT: &str =
    "Answer the last message from the conversation in as few words as possible: the answer alone, no sentence.";
const ASKED_WHEN: &str =
    "Answer the last message from the conversation in as few words as possible: a date or a year alone, no sentence.";

/// Asks every question of a conversation aside.
pub(super) async fn ask(
    options: &AnswerOptions,
    conversation: &Conversation,
    questions: &[&Question],
) -> Result<Vec<Forwarded>, BenchError> {
    let key = format!("answers-{}", conversation.name);
    let said = |turn: &Turn| message(turn.role, &turn.message(), turn.time);
    let history = History::of_one(&conversation.name, &key, conversation.turns.iter().map(said).collect());
    let stage = history.play(&options.play.cache, options.budget, &[NO_DEADLINE], &options.play.settings).await?;
    let mut found = Vec::with_capacity(questions.len());
    for question in over(format!("asking {}", conversation.name), questions) {
        let mut client = stage.client(instruction(question));
        conversation.turns.iter().for_each(|turn| client.put(turn.role, &turn.message()));
        let answer = client.say_aside(&stage.proxy, &question.text).await;
        let recalled = client.receipt(&stage.proxy, &answer).await?;
        let request = stage.upstream.last_request().json();
        found.push(Forwarded::of(&request, &recalled, conversation, question));
    }
    stage.end().await;
    Ok(found)
}

impl Forwarded {
    /// How many of the quoted turns are such that answer the question.
    pub(super) fn evidence_quoted(&self) -> usize {
        self.quotes.iter().filter(|quote| quote.is_evidence).count()
    }

    fn of(request: &Value, recalled: &Recalled, conversation: &Conversation, question: &Question) -> Self {
        let messages = prompt::messages(request);
        let kept: Vec<String> = messages.iter().map(prompt::own_text).collect();
        let quoted: Vec<usize> = recalled.memories.iter().map(|memory| memory.position).collect();
        let holds = |turn: &&usize| {
            let said = conversation.turns.get(**turn).map(|turn| turn.message().trim().to_owned());
            quoted.contains(turn) || said.is_some_and(|said| kept.contains(&said))
        };
        let held = question.evidence.iter().filter(holds).count();
        let quotes = recalled.memories.iter().map(|memory| QuotedTurn {
            score: memory.score,
            is_evidence: question.evidence.contains(&memory.position),
        });
        Self {
            messages: messages.to_vec(),
            evidence: held as f64 / question.evidence.len().max(1) as f64,
            quotes: quotes.collect(),
            block: MemoryBlock::of(request),
        }
    }
}
