//! What a history holds and how much of it is still to be read.
//!
//! It must not read turns nor change the store.

use std::collections::{BTreeSet, HashSet};

use mainpoint_store::{Scope, Turn, TurnId};

use super::Import;
use super::history::{History, Numbered};
use super::line::of_conversation;
use crate::cli::CliError;
use crate::conversation::prepare::Prepared;

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Conversations in the file.
    pub(super) conversations: usize,
    /// Messages that are passed over, as in a request.
    pub(super) passed_over: usize,
    /// Tokens of the turns that are to be read.
    pub(super) tokens: u64,
    /// Whose memory they become.
    pub(super) scopes: BTreeSet<Scope>,
}

/// The turns of a line.
pub(super) struct Conversation {
    pub(super) scope: Scope,
    /// Those with text, oldest first.
    pub(super) turns: Vec<Turn>,
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
            let names: Vec<TurnId> = conversation.turns.iter().map(|turn| turn.id).collect();
            let read = self.store.already_read(&conversation.scope, &names).await?;
            let unread = conversation.turns.iter().filter(|turn| !read.contains(&turn.id));
            for turn in unread {
                if seen.insert((conversation.scope.clone(), turn.id)) {
                    survey.tokens += u64::from(turn.tokens);
                }
            }
            survey.conversations += 1;
            survey.scopes.insert(conversation.scope);
        }
        Ok(survey)
    }

    /// The turns that a request with this history would bring, with the history's own dates.
    pub(super) fn prepare(&self, line: Numbered) -> Result<Conversation, String> {
        let scope = self.owner.scope(line.line.request.user.as_deref())?;
        let times: Vec<_> = (0..line.line.request.messages.len()).map(|index| line.line.time_of(index)).collect();
        let prepared = Prepared::new(&self.preparation.counter, line.line.request, scope.clone());
        let prepared = prepared.map_err(|error| error.to_string())?;
        let turns = prepared.spoken.iter().enumerate().filter_map(|(at, index)| {
            let turn = prepared.turn(at)?;
            let time = times.get(*index).copied().flatten().unwrap_or(turn.time);
            Some(Turn { time, ..turn })
        });
        let turns = turns.collect();
        Ok(Conversation { scope, turns })
    }
}
