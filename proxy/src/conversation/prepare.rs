//! The part of the memory path that only computes: parse, scope, chain, counts.
//!
//! The work waits for nothing, so that it can run on a blocking thread ([`Preparation::run`] waits for one), and it changes
//! nothing. It takes time in proportion to the request, and ends at the request's deadline.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use mainpoint_store::{Scope, Turn, TurnId};
use tokio::sync::Semaphore;

use super::chain::Chain;
use super::echo;
use super::exchanges::Bonds;
use super::scope::ScopeKey;
use crate::deadline::Deadline;
use crate::error::MemoryError;
use crate::http::credentials::CallerHeaders;
use crate::openai::block::Seal;
use crate::openai::request::{ChatRequest, Message, Surface};
use crate::openai::tokens::{RequestTokens, TokenCounter, Tokenizer};
use crate::reason::Reason;

/// Everything known about a request before any memory is asked.
pub(crate) struct Prepared {
    /// The parsed request.
    pub(crate) request: ChatRequest,
    /// Whose memory it may see.
    pub(crate) scope: Scope,
    /// The chain of each message; `None` for instructions.
    pub(crate) turn_ids: Vec<Option<TurnId>>,
    /// Indices of the messages that have text to remember, oldest first.
    pub(crate) spoken: Vec<usize>,
    /// The model's tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Token counts.
    pub(crate) tokens: RequestTokens,
    /// When the request came.
    pub(crate) time: DateTime<Utc>,
    /// Until when it may be worked on.
    pub(crate) deadline: Deadline,
    /// What belongs together.
    pub(crate) bonds: Bonds,
    /// For each message, and for what comes after the last, how many messages of the chain come before it.
    positions: Vec<u32>,
}

/// Where the reply will stand in the conversation.
#[derive(Debug, Clone)]
pub(crate) struct ReplySlot {
    scope: Scope,
    previous: Option<TurnId>,
    parent: Option<TurnId>,
    conversation: Option<TurnId>,
    position: u32,
}

/// Prepares a request, until `deadline`; or says why the memory does not apply to it.
///
/// # Errors
/// When the scope or the token counts cannot be made, or the time is over.
pub(crate) fn prepare(
    own: &Preparation,
    raw: RawRequest<'_>,
    deadline: &Deadline,
) -> Result<Result<Prepared, Reason>, MemoryError> {
    let request = match ChatRequest::parse_until(raw.surface, raw.body, deadline) {
        Ok(request) if request.messages.is_empty() => return Ok(Err(Reason::NoMessages)),
        Ok(request) => request,
        Err(error) => {
            tracing::debug!(error = %error, "relayed as it is");
            return Reason::of_unparsed(error).map_or(Err(MemoryError::Deadline), |reason| Ok(Err(reason)));
        }
    };
    // A request that names several users was refused before.
    let Ok(named) = own.callers.user(raw.headers) else {
        return Ok(Err(Reason::UnknownShape));
    };
    let user = named.or(request.user.as_deref().map(str::as_bytes));
    let scope = own.keys.scope(&own.callers, raw.headers, user)?;
    Prepared::until(deadline, &own.counter, request, scope, raw.time).map(Ok)
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct RawRequest<'a> {
    /// Which of OpenAI's interfaces it speaks.
    pub(crate) surface: Surface,
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
    /// When it came.
    pub(crate) time: DateTime<Utc>,
}

impl Prepared {
    /// Names and counts what a request of this scope holds, however long that takes.
    ///
    /// # Errors
    /// When the tokens cannot be counted.
    pub(crate) fn new(counter: &TokenCounter, request: ChatRequest, scope: Scope) -> Result<Self, MemoryError> {
        Self::until(&Deadline::none(), counter, request, scope, Utc::now())
    }

    fn until(
        deadline: &Deadline,
        counter: &TokenCounter,
        mut request: ChatRequest,
        scope: Scope,
        time: DateTime<Utc>,
    ) -> Result<Self, MemoryError> {
        let chain = Chain::new(&scope);
        echo::recognise(&chain, &mut request.messages);
        let turn_ids = chain.turn_ids(&request.messages);
        deadline.check()?;
        let tokenizer = counter.tokenizer(&request.model);
        let tokens = counter.request(tokenizer, &request, deadline)?;
        let is_spoken = |index: &usize| {
            turn_ids.get(*index).is_some_and(Option::is_some)
                && request.messages.get(*index).is_some_and(Message::has_text)
        };
        let spoken = (0..request.messages.len()).filter(is_spoken).collect();
        let mut position = 0;
        let counted = turn_ids.iter().map(|id| {
            position += u32::from(id.is_some());
            position
        });
        let positions = std::iter::once(0).chain(counted).collect();
        deadline.check()?;
        Ok(Self {
            bonds: Bonds::new(&request.messages),
            positions,
            request,
            scope,
            turn_ids,
            spoken,
            tokenizer,
            tokens,
            time,
            deadline: deadline.clone(),
        })
    }

