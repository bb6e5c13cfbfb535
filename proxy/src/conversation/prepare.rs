//! The part of the memory path that only computes: parse, scope, names, counts.
//!
//! The work waits for nothing, so that it can run on a blocking thread ([`Preparation::run`] waits for one), and it changes
//! nothing. It takes time in proportion to the request, and ends at the request's deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mainpoint_store::{
    ConversationAppend, ConversationId, ConversationMatch, ConversationView, PlainTurn, PrefixId, SaidTurn, Scope,
    Turn, TurnId, TurnKind,
};
use tokio::sync::Semaphore;

use super::chain::Chain;
use super::echo;
use super::exchanges::CallPairs;
use super::scope::{ScopeKey, ScopePart, Sender};
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
    /// The name of the prompt up to each message; `None` for instructions.
    pub(crate) prefix_ids: Vec<Option<PrefixId>>,
    /// Indices of the messages that have text to remember, oldest first.
    pub(crate) spoken: Vec<usize>,
    /// The turn that each of them is.
    turns: Vec<TurnId>,
    /// The conversation that they go on with, and how the two match; `None` while that is not known.
    conversation_match: Option<ConversationMatch>,
    /// Indices of the messages that count with the words of a turn that they say again.
    restated: BTreeSet<usize>,
    /// What it says plainly of what was sent with more around it.
    plain: Vec<PlainTurn>,
    /// When that was said, by the places of those messages among the spoken ones.
    plain_times: BTreeMap<usize, DateTime<Utc>>,
    /// The name of the conversation that begins here, should one begin.
    fresh: ConversationId,
    /// The model's tokenizer.
    pub(crate) tokenizer: Tokenizer,
    /// Token counts.
    pub(crate) tokens: RequestTokens,
    /// When the request came.
    pub(crate) time: DateTime<Utc>,
    /// Until when it may be worked on.
    pub(crate) deadline: Deadline,
    /// Which calls and results belong together.
    pub(crate) call_pairs: CallPairs,
}

