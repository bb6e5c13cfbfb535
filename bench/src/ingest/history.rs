//! A history of recorded conversations, as `mainpoint import` takes it: JSON Lines, one conversation each.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::data::Conversation;
use crate::filled::message;
use crate::{BenchError, Failing};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) conversations: usize,
    /// Messages, each with text.
    pub(super) turns: usize,
    /// Bytes of what the messages say.
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    source: usize,
    conversation: usize,
    /// How often everything of the source has been used before.
    passage: usize,
}

/// About as many bytes make a token of the reader.
const BYTES_PER_TOKEN: usize = 4;

/// Writes conversations to `path`, one of each source in turn, until there are `tokens` tokens; the last one is cut. Every
/// source has a conversation in which something is said.
pub(super) fn write(path: &Path, sources: &[Vec<Conversation>], tokens: usize) -> Result<Extent, BenchError> {
    let mut out = BufWriter::new(File::create(path).when_writing(path)?);
    let goal = tokens.saturating_mul(BYTES_PER_TOKEN);
    let mut extent = Extent::default();
    while extent.bytes < goal {
        let Some((line, turns, bytes)) = compose(sources, extent.conversations, goal - extent.bytes) else {
            break;
        };
        writeln!(out, "{line}").when_writing(path)?;
        extent.conversations += 1;
        extent.turns += turns;
        extent.bytes += bytes;
    }
    out.flush().when_writing(path)?;
    Ok(extent)
}

/// The conversation with this number as a line, cut behind the message that fills `room` bytes; with its turns and bytes.
fn compose(sources: &[Vec<Conversation>], number: usize, room: usize) -> Option<(Value, usize, usize)> {
    let counts: Vec<usize> = sources.iter().map(Vec::len).collect();
    let place = place(number, &counts)?;
    let conversation = sources.get(place.source)?.get(place.conversation)?;
    let name = format!("{}-{}", conversation.name, place.passage + 1);
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for turn in conversation.turns.iter().filter(|turn| !turn.text.trim().is_empty()) {
        if bytes >= room {
            break;
        }
        // A turn is named by everything before it: with another beginning all turns of a conversation are others.
        let text = if messages.is_empty() { format!("({name}) {}", turn.message()) } else { turn.message() };
        bytes += text.len();
        messages.push(message(turn.role, &text, turn.time));
    }
    let turns = messages.len();
    Some((json!({"conversation": name, "messages": messages}), turns, bytes))
}

/// Sources take turns, and each begins anew when it is at its end. Nothing without sources or with an empty one.
fn place(number: usize, counts: &[usize]) -> Option<Place> {
    let source = number.checked_rem(counts.len())?;
    let round = number / counts.len();
    let count = *counts.get(source)?;
    Some(Place { source, conversation: round.checked_rem(count)?, passage: round / count })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::data::tests::conversation;

    #[test]
    fn sources_take_turns_and_begin_anew() {
        let places: Vec<(usize, usize, usize)> = (0..6)
            .filter_map(|number| place(number, &[2, 1]))
            .map(|place| (place.source, place.conversation, place.passage))
            .collect();
        assert_eq!(places, [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 0, 1), (0, 0, 1), (1, 0, 2)]);
        assert_eq!((place(0, &[]), place(1, &[1, 0])), (None, None));
    }

    #[test]
    fn a_history_is_as_long_as_wanted_and_no_two_lines_begin_alike() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.jsonl");
        let sources = [
            vec![conversation("short", &[("user", "One. Two."), ("user", " "), ("user", "Three.")])],
            vec![conversation("long", &[("user", "A longer message, said once.")])],
        ];
        let extent = write(&path, &sources, 60).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), extent.conversations);
        let messages = |line: &Value| line["messages"].as_array().unwrap().clone();
        assert_eq!(lines.iter().map(|line| messages(line).len()).sum::<usize>(), extent.turns);
        let firsts: HashSet<String> =
            lines.iter().map(|line| messages(line)[0]["content"].as_str().unwrap().to_owned()).collect();
        assert_eq!(firsts.len(), lines.len());
        assert_eq!(messages(&lines[0]).len(), 2, "blank turns are left out");
        assert_eq!(messages(&lines[0])[0]["content"], "(short-1) One. Two.");
        assert_eq!(messages(&lines[2])[0]["content"], "(short-2) One. Two.");
        assert!((240..320).contains(&extent.bytes), "{}", extent.bytes);
    }
}