    /// The turn that the message `spoken[at]` is.
    pub(crate) fn turn(&self, at: usize) -> Option<Turn> {
        let index = *self.spoken.get(at)?;
        let message = self.request.messages.get(index)?;
        Some(Turn {
            id: self.turn_id(at)?,
            parent: at.checked_sub(1).and_then(|before| self.turn_id(before)),
            conversation: self.turn_id(0)?,
            scope: self.scope.clone(),
            position: self.position(index),
            role: message.role.to_owned(),
            text: message.text(),
            time: self.time,
            tokens: self.tokens.messages.get(index).map_or(0, |tokens| u32::try_from(*tokens).unwrap_or(u32::MAX)),
        })
    }

    /// The turn id of the message `spoken[at]`.
    pub(crate) fn turn_id(&self, at: usize) -> Option<TurnId> {
        self.turn_ids.get(*self.spoken.get(at)?).copied().flatten()
    }

    /// What numbers the blocks that go into the message `index`.
    pub(crate) fn seal(&self, index: usize) -> Seal {
        let message = self.request.messages.get(index);
        let seal = |message: &Message| Chain::new(&self.scope).seal(message, message.echo);
        message.map_or(Seal::new([0; 32]), seal)
    }

    /// The ids of every turn with text, oldest first.
    pub(crate) fn spoken_ids(&self) -> Vec<TurnId> {
        (0..self.spoken.len()).filter_map(|at| self.turn_id(at)).collect()
    }

    /// How many messages are odd, for each reason.
    pub(crate) fn odd_messages(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for odd in self.request.messages.iter().filter_map(|message| message.odd.as_ref()) {
            *counts.entry(odd.why.label()).or_default() += 1;
        }
        counts
    }

    /// Index of the first message that no earlier request had: the beginning of the last reply that something follows, since
    /// what follows it is what the client added.
    pub(crate) fn fresh_from(&self) -> usize {
        let replied =
            |index: usize| self.request.messages.get(index).is_some_and(|message| message.role == "assistant");
        let before_the_last = self.request.messages.len().saturating_sub(1);
        let end = (0..before_the_last).rev().find(|index| replied(*index)).unwrap_or_default();
        (0..end).rev().take_while(|index| replied(*index)).last().unwrap_or(end)
    }

    /// How many messages of the chain come before the message `index`.
    fn position(&self, index: usize) -> u32 {
        self.positions.get(index).or(self.positions.last()).copied().unwrap_or_default()
    }

    /// Where the reply will stand; `None` when it could not be told which of several replies the client goes on with, or
    /// when the reply continues the last message.
    pub(crate) fn reply_slot(&self) -> Option<ReplySlot> {
        let last = self.request.messages.iter().rfind(|message| !message.is_instruction())?;
        if self.request.choices != 1 || last.role == "assistant" {
            return None;
        }
        Some(ReplySlot {
            scope: self.scope.clone(),
            previous: self.turn_ids.iter().rev().copied().flatten().next(),
            parent: self.spoken.len().checked_sub(1).and_then(|at| self.turn_id(at)),
            conversation: self.turn_id(0),
            position: self.position(self.request.messages.len()),
        })
    }
}

impl ReplySlot {
    /// The turn that a reply of `text` is, with about as many tokens as its length suggests.
    pub(crate) fn take(self, text: String, time: DateTime<Utc>) -> Turn {
        let id = Chain::new(&self.scope).reply(self.previous, &text);
        Turn {
            id,
            parent: self.parent,
            conversation: self.conversation.unwrap_or(id),
            scope: self.scope,
            position: self.position,
            role: "assistant".to_owned(),
            tokens: u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX),
            text,
            time,
        }
    }
}

/// Bodies from this size on are prepared a few at a time, so that small ones are not kept waiting for a thread or a core.
const LARGE: usize = 256 << 10;
static LARGE_AT_ONCE: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new((cores / 2).max(2))
});

/// What [`prepare`] needs, shared by all requests.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    /// The server's secret.
    pub(crate) keys: Arc<ScopeKey>,
    /// Counts tokens.
    pub(crate) counter: Arc<TokenCounter>,
    /// The headers that tell callers and their users apart.
    pub(crate) callers: CallerHeaders,
}

impl Preparation {
    /// Runs [`prepare`] on a thread that may be blocked.
    ///
    /// # Errors
    /// As [`prepare`], or when the worker ended abnormally.
    pub(crate) async fn run(
        &self,
        raw: RawRequest<'_>,
        deadline: &Deadline,
    ) -> Result<Result<Prepared, Reason>, MemoryError> {
        let (own, headers, deadline) = (self.clone(), raw.headers.clone(), deadline.clone());
        let (surface, body, time) = (raw.surface, raw.body, raw.time);
        let permit = if body.len() >= LARGE {
            // The semaphore is never closed.
            LARGE_AT_ONCE.acquire().await.ok()
        } else {
            None
        };
        let work = move || {
            let _permit = permit;
            let raw = RawRequest { surface, headers: &headers, body, time };
            prepare(&own, raw, &deadline)
        };
        tokio::task::spawn_blocking(work).await?
    }

    /// The scope that a caller with these headers has as a whole, whichever user a request was for.
    pub(crate) fn key_scope(&self, headers: &HeaderMap) -> Result<Scope, MemoryError> {
        Ok(self.keys.scope(&self.callers, headers, None)?)
    }
}
