//! Recorded turns and questions cut to a wanted number of tokens.

use std::path::Path;

use mainpoint_engine::{Engine, TurnText};

use crate::data::{self, Conversation, Turn};
use crate::{BenchError, Failing};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// Turn by turn, and as a single turn of the first speaker.
    pub(super) ways: [Way; 2],
    /// The model's tokens of the turns, speakers included.
    pub(super) tokens: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) arm: &'static str,
    pub(super) turns: Vec<TurnText>,
}

/// The conversations of the file at `path`, the longest one first.
pub(super) fn longest_first(path: &Path) -> Result<Vec<Conversation>, BenchError> {
    let mut conversations = data::load(path)?.conversations;
    if conversations.is_empty() {
        return Err(BenchError::data(path, "it has no conversations"));
    }
    conversations.sort_by_key(|conversation| std::cmp::Reverse(conversation.turns.len()));
    Ok(conversations)
}

/// A turn as the reader sees it.
pub(super) fn as_read(turn: &Turn) -> TurnText {
    TurnText { speaker: turn.speaker.clone(), text: turn.text.clone() }
}

impl Text {
    /// The first turns of a conversation that have `tokens` tokens together; the last turn is cut between two words, so that
    /// a few tokens may be missing. Shorter conversations give all they have.
    pub(super) fn new(engine: &Engine, turns: &[Turn], tokens: usize) -> Result<Self, BenchError> {
        let mut kept: Vec<TurnText> = Vec::new();
        let mut room = tokens;
        for mut turn in turns.iter().map(as_read) {
            let count = count(engine, &rendered(&turn))?;
            if count > room {
                let speaker = self::count(engine, &format!("{}: \n", turn.speaker))?;
                turn.text = beginning(engine, &turn.text, room.saturating_sub(speaker))?.to_owned();
                room -= self::count(engine, &rendered(&turn))?.min(room);
                kept.push(turn);
                break;
            }
            room -= count;
            kept.push(turn);
        }
        let one = joined(&kept).into_iter().collect();
        let ways = [Way { arm: "mainpoint", turns: kept }, Way { arm: "mainpoint-one-turn", turns: one }];
        Ok(Self { ways, tokens: tokens - room })
    }
}

/// As many of a text's first words as have at most `room` tokens; nothing if not even one has.
pub(super) fn beginning<'a>(engine: &Engine, text: &'a str, room: usize) -> Result<&'a str, BenchError> {
    let mut text = text.trim_end();
    while !text.is_empty() && count(engine, text)? > room {
        let cut = text.rfind(char::is_whitespace).unwrap_or(0);
        text = text.get(..cut).unwrap_or_default().trim_end();
    }
    Ok(text)
}

fn rendered(turn: &TurnText) -> String {
    format!("{}: {}\n", turn.speaker, turn.text)
}

fn count(engine: &Engine, text: &str) -> Result<usize, BenchError> {
    engine.count_tokens(text).in_engine("counting tokens")
}

fn joined(turns: &[TurnText]) -> Option<TurnText> {
    let (first, others) = turns.split_first()?;
    let others = others.iter().map(|turn| format!("\n{}: {}", turn.speaker, turn.text));
    Some(TurnText { speaker: first.speaker.clone(), text: std::iter::once(first.text.clone()).chain(others).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_that_are_joined_keep_their_speakers() {
        let turn = |speaker: &str, text: &str| TurnText { speaker: speaker.to_owned(), text: text.to_owned() };
        let found = joined(&[turn("Ann", "hello"), turn("Bo", "how are you?")]);
        assert_eq!(found, Some(turn("Ann", "hello\nBo: how are you?")));
        assert_eq!(joined(&[]), None);
    }
}
