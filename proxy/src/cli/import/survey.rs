//! What a history holds and how much of it is still to be read.
//!
//! It must not read turns nor change the store.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use mainpoint_store::{Scope, Turn, TurnId};

use super::Import;
use super::history::{History, Numbered};
use super::line::of_conversation;
use crate::cli::CliError;
use crate::conversation::prepared_request::PreparedRequest;
use crate::memory::IncomingTurns;

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Conversations in the file that have turns.
    pub(super) conversations: usize,
    /// Messages that are passed over, as in a request.
    pub(super) passed_over: usize,
    /// Tokens of the turns that are to be read.
    pub(super) tokens: u64,
    /// Whose memory they become.
    pub(super) scopes: BTreeSet<Scope>,
}

/// What a line holds, as a request with this history would bring it.
pub(super) struct Conversation {
    prepared: PreparedRequest,
    /// When each message was written, as far as the history says so.
    times: Vec<Option<DateTime<Utc>>>,
}

impl Conversation {
    /// Whose memory it becomes.
    pub(super) fn scope(&self) -> &Scope {
        &self.prepared.scope
    }

    /// Its turns with text, oldest first, each once, with the history's own dates.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let mut seen = HashSet::new();
        let turns = self.prepared.spoken.iter().enumerate().filter_map(|(at, index)| {
            let turn = self.prepared.turn(at).filter(|turn| seen.insert(turn.id))?;
            let time = self.times.get(*index).copied().flatten().unwrap_or(turn.time);
            Some(Turn { time, ..turn })
        });
        turns.collect()
    }
}

impl Import<'_> {
    /// Looks through the file: which turns there are and which of them are in memory.
    pub(super) async fn survey(&self, history: &History) -> Result<Survey, CliError> {
        let mut survey = Survey::default();
        // Conversations may begin alike; what they share is read once.
        let mut seen: HashSet<(Scope, TurnId)> = HashSet::new();
        for line in history.lines()? {
            let line = line?;
            let number = line.number;
            let named = line.line.name.clone();
            survey.passed_over += line.line.listed.iter().filter(|message| message.oddity.is_some()).count();
            let conversation = self
                .prepare(line)
                .map_err(|reason| history.refusal(number, format!("{reason}{}", of_conversation(named.as_deref()))))?;
            let (scope, turns) = (conversation.scope(), conversation.turns());
            let names: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
            let read = self.store.read_or_unreadable(scope, &names).await?;
            for turn in turns.iter().filter(|turn| !read.contains(&turn.id)) {
                if seen.insert((scope.clone(), turn.id)) {
                    survey.tokens += u64::from(turn.tokens);
                }
            }
            survey.conversations += usize::from(!turns.is_empty());
            survey.scopes.insert(scope.clone());
        }
        Ok(survey)
    }

    /// The conversation of a line.
    pub(super) fn prepare(&self, line: Numbered) -> Result<Conversation, String> {
        let scope = self.owner.scope(line.line.request.user.as_deref())?;
        let times: Vec<_> = (0..line.line.request.messages.len()).map(|index| line.line.time_of(index)).collect();
        let prepared = PreparedRequest::new(&self.preparer.counter, line.line.request, scope);
        Ok(Conversation { prepared: prepared.map_err(|error| error.to_string())?, times })
    }

    /// What a conversation brings to those that the memory has.
    pub(super) async fn join(&self, mut conversation: Conversation) -> Result<IncomingTurns, CliError> {
        let prepared = &mut conversation.prepared;
        let (turns, kinds) = (prepared.spoken_ids().to_vec(), prepared.kinds());
        let times: Vec<Option<DateTime<Utc>>> =
            prepared.spoken.iter().map(|index| conversation.times.get(*index).copied().flatten()).collect();
        let began = times.first().copied().flatten();
        // A history has what was said, not what a client made of it for a request.
        let matched = self.store.match_conversation(&prepared.scope, turns, kinds, began, |_, _| false).await?;
        let known = matched.known;
        prepared.join(matched);
        let mut placement = prepared.placement().filter(|placement| !placement.turns.is_empty());
        let new = placement.iter_mut().flat_map(|placement| &mut placement.turns);
        for (said, time) in new.zip(times.into_iter().skip(known)) {
            said.time = time.unwrap_or(said.time);
        }
        Ok(IncomingTurns { turns: conversation.turns(), placement })
    }
}
