//! The part of the memory path that only computes: parse, scope, chain, counts.
//!
//! It must not wait for anything, so that it can run on a blocking thread, and it changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use mainpoint_store::{Scope, Turn, TurnId};

use super::chain::Chain;
use super::epoch::{Shape, Stretch};
use super::parse::{ChatRequest, Surface};
use super::scope::{ScopeKey, user_of};
use super::tokens::{RequestTokens, TokenCounter, Tokenizer};
use super::units::{rounds, units};
use crate::error::MemoryError;

/// Everything known about a request before any memory is asked.
pub(crate) struct Prepared {
    /// The parsed request.
    pub(crate) request: ChatRequest,
    /// Whose memory it may see.
    pub(crate) scope: Scope,
    /// The chain of each message; `None` for instructions.
    pub(crate) names: Vec<Option<TurnId>>,
    /// Indices of the messages that have text to remember, oldest first.
    pub(crate) spoken: Vec<usize>,
    /// The model's tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Token counts.
    pub(crate) tokens: RequestTokens,
    /// When the request came.
    pub(crate) time: DateTime<Utc>,
}

/// Where the reply will stand in the conversation.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    scope: Scope,
    previous: Option<TurnId>,
    parent: Option<TurnId>,
    conversation: Option<TurnId>,
    position: u32,
    before: Option<Turn>,
}

