//! Decides what is forwarded: the original bytes, or a prompt rewritten to fit its budget.
//!
//! It must not know HTTP responses or the upstream. Whatever fails or takes too long, the original bytes remain.

use std::collections::HashSet;

use bytes::Bytes;
use http::HeaderMap;
use mainpoint_store::TurnId;

use super::budget::{Budget, Cut};
use super::pack::{self, Packed};
use super::parse::Message;
use super::prepare::{Prepared, Seat};
use super::rewrite;
use super::units;
use crate::error::MemoryError;
use crate::memory::{Memory, Offer, Question};

/// What became of a chat request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The original bytes, because nothing had to be done.
    Passthrough,
    /// A rewritten prompt.
    Rewritten,
    /// The original bytes, because something failed.
    FailedOpen,
}

impl Outcome {
    /// The value of `x-mainpoint` and the metric label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Rewritten => "rewritten",
            Self::FailedOpen => "failed-open",
        }
    }
}

/// What is forwarded and what is said about it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The bytes to forward.
    pub(crate) body: Bytes,
    /// What became of the request.
    pub(crate) outcome: Outcome,
    /// Tokens of the prompt as it came; `None` when it could not be read.
    pub(crate) tokens_in: Option<usize>,
    /// Tokens of the prompt as it is forwarded.
    pub(crate) tokens_forwarded: Option<usize>,
    /// Memories in the forwarded prompt.
    pub(crate) memories: usize,
    /// Where the reply will stand in the conversation.
    pub(crate) seat: Option<Seat>,
}

impl Plan {
    /// The original bytes, as they are.
    pub(crate) fn passthrough(body: Bytes) -> Self {
        Self {
            body,
            outcome: Outcome::Passthrough,
            tokens_in: None,
            tokens_forwarded: None,
            memories: 0,
            seat: None,
        }
    }

    /// Plans a request within `memory.deadline_ms`. Never fails: a failure is reported and leaves the original bytes.
    pub(crate) async fn of(memory: &Memory, headers: &HeaderMap, body: Bytes) -> Self {
        let mut plan = Self::passthrough(body);
        let result = tokio::time::timeout(memory.config().deadline, plan.fill(memory, headers)).await;
        if let Err(error) = result.unwrap_or(Err(MemoryError::Deadline)) {
            memory.report(&error);
            plan.outcome = Outcome::FailedOpen;
        }
        plan
    }

    /// Everything up to the last line only looks; the plan is changed in one step at the end, so that a deadline that passes
    /// in between leaves it whole.
    async fn fill(&mut self, memory: &Memory, headers: &HeaderMap) -> Result<(), MemoryError> {
        let prepared = memory.preparation().run(headers, &self.body).await;
        if let Ok(Some(prepared)) = &prepared {
            self.tokens_in = Some(prepared.tokens.total());
            self.tokens_forwarded = self.tokens_in;
        }
        if let Some(part) = memory.dead_parts().first() {
            return Err(MemoryError::Stopped { part: part.name() });
        }
        let Some(prepared) = prepared? else { return Ok(()) };
        self.seat = prepared.seat();
        let names = prepared.turn_names();
        memory.offer(Offer {
            scope: &prepared.scope,
            names: &names,
            turn: &|at| prepared.turn(at),
        });
        if let Some(rewritten) = rewritten(memory, &prepared).await? {
            self.body = rewritten.body;
            self.tokens_forwarded = Some(rewritten.tokens);
            self.memories = rewritten.memories;
            self.outcome = Outcome::Rewritten;
        }
        Ok(())
    }
}

struct Rewritten {
    body: Bytes,
    tokens: usize,
    memories: usize,
}

/// The rewritten prompt; `None` when it is within its budget or nothing may leave it.
async fn rewritten(memory: &Memory, prepared: &Prepared) -> Result<Option<Rewritten>, MemoryError> {
    let config = memory.config();
    let budget = Budget {
        total: config.budget_tokens,
        memory: config.memory_tokens,
    };
    let total = prepared.tokens.total();
    if total <= budget.total {
        return Ok(None);
    }
    let Some(question) = prepared.request.last_user() else {
        return Ok(None);
    };
    let Some(cut) = cut(memory, prepared, budget, total).await? else {
        return Ok(None);
    };
    let recalled = memory.recall(ask(prepared, &cut, question)).await?;
    let count = |text: &str| memory.preparation().counter.text(prepared.tokenizer, text);
    let packed = pack::pack(&recalled, budget.room(cut.kept_tokens), count)?;
    Ok(assemble(memory, prepared, &cut, packed, budget)?.filter(|rewritten| rewritten.tokens < total))
}

