//! Recorded turns cut to a wanted number of tokens.
//!
//! It must not know what is timed.

use std::path::Path;

use mainpoint_engine::TurnText;
use mainpoint_engine::speed::{ReaderModel, Script};

use crate::BenchError;
use crate::recorded::{self, Conversation, Turn};

/// One text in the two forms in which it is read.
pub(super) struct Text {
    /// Turns of several speakers.
    pub(super) turns: Script,
    /// The same as a single turn of the first speaker.
    pub(super) one_turn: Script,
}

/// The conversations of the file at `path`, the longest one first.
///
/// # Errors
/// [`BenchError::Read`] or [`BenchError::Data`], the latter also for a file without conversations.
pub(super) fn longest_first(path: &Path) -> Result<Vec<Conversation>, BenchError> {
    let (_, mut conversations) = recorded::load(path)?;
    if conversations.is_empty() {
        return Err(BenchError::Data {
            path: path.to_owned(),
            reason: "it has no conversations".to_owned(),
        });
    }
    conversations.sort_by_key(|conversation| std::cmp::Reverse(conversation.turns.len()));
    Ok(conversations)
}

/// A turn as the reader sees it.
#[must_use]
pub(super) fn as_read(turn: &Turn) -> TurnText {
    TurnText {
        speaker: turn.speaker.clone(),
        text: turn.text.clone(),
    }
}

impl Text {
    /// The first turns of a conversation that have `tokens` tokens together, the opening token included; the last turn is
    /// cut between two words, so that a few tokens may be missing. Shorter conversations give all they have.
    ///
    /// # Errors
    /// [`BenchError::Engine`] if the tokenizer fails.
    pub(super) fn of(model: &ReaderModel, turns: &[Turn], tokens: usize) -> Result<Self, BenchError> {
        let mut kept: Vec<TurnText> = Vec::new();
        let mut room = tokens.saturating_sub(1);
        for turn in turns.iter().map(as_read) {
            let count = count(model, &turn)?;
            if count > room {
                kept.extend(beginning(model, turn, room)?);
                break;
            }
            room -= count;
            kept.push(turn);
        }
        let script = |turns| model.script(turns).map_err(BenchError::engine("tokenising a text"));
        Ok(Self {
            one_turn: script(joined(&kept).into_iter().collect())?,
            turns: script(kept)?,
        })
    }

    /// Tokens of the longer form, the opening token included.
    #[must_use]
    pub(super) fn most_tokens(&self) -> usize {
        self.turns.tokens().max(self.one_turn.tokens())
    }
}

/// As many of a turn's first words as have at most `room` tokens; nothing if not even one has.
fn beginning(model: &ReaderModel, mut turn: TurnText, room: usize) -> Result<Option<TurnText>, BenchError> {
    while count(model, &turn)? > room {
        let Some(cut) = turn.text.trim_end().rfind(char::is_whitespace) else {
            return Ok(None);
        };
        turn.text.truncate(cut);
    }
    Ok(Some(turn))
}

fn count(model: &ReaderModel, turn: &TurnText) -> Result<usize, BenchError> {
    model.count(turn).map_err(BenchError::engine("tokenising a turn"))
}

/// All turns as one, which the reader renders as it renders them one by one.
fn joined(turns: &[TurnText]) -> Option<TurnText> {
    let (first, others) = turns.split_first()?;
    let others = others.iter().map(|turn| format!("\n{}: {}", turn.speaker, turn.text));
    Some(TurnText {
        speaker: first.speaker.clone(),
        text: std::iter::once(first.text.clone()).chain(others).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_are_joined_are_rendered_as_before() {
        let turn = |speaker: &str, text: &str| TurnText {
            speaker: speaker.to_owned(),
            text: text.to_owned(),
        };
        let found = joined(&[turn("Ann", "hello"), turn("Bo", "how are you?")]);
        assert_eq!(found, Some(turn("Ann", "hello\nBo: how are you?")));
        assert_eq!(joined(&[]), None);
    }
}