/// Where the reply will stand in the conversation.
#[derive(Debug, Clone)]
pub(crate) struct ReplySlot {
    parent: Option<TurnId>,
    conversation: ConversationId,
    position: u32,
    scope: Scope,
    /// What the request said, which stands before the reply; `None` while it is not known what is new.
    placement: Option<ConversationAppend>,
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
    // A request that names several users or projects was refused before.
    let (Ok(project), Ok(user)) = (own.callers.project(raw.sender.headers), own.callers.user(raw.sender.headers))
    else {
        return Ok(Err(Reason::UnknownShape));
    };
    let user = user.or(request.user.as_deref().map(str::as_bytes));
    let scope = own.keys.scope(&own.callers, raw.sender, ScopePart { project, user })?;
    Prepared::until(deadline, &own.counter, request, scope, raw.time).map(Ok)
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct RawRequest<'a> {
    /// Which of OpenAI's interfaces it speaks.
    pub(crate) surface: Surface,
    /// Who sends it.
    pub(crate) sender: Sender<'a>,
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
        let prefix_ids = chain.prefix_ids(&request.messages);
        deadline.check()?;
        let tokenizer = counter.tokenizer(&request.model);
        let tokens = counter.request(tokenizer, &request, deadline)?;
        let is_spoken = |index: &usize| {
            prefix_ids.get(*index).is_some_and(Option::is_some)
                && request.messages.get(*index).is_some_and(Message::has_text)
        };
        let spoken: Vec<usize> = (0..request.messages.len()).filter(is_spoken).collect();
        let messages = spoken.iter().filter_map(|index| request.messages.get(*index));
        let turns = messages.map(|message| chain.turn_of(message)).collect();
        deadline.check()?;
        Ok(Self {
            call_pairs: CallPairs::new(&request.messages),
            request,
            scope,
            prefix_ids,
            spoken,
            turns,
            conversation_match: None,
            restated: BTreeSet::new(),
            plain: Vec::new(),
            plain_times: BTreeMap::new(),
            fresh: fresh_name(time),
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
            conversation: self.conversation(),
            scope: self.scope.clone(),
            position: self.position(at),
            role: message.role.to_owned(),
            text: message.text(),
            time: self.plain_times.get(&at).copied().unwrap_or(self.time),
            tokens: self.tokens.messages.get(index).map_or(0, |tokens| u32::try_from(*tokens).unwrap_or(u32::MAX)),
        })
    }

    /// The name of the turn that the message `spoken[at]` is.
    pub(crate) fn turn_id(&self, at: usize) -> Option<TurnId> {
        self.turns.get(at).copied()
    }

    /// How much each spoken message says about the conversation.
    pub(crate) fn kinds(&self) -> Vec<TurnKind> {
        let kind = |message: &Message| match (message.role, message.texts().map(str::len).sum::<usize>()) {
            ("tool" | "function", _) => TurnKind::Routine,
            _ if message.only_calls() => TurnKind::Routine,
            ("assistant", TELLING..) => TurnKind::TellingAnswer,
            ("assistant", _) => TurnKind::Answer,
            (_, TELLING..) => TurnKind::Telling,
            _ => TurnKind::Said,
        };
        self.spoken.iter().map(|index| self.request.messages.get(*index).map_or(TurnKind::Routine, kind)).collect()
    }

    /// Notes which conversation the request goes on with. The prompt has another name where it lacks some of its turns.
    pub(crate) fn join(&mut self, matched: ConversationMatch) {
        if !matched.lost.is_empty() {
            let chain = Chain::new(&self.scope);
            self.prefix_ids = chain.prefix_ids_as_known(&self.request.messages, &BTreeMap::new(), &matched.lost);
        }
        self.conversation_match = Some(matched);
    }

    /// The messages `spoken[at]` say what these turns said. They are those turns, and the prompt up to each message from there on
    /// has the name that it had with them: what was recorded for it then holds.
    pub(crate) fn restate(&mut self, restated: BTreeMap<usize, Turn>) {
        let chain = Chain::new(&self.scope);
        let mut known = BTreeMap::new();
        for (at, turn) in restated {
            let (Some(id), Some(index)) = (self.turns.get_mut(at), self.spoken.get(at)) else { continue };
            *id = turn.id;
            // Where secrets were masked, what was said is not known word for word.
            if chain.turn(&turn.role, &turn.text) == turn.id {
                known.insert(*index, turn.text);
            }
        }
        if !known.is_empty() {
            self.prefix_ids = chain.prefix_ids_as_known(&self.request.messages, &known, self.lost());
            self.restated = known.into_keys().collect();
        }
    }

    /// Notes which messages `spoken[at]` say plainly what these turns were sent with more around it. They were said then.
    pub(crate) fn say_plainly(&mut self, said: Vec<(usize, Turn)>) {
        self.plain_times = said.iter().map(|(at, wrapped)| (*at, wrapped.time)).collect();
        let plain = |(at, wrapped): (usize, Turn)| Some(PlainTurn { wrapped: wrapped.id, turn: self.turn_id(at)? });
        self.plain = said.into_iter().filter_map(plain).collect();
    }

    /// Indices of the messages that say other words than those that what was recorded for them belongs to.
    pub(crate) fn restated(&self) -> &BTreeSet<usize> {
        &self.restated
    }

    /// The conversation, or branch of one, that what is new in the request belongs to.
    pub(crate) fn conversation(&self) -> ConversationId {
        let goes_on = |matched: &ConversationMatch| matched.is_newest || matched.known >= self.turns.len();
        let tip = self.conversation_match.as_ref().filter(|matched| goes_on(matched)).and_then(|matched| matched.tip);
        tip.map_or(self.fresh, |tip| tip.conversation)
    }

    /// The conversation up to what is new in the request, which is said now; `None` while it is not known.
    pub(crate) fn view(&self) -> Option<ConversationView> {
        let matched = self.conversation_match.as_ref()?;
        let earlier = matched.said_earlier.iter();
        let earlier = earlier.filter_map(|(at, time)| Some(SaidTurn { turn: self.turn_id(*at)?, time: *time }));
        Some(ConversationView { tip: matched.tip, now: self.time, earlier: earlier.collect() })
    }

    /// What is new in the request, and where it stands; `None` while it is not known what is new.
    pub(crate) fn placement(&self) -> Option<ConversationAppend> {
        let matched = self.conversation_match.as_ref()?;
        let new = self.turns.iter().enumerate().skip(matched.known);
        let time = |at: usize| matched.said_earlier.get(&at).copied().unwrap_or(self.time);
        Some(ConversationAppend {
            scope: self.scope.clone(),
            after: matched.tip,
            fresh: self.fresh,
            turns: new.map(|(at, turn)| SaidTurn { turn: *turn, time: time(at) }).collect(),
            plain: self.plain.clone(),
        })
    }

    /// The turns of the conversation that the request has not got.
    pub(crate) fn lost(&self) -> &[TurnId] {
        self.conversation_match.as_ref().map_or(&[], |matched| &matched.lost)
    }

    /// What numbers the blocks that go into the message `index`.
    pub(crate) fn seal(&self, index: usize) -> Seal {
        let message = self.request.messages.get(index);
        let seal = |message: &Message| Chain::new(&self.scope).seal(message, message.echo);
        message.map_or(Seal::new([0; 32]), seal)
    }

    /// What numbers the text that stands in the place of the result `index`.
    pub(crate) fn result_seal(&self, index: usize) -> Seal {
        let message = self.request.messages.get(index);
        message.map_or(Seal::new([0; 32]), |message| Chain::new(&self.scope).result_seal(message))
    }

    /// The turns with text, oldest first.
    pub(crate) fn spoken_ids(&self) -> &[TurnId] {
        &self.turns
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

    /// How many turns of the conversation come before the message `spoken[at]`, or before the reply.
    fn position(&self, at: usize) -> u32 {
        let (position, known) = self
            .conversation_match
            .as_ref()
            .map_or((0, 0), |matched| (matched.tip.map_or(0, |tip| tip.position as usize + 1), matched.known));
        u32::try_from((position + at).saturating_sub(known)).unwrap_or(u32::MAX)
    }

    /// Where the reply will stand; `None` when it could not be told which of several replies the client goes on with, or
    /// when the reply continues the last message.
    pub(crate) fn reply_slot(&self) -> Option<ReplySlot> {
        let last = self.request.messages.iter().rfind(|message| !message.is_instruction())?;
        if self.request.choices != 1 || last.role == "assistant" {
            return None;
        }
        Some(ReplySlot {
            parent: self.turns.last().copied(),
            conversation: self.conversation(),
            position: self.position(self.turns.len()),
            scope: self.scope.clone(),
            placement: self.placement(),
        })
    }
}

