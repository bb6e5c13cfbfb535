//! A request that is parsed, named and counted, and what is said of it once its conversation is known.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mainpoint_store::{
    ConversationAppend, ConversationId, ConversationMatch, ConversationView, PlainTurn, PrefixId, Scope, Turn, TurnId,
    TurnKind,
};

use super::chain::Chain;
use super::echo;
use super::exchanges::CallPairs;
use super::matched_conversation::{FirstSent, MatchedConversation};
use super::reply_slot::ReplySlot;
use crate::deadline::Deadline;
use crate::error::MemoryError;
use crate::openai::block::Seal;
use crate::openai::request::{ChatRequest, Message};
use crate::openai::tokens::{RequestTokens, TokenCounter, Tokenizer};

/// Everything known about a request before its prompt is built. A
/// [`RequestPreparer`](super::request_preparer::RequestPreparer) makes it of the request alone. Then the memory is
/// asked for the conversation that the request goes on with: [`PreparedRequest::join`], [`PreparedRequest::restate`]
/// and [`PreparedRequest::say_plainly`] note what it says.
pub(crate) struct PreparedRequest {
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
    /// The conversation that they go on with; `None` while that is not known.
    matched: Option<MatchedConversation>,
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

impl PreparedRequest {
    /// Names and counts what a request of this scope holds, however long that takes.
    ///
    /// # Errors
    /// When the tokens cannot be counted.
    pub(crate) fn new(counter: &TokenCounter, request: ChatRequest, scope: Scope) -> Result<Self, MemoryError> {
        Self::until(&Deadline::none(), counter, request, scope, Utc::now())
    }

    /// The same until `deadline`, of a request that came at this time.
    ///
    /// # Errors
    /// As [`Self::new`], and when the time is over.
    pub(super) fn until(
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
            matched: None,
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
        let now = || FirstSent { conversation: self.conversation(), position: self.position(at), time: self.time };
        let first_sent = self.matched.as_ref().and_then(|matched| matched.first_sent(at));
        let FirstSent { conversation, position, time } = first_sent.unwrap_or_else(now);
        Some(Turn {
            id: self.turn_id(at)?,
            parent: at.checked_sub(1).and_then(|before| self.turn_id(before)),
            conversation,
            scope: self.scope.clone(),
            position,
            role: message.role.to_owned(),
            text: message.text(),
            time,
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
        self.matched = Some(MatchedConversation::new(matched));
    }

    /// Notes that the message `spoken[at]` says in other words what a known turn said, for each of these places. The
    /// message counts as that turn. The prefix ids from there on are those that the prompt had with that turn's words,
    /// so that the ledger's entries for them hold.
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
            if let Some(matched) = &mut self.matched {
                matched.restated = known.into_keys().collect();
            }
        }
    }

    /// Notes that the message `spoken[at]` is the plain form of a known turn, which was sent with documents or
    /// instructions around it, for each of these places. The message was said where and when that turn was.
    pub(crate) fn say_plainly(&mut self, said: Vec<(usize, Turn)>) {
        let first_sent = said.iter().map(|(at, wrapped)| (*at, FirstSent::new(wrapped))).collect();
        let plain = |(at, wrapped): (usize, Turn)| Some(PlainTurn { wrapped: wrapped.id, turn: self.turn_id(at)? });
        let plain = said.into_iter().filter_map(plain).collect();
        if let Some(matched) = &mut self.matched {
            (matched.plain, matched.first_sent) = (plain, first_sent);
        }
    }

    /// Indices of the messages that say a known turn in other words ([`PreparedRequest::restate`]). The ledger's
    /// entries for such a message were made for the words of that turn, not for those that the message has now.
    pub(crate) fn restated(&self) -> impl Iterator<Item = usize> {
        self.matched.iter().flat_map(|matched| matched.restated.iter().copied())
    }

    /// The conversation, or branch of one, that what is new in the request belongs to.
    pub(crate) fn conversation(&self) -> ConversationId {
        let matched = self.matched.as_ref();
        matched.and_then(|matched| matched.conversation(self.turns.len())).unwrap_or(self.fresh)
    }

    /// The conversation up to what is new in the request, which is said now; `None` while it is not known.
    pub(crate) fn view(&self) -> Option<ConversationView> {
        self.matched.as_ref().map(|matched| matched.view(&self.turns, self.time))
    }

    /// What is new in the request, and where it stands; `None` while it is not known what is new.
    pub(crate) fn placement(&self) -> Option<ConversationAppend> {
        let matched = self.matched.as_ref()?;
        Some(ConversationAppend {
            scope: self.scope.clone(),
            after: matched.tip(),
            fresh: self.fresh,
            turns: matched.new_turns(&self.turns, self.time),
            plain: matched.plain.clone(),
        })
    }

    /// The turns of the conversation that the request has not got.
    pub(crate) fn lost(&self) -> &[TurnId] {
        self.matched.as_ref().map_or(&[], MatchedConversation::lost)
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
        let position = self.matched.as_ref().map_or(at, |matched| matched.position(at));
        u32::try_from(position).unwrap_or(u32::MAX)
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