/// Prepares a request. `None` when it is none that could be rewritten.
///
/// # Errors
/// When the scope or the token counts cannot be made.
pub(crate) fn prepare(
    own: &Preparation,
    surface: Surface,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Option<Prepared>, MemoryError> {
    let request = match ChatRequest::parse(surface, body) {
        Ok(request) => request,
        Err(error) => {
            tracing::debug!(error = %error, "relayed as it is");
            return Ok(None);
        }
    };
    let user = user_of(headers, &own.user_header).or_else(|| request.user.clone());
    let scope = own.keys.scope(headers, user.as_deref())?;
    Prepared::of(&own.counter, request, scope).map(Some)
}

impl Prepared {
    /// Names and counts what a request of this scope holds.
    ///
    /// # Errors
    /// When the tokens cannot be counted.
    pub(crate) fn of(counter: &TokenCounter, request: ChatRequest, scope: Scope) -> Result<Self, MemoryError> {
        let names = Chain::new(&scope).names(&request.messages);
        let tokenizer = Tokenizer::of(&request.model);
        let tokens = counter.request(tokenizer, &request)?;
        let spoken = (0..request.messages.len())
            .filter(|index| names.get(*index).is_some_and(Option::is_some))
            .filter(|index| {
                request
                    .messages
                    .get(*index)
                    .is_some_and(|message| !message.text().trim().is_empty())
            })
            .collect();
        Ok(Self {
            request,
            scope,
            names,
            spoken,
            tokenizer,
            tokens,
            time: Utc::now(),
        })
    }

    /// The turn that the message `spoken[at]` is.
    pub(crate) fn turn(&self, at: usize) -> Option<Turn> {
        let index = *self.spoken.get(at)?;
        let message = self.request.messages.get(index)?;
        Some(Turn {
            id: self.name(at)?,
            parent: at.checked_sub(1).and_then(|before| self.name(before)),
            conversation: self.name(0)?,
            scope: self.scope.clone(),
            position: self.position(index),
            role: message.role.clone(),
            text: message.text(),
            time: self.time,
            tokens: self
                .tokens
                .messages
                .get(index)
                .map_or(0, |tokens| u32::try_from(*tokens).unwrap_or(u32::MAX)),
        })
    }

    /// The name of the message `spoken[at]`.
    pub(crate) fn name(&self, at: usize) -> Option<TurnId> {
        self.names.get(*self.spoken.get(at)?).copied().flatten()
    }

    /// The names of every turn with text, oldest first.
    pub(crate) fn turn_names(&self) -> Vec<TurnId> {
        (0..self.spoken.len()).filter_map(|at| self.name(at)).collect()
    }

    /// How the conversation may be cut: whole units but the last one, then the rounds of the last unit but the last round. A
    /// unit within which an earlier epoch ended, at the message `cut_at`, is in two pieces.
    pub(crate) fn shape(&self, cut_at: Option<usize>) -> Shape {
        let messages = &self.request.messages;
        let units = units(messages);
        let Some((last, older)) = units.split_last() else {
            return Shape::default();
        };
        let mut pieces = Vec::new();
        for unit in older {
            let cut = cut_at.filter(|at| unit.contains(at) && self.horizon(unit) != Some(*at));
            let gone: Vec<usize> = match cut {
                Some(at) => rounds(messages, unit)
                    .concat()
                    .into_iter()
                    .filter(|index| *index <= at)
                    .collect(),
                None => Vec::new(),
            };
            let rest = unit.iter().copied().filter(|index| !gone.contains(index)).collect();
            pieces.extend([gone, rest]);
        }
        // An old unit makes two pieces, the first of which may be empty.
        let recent = pieces.len().saturating_sub(2 * RECENT_UNITS);
        let mut rounds = rounds(messages, last);
        rounds.pop();
        pieces.extend(rounds);
        let named = pieces.into_iter().enumerate().filter_map(|(at, messages)| {
            let horizon = self.horizon(&messages)?;
            let is_recent = at >= recent;
            Some(Stretch {
                messages,
                horizon,
                is_recent,
            })
        });
        Shape {
            stretches: named.collect(),
        }
    }

    /// The last of some messages that has a name.
    fn horizon(&self, messages: &[usize]) -> Option<usize> {
        messages
            .iter()
            .rev()
            .copied()
            .find(|index| self.names.get(*index).is_some_and(Option::is_some))
    }

    /// Index of the first message that no earlier request had: the beginning of the last reply that something follows, since
    /// what follows it is what the client added.
    pub(crate) fn fresh_from(&self) -> usize {
        let replied = |index: usize| {
            self.request
                .messages
                .get(index)
                .is_some_and(|message| message.role == "assistant")
        };
        let before_the_last = self.request.messages.len().saturating_sub(1);
        let end = (0..before_the_last)
            .rev()
            .find(|index| replied(*index))
            .unwrap_or_default();
        (0..end).rev().take_while(|index| replied(*index)).last().unwrap_or(end)
    }

    /// How many messages of the chain come before the message `index`.
    fn position(&self, index: usize) -> u32 {
        let before = self.names.iter().take(index).flatten().count();
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    /// Where the reply will stand; `None` when it could not be told which of several replies the client goes on with, or
    /// when the reply continues the last message.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let last = self
            .request
            .messages
            .iter()
            .rfind(|message| !message.is_instruction())?;
        if self.request.choices != 1 || last.role == "assistant" {
            return None;
        }
        Some(Seat {
            scope: self.scope.clone(),
            previous: self.names.iter().rev().copied().flatten().next(),
            parent: self.spoken.len().checked_sub(1).and_then(|at| self.name(at)),
            conversation: self.name(0),
            position: self.position(self.request.messages.len()),
            before: self.spoken.len().checked_sub(1).and_then(|at| self.turn(at)),
        })
    }
}

impl Seat {
    /// The turn that a reply of `text` is, with about as many tokens as its length suggests, and the turn before it.
    pub(crate) fn take(self, text: String) -> (Turn, Option<Turn>) {
        let id = Chain::new(&self.scope).reply(self.previous, &text);
        let turn = Turn {
            id,
            parent: self.parent,
            conversation: self.conversation.unwrap_or(id),
            scope: self.scope,
            position: self.position,
            role: "assistant".to_owned(),
            tokens: u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX),
            text,
            time: Utc::now(),
        };
        (turn, self.before)
    }
}

/// How many units before the last one count as said last.
const RECENT_UNITS: usize = 2;

/// What [`prepare`] needs, shared by all requests.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    /// The server's secret.
    pub(crate) keys: Arc<ScopeKey>,
    /// Counts tokens.
    pub(crate) counter: Arc<TokenCounter>,
    /// Name of the header that subdivides a key's scope by user.
    pub(crate) user_header: String,
}

impl Preparation {
    /// Runs [`prepare`] where it may take its time.
    ///
    /// # Errors
    /// As [`prepare`], or when the worker ended abnormally.
    pub(crate) async fn run(
        &self,
        surface: Surface,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Option<Prepared>, MemoryError> {
        let (own, headers, body) = (self.clone(), headers.clone(), body.clone());
        tokio::task::spawn_blocking(move || prepare(&own, surface, &headers, body)).await?
    }

    /// The scope that a caller with these headers has as a whole, whichever user a request was for.
    pub(crate) fn key_scope(&self, headers: &HeaderMap) -> Result<Scope, MemoryError> {
        Ok(self.keys.scope(headers, None)?)
    }
}