impl ReplySlot {
    /// The turn that a reply of `text` is, with about as many tokens as its length suggests, and what was said up to it.
    pub(crate) fn into_turn(self, text: String, time: DateTime<Utc>) -> (Turn, Option<ConversationAppend>) {
        let id = Chain::new(&self.scope).turn("assistant", &text);
        let placement = self.placement.map(|mut placement| {
            placement.turns.push(SaidTurn { turn: id, time });
            placement
        });
        let turn = Turn {
            id,
            parent: self.parent,
            conversation: self.conversation,
            scope: self.scope,
            position: self.position,
            role: "assistant".to_owned(),
            tokens: u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX),
            text,
            time,
        };
        (turn, placement)
    }
}

/// Bytes of a turn's text from which on it tells conversations apart.
const TELLING: usize = 40;

/// A name for a conversation that begins at a time: later names are greater, and no two are alike.
fn fresh_name(time: DateTime<Utc>) -> ConversationId {
    let mut name = *uuid::Uuid::new_v4().as_bytes();
    let micros = time.timestamp_micros().max(0).to_be_bytes();
    for (byte, of_time) in name.iter_mut().zip(micros) {
        *byte = of_time;
    }
    ConversationId(name)
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
    /// The headers that tell callers, their projects and their users apart.
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
        let (own, deadline) = (self.clone(), deadline.clone());
        let (headers, identity) = (raw.sender.headers.clone(), raw.sender.identity.clone());
        let (surface, body, time) = (raw.surface, raw.body, raw.time);
        let permit = if body.len() >= LARGE {
            // The semaphore is never closed.
            LARGE_AT_ONCE.acquire().await.ok()
        } else {
            None
        };
        let work = move || {
            let _permit = permit;
            let sender = Sender { headers: &headers, identity: &identity };
            let raw = RawRequest { surface, sender, body, time };
            prepare(&own, raw, &deadline)
        };
        tokio::task::spawn_blocking(work).await?
    }

    /// The scope that a caller has as a whole, whichever project and user a request was for.
    pub(crate) fn key_scope(&self, sender: Sender<'_>) -> Result<Scope, MemoryError> {
        Ok(self.keys.scope(&self.callers, sender, ScopePart::default())?)
    }
}
