//! Plays a conversation through the running proxy and keeps what the upstream received.
//!
//! It must not know prices or the other policies.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::conversation::Conversation;
use super::message::{Messages, Prompt};
use crate::BenchError;
use crate::progress::Progress;
use crate::running::client::{Answer, Caller, Client};
use crate::running::program::{Program, Settings};
use crate::running::upstream::ScriptedUpstream;

/// The proxy in front of an upstream that gives the recorded answers.
#[derive(Debug)]
pub(super) struct Stage {
    program: Program,
    upstream: ScriptedUpstream,
    next: Arc<Mutex<String>>,
}

/// What mainpoint forwarded.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// One request for each round.
    pub(super) rounds: Vec<Forwarded>,
    /// One request for each question, asked after the last round.
    pub(super) questions: Vec<Forwarded>,
}

/// A request as the upstream received it, and what its receipt says.
#[derive(Debug)]
pub(super) struct Forwarded {
    /// The prompt.
    pub(super) prompt: Prompt,
    /// What happened to it.
    pub(super) outcome: Outcome,
    /// Whether an epoch began.
    pub(super) begins_epoch: bool,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Forwarded as it came.
    Passthrough,
    /// Forwarded with a memory.
    Rewritten,
    /// Forwarded as it came since something failed.
    FailedOpen,
}

/// The system message of every request.
pub(super) const SYSTEM: &str = "You are a helpful assistant. Answer as well as you can from what was said so far.";

/// A model whose tokens are those of `o200k_base`, so that proxy and benchmark count alike.
const MODEL: &str = "gpt-4o";
const ASIDE: &str = "I will come back to that.";

impl Stage {
    /// Starts upstream and proxy.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] or [`BenchError::Write`] if one does not start.
    pub(super) async fn set(program: &Path, settings: &Settings) -> Result<Self, BenchError> {
        let next = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&next);
        let upstream =
            ScriptedUpstream::start(move |_| said.lock().unwrap_or_else(PoisonError::into_inner).clone()).await?;
        Ok(Self {
            program: Program::start(program, upstream.url(), settings).await?,
            upstream,
            next,
        })
    }

    /// Plays every round, and then asks every question aside.
    ///
    /// # Errors
    /// [`BenchError::Request`] or [`BenchError::Proxy`] if a request gets no answer or no receipt.
    pub(super) async fn play(
        &self,
        conversation: &Conversation,
        messages: &mut Messages,
    ) -> Result<Played, BenchError> {
        let caller = Caller {
            model: MODEL.to_owned(),
            key: Some(format!("prices-{}", conversation.name)),
            reply_tokens: None,
        };
        let mut client = Client::new(caller, SYSTEM);
        let steps = conversation.rounds.len() + conversation.questions.len();
        let mut progress = Progress::begin(format!("playing {}", conversation.name), steps);
        let metrics = self.program.beside("/metrics");
        let mut played = Played::default();
        for round in &conversation.rounds {
            client.wait_until_read(&metrics).await?;
            self.answer_next(&round.assistant);
            let answer = client.say(self.program.url(), &round.user).await?;
            played.rounds.push(self.forwarded(&client, &answer, messages).await?);
            progress.advance(1);
        }
        client.wait_until_read(&metrics).await?;
        self.answer_next(ASIDE);
        for question in &conversation.questions {
            let answer = client.say_aside(self.program.url(), &question.text).await?;
            played.questions.push(self.forwarded(&client, &answer, messages).await?);
            progress.advance(1);
        }
        Ok(played)
    }

    /// The end of the proxy's log.
    #[must_use]
    pub(super) fn log(&self) -> String {
        self.program.log()
    }

    /// Ends the proxy.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if it does not end well.
    pub(super) async fn end(self) -> Result<(), BenchError> {
        self.program.end().await
    }

    fn answer_next(&self, text: &str) {
        text.clone_into(&mut self.next.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn forwarded(
        &self,
        client: &Client,
        answer: &Answer,
        messages: &mut Messages,
    ) -> Result<Forwarded, BenchError> {
        let prompt = messages.received(&self.upstream.last_messages());
        let url = self.program.beside(&format!("/mainpoint/receipts/{}", answer.request));
        let receipt = client.document(&url).await?;
        let (outcome, begins_epoch) =
            read_receipt(&receipt).ok_or_else(|| BenchError::Proxy(format!("{url} is no receipt: {receipt}")))?;
        Ok(Forwarded {
            prompt,
            outcome,
            begins_epoch,
        })
    }
}

/// A request's outcome, and whether it began an epoch.
fn read_receipt(receipt: &Value) -> Option<(Outcome, bool)> {
    let outcome = match receipt["outcome"].as_str()? {
        "passthrough" => Outcome::Passthrough,
        "rewritten" => Outcome::Rewritten,
        "failed-open" => Outcome::FailedOpen,
        _ => return None,
    };
    Some((outcome, receipt["epoch"]["begun"].as_bool().unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_says_what_happened_and_whether_an_epoch_began() {
        let read = |outcome: &str, epoch: Value| read_receipt(&json!({"outcome": outcome, "epoch": epoch}));
        assert_eq!(read("passthrough", Value::Null), Some((Outcome::Passthrough, false)));
        assert_eq!(
            read("rewritten", json!({"begun": false})),
            Some((Outcome::Rewritten, false))
        );
        assert_eq!(
            read("rewritten", json!({"begun": true})),
            Some((Outcome::Rewritten, true))
        );
        assert_eq!(read("failed-open", Value::Null), Some((Outcome::FailedOpen, false)));
        assert_eq!(read("else", Value::Null), None);
    }
}
