//! What was done to a request and why, in figures, as `GET /mainpoint/receipts/{id}` tells it.
//!
//! It must not hold a word of a conversation: ids of turns, counts and prices only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::pack::Source;
use super::provider_cache::CacheState;
use crate::telemetry::stopwatch::Laps;

/// What was done to a request. Prices are in the unit of the configured ones, tokens in those of the request's model.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Receipt {
    /// The request's id, as in the header `x-mainpoint-request-id`.
    pub(crate) id: String,
    /// When the request had come, its body included.
    pub(crate) time: DateTime<Utc>,
    /// `chat.completions` or `responses`.
    pub(crate) surface: &'static str,
    /// `on`, `shadow` or `off`.
    pub(crate) mode: &'static str,
    /// `passthrough`, `rewritten` or `failed-open`.
    pub(crate) outcome: &'static str,
    /// Why the memory stepped aside.
    pub(crate) failure: Option<&'static str>,
    /// Tokens of the prompt as it came.
    pub(crate) tokens_in: Option<usize>,
    /// Tokens of the prompt as it was forwarded.
    pub(crate) tokens_forwarded: Option<usize>,
    /// Tokens of the prompt as it would have been forwarded in the mode `on`.
    pub(crate) tokens_would_forward: Option<usize>,
    /// What our count was multiplied with to give the model's tokens, as its answers have taught; `None` where it was not.
    pub(crate) token_factor: Option<f64>,
    /// Tokens that the rewriting saves.
    pub(crate) tokens_saved: Option<usize>,
    /// `cold` where the provider's cache was taken to hold nothing of the conversation, since its last prompt was sent too long ago;
    /// else `warm`.
    pub(crate) cache: CacheState,
    /// What the prompt as it came would cost, had the provider cached everything but its newest messages; where the cache is cold,
    /// nothing.
    pub(crate) price_in: Option<f64>,
    /// What the rewritten prompt costs, with what has to be written to the provider's cache anew.
    pub(crate) price_forwarded: Option<f64>,
    /// Messages that have left the prompt.
    pub(crate) messages_dropped: usize,
    /// Results of tools that stand in the prompt shortened to their main points.
    pub(crate) results_shortened: usize,
    /// Whether the prompt is over the budget all the same, as `tokens_would_forward` counts it: because of what stays whatever
    /// happens, because the memory stepped aside, or because of turns that have not been read.
    pub(crate) over_budget: bool,
    /// Turns that could leave a prompt over the budget if they had been read. Until then they stay, and so does what is newer.
    pub(crate) unread_turns: usize,
    /// Turns of the conversation that the prompt had not got as it came.
    pub(crate) lost_turns: usize,
    /// Messages that stay as they came because something about them is odd, by what that is.
    pub(crate) odd_messages: BTreeMap<&'static str, usize>,
    /// Images, files and other attachments in the prompt as it came.
    pub(crate) attachments: usize,
    /// The eviction that holds.
    pub(crate) eviction: Option<EvictionNote>,
    /// Memories for this question, in the order of the quotes; empty when they are those of an earlier request for the same message.
    pub(crate) memories: Vec<Source>,
    /// Whether no memories were added because nothing that was found is near enough to the question; false when that was
    /// found out for an earlier request for the same message.
    pub(crate) abstained: bool,
    /// Calls of the tool that `memory.tools` offers, which were answered before the reply.
    pub(crate) recall_calls: usize,
    /// Memories that those calls brought, call by call.
    pub(crate) recall_memories: Vec<Source>,
    /// Why new turns are not stored for now: `stored_limit` where their caller has no room for all of them (`limits.stored_turns`,
    /// `limits.stored_bytes`), `backlog_full`, `backlog_share`, `journal_busy` where too many wait for a journal that is
    /// slow or fails, or the kind of failure of the journal's last write as long as the journal does not work, as in
    /// `mainpoint_failures_total`. They are when a later request brings them.
    pub(crate) not_stored: Option<&'static str>,
    /// Whether the request and its answer are stored, as far as `not_stored` allows; `false` where the client wants that none of it is.
    pub(crate) stored: bool,
    /// Time spent, in milliseconds.
    pub(crate) milliseconds: Milliseconds,
    /// The reply as it was read; `None` before its end and when it is more than plain text.
    pub(crate) reply: Option<ReplyNote>,
}

/// The eviction that holds for a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct EvictionNote {
    /// Whether this request made it.
    pub(crate) is_new: bool,
    /// Messages that have left the prompt.
    pub(crate) messages_dropped: usize,
    /// What it costs this request, less than nothing where the cache is cold; `None` when an earlier one made it.
    pub(crate) cost: Option<f64>,
    /// What each later request saves, reckoned when it was made.
    pub(crate) saving_per_turn: Option<f64>,
}

/// Time spent, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Milliseconds {
    /// The whole memory path.
    pub(crate) memory: f64,
    /// Finding memories, a part of it.
    pub(crate) recall: f64,
    /// Each step, by name.
    pub(crate) steps: Laps,
}

/// A reply as it was read, without its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReplyNote {
    /// Length of its text.
    pub(crate) bytes: usize,
    /// SHA-256 of its text, in hexadecimal digits.
    pub(crate) sha256: String,
}

impl ReplyNote {
    /// Notes a reply.
    pub(crate) fn new(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self { bytes: text.len(), sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_noted_by_length_and_digest() {
        let note = ReplyNote::new("abc");
        assert_eq!(note.bytes, 3);
        assert_eq!(note.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