/// Which messages leave. A turn leaves only after it has been read; a message without text has nothing to read.
async fn cut(memory: &Memory, prepared: &Prepared, budget: Budget, total: usize) -> Result<Option<Cut>, MemoryError> {
    let names = prepared.turn_names();
    let read = memory.read_turns(&prepared.scope, &names).await?;
    let unread: HashSet<usize> = prepared
        .spoken
        .iter()
        .enumerate()
        .filter(|(at, _)| prepared.name(*at).is_none_or(|name| !read.contains(&name)))
        .map(|(_, index)| *index)
        .collect();
    let units = units::units(&prepared.request.messages);
    Ok(budget.cut(&units, &prepared.tokens.messages, total, |index| {
        !unread.contains(&index)
    }))
}

fn ask<'a>(prepared: &'a Prepared, cut: &Cut, question: usize) -> Question<'a> {
    let mut dropped = Vec::new();
    let mut kept: HashSet<TurnId> = HashSet::new();
    for (at, index) in prepared.spoken.iter().enumerate() {
        let Some(name) = prepared.name(at) else { continue };
        if cut.dropped.contains(index) {
            dropped.push(name);
        } else {
            kept.insert(name);
        }
    }
    let text = prepared
        .request
        .messages
        .get(question)
        .map(Message::text)
        .unwrap_or_default();
    Question {
        scope: &prepared.scope,
        text,
        dropped,
        kept,
    }
}

/// Writes the body. Should the block cost more at its place than it did alone, the weakest memories go.
fn assemble(
    memory: &Memory,
    prepared: &Prepared,
    cut: &Cut,
    mut packed: Option<Packed>,
    budget: Budget,
) -> Result<Option<Rewritten>, MemoryError> {
    let request = &prepared.request;
    let Some(at) = request.last_user() else { return Ok(None) };
    let limit = cut.kept_tokens + budget.room(cut.kept_tokens);
    let own = prepared.tokens.messages.get(at).copied().unwrap_or_default();
    while let Some(block) = packed
        .as_ref()
        .filter(|packed| packed.memories() > 0)
        .map(Packed::block)
    {
        let Some(message) = request
            .messages
            .get(at)
            .and_then(|message| rewrite::appended(message, &block))
        else {
            break;
        };
        let longer = memory.preparation().counter.message(prepared.tokenizer, &message)?;
        let tokens = cut.kept_tokens.saturating_sub(own) + longer;
        if tokens <= limit {
            let memories = packed.as_ref().map_or(0, Packed::memories);
            let body = rewrite::rewrite(request, &cut.dropped, Some((at, &block)));
            return Ok(body.map(|body| Rewritten { body, tokens, memories }));
        }
        if let Some(packed) = &mut packed {
            packed.drop_weakest();
        }
    }
    let body = rewrite::rewrite(request, &cut.dropped, None);
    Ok(body.map(|body| Rewritten {
        body,
        tokens: cut.kept_tokens,
        memories: 0,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::parse::tests::parsed;
    use super::super::units::tests::conversation;
    use super::*;

    proptest! {
        #[test]
        fn a_rewritten_conversation_keeps_a_legal_order(
            messages in conversation(), total in 1..120usize, unread in any::<u32>(),
        ) {
            let request = parsed(&json!({"messages": messages}).to_string());
            let units = units::units(&request.messages);
            let tokens = vec![10; messages.len()];
            let budget = Budget { total, memory: total / 2 };
            let may_drop = |index: usize| unread >> index & 1 == 0;
            let Some(cut) = budget.cut(&units, &tokens, 10 * messages.len(), may_drop) else { return Ok(()) };
            let Some(bytes) = rewrite::rewrite(&request, &cut.dropped, None) else { return Ok(()) };
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let kept = value["messages"].as_array().unwrap();

            // Every result that followed its call still does.
            let followed = answered(&messages.iter().collect::<Vec<_>>());
            let still = answered(&kept.iter().collect::<Vec<_>>());
            prop_assert!(still.len() == kept.iter().filter(|m| m["role"] == "tool").count()
                || still.len() <= followed.len());
            let orphans = kept.iter().filter(|m| m["role"] == "tool").count() - still.len();
            let original_orphans = messages.iter().filter(|m| m["role"] == "tool").count() - followed.len();
            prop_assert!(orphans <= original_orphans);

            // Instructions and the last user message are all there.
            let instructions = |all: &[Value]| all.iter().filter(|m| m["role"] == "system").count();
            prop_assert_eq!(instructions(kept), instructions(&messages));
            let last_user = |all: &[Value]| all.iter().rfind(|m| m["role"] == "user").cloned();
            prop_assert_eq!(last_user(kept), last_user(&messages));

            // When the first unit left, what is first now is a user message.
            let first = kept.iter().find(|m| m["role"] != "system").unwrap();
            if cut.dropped.contains(&units[0][0]) {
                prop_assert_eq!(&first["role"], "user");
            }
        }
    }

    /// Results whose call came before them.
    fn answered(messages: &[&Value]) -> Vec<usize> {
        let mut announced = BTreeSet::new();
        let mut found = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                announced.insert(call["id"].as_str().unwrap());
            }
            if message["role"] == "tool" && announced.contains(message["tool_call_id"].as_str().unwrap()) {
                found.push(index);
            }
        }
        found
    }
}
