//! Fits recalled turns into the room that memories have.
//!
//! It must not know how turns are recalled or where the block goes.

use mainpoint_engine::EngineError;
use mainpoint_store::Turn;

use super::block;

/// A turn that is worth quoting, and the passage of it that answers best.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recalled {
    /// The turn.
    pub(crate) turn: Turn,
    /// Its best passage, word for word; `None` when the turn is one passage.
    pub(crate) passage: Option<String>,
}

/// Picks from `recalled`, best first, what fits into `room` tokens, and writes the lines in chronological order.
/// A turn that would take more than a quarter of the room is quoted by its best passage.
///
/// # Errors
/// When `count` fails.
pub(crate) fn pack(
    recalled: &[Recalled],
    room: usize,
    count: impl Fn(&str) -> Result<usize, EngineError>,
) -> Result<Option<Packed>, EngineError> {
    let frame = count(&format!("{}{}", block::SEPARATOR, block::render(&[])))?;
    let mut free = room.saturating_sub(frame);
    let mut lines = Vec::new();
    for (rank, memory) in recalled.iter().enumerate() {
        let whole = line_of(&memory.turn, &memory.turn.text);
        let cost = count(&whole)? + LINE_BREAK;
        let chosen = if cost <= (room / 4).max(1) {
            (whole, cost)
        } else if let Some(passage) = &memory.passage {
            let shorter = line_of(&memory.turn, passage);
            let cost = count(&shorter)? + LINE_BREAK;
            (shorter, cost)
        } else {
            (whole, cost)
        };
        if chosen.1 <= free {
            free -= chosen.1;
            lines.push(Line {
                rank,
                order: order_of(&memory.turn),
                text: chosen.0,
            });
        }
    }
    let mut packed = Packed { lines };
    packed.lines.sort_by_key(|line| (line.order, line.rank));
    while packed.memories() > 0 && count(&format!("{}{}", block::SEPARATOR, packed.block()))? > room {
        packed.drop_weakest();
    }
    Ok((packed.memories() > 0).then_some(packed))
}

/// Lines in chronological order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq)]
struct Line {
    rank: usize,
    order: (i64, u32),
    text: String,
}

impl Packed {
    /// How many memories there are.
    pub(crate) fn memories(&self) -> usize {
        self.lines.len()
    }

    /// The block's text.
    pub(crate) fn block(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| line.text.clone()).collect();
        block::render(&lines)
    }

    /// Leaves out the memory that was ranked lowest.
    pub(crate) fn drop_weakest(&mut self) {
        if let Some(weakest) = self.lines.iter().map(|line| line.rank).max() {
            self.lines.retain(|line| line.rank != weakest);
        }
    }
}

const LINE_BREAK: usize = 1;

fn line_of(turn: &Turn, text: &str) -> String {
    block::line(turn.time, &turn.role, text)
}

/// Turns of one conversation that came in one request share their time to the minute at least; the position decides then.
fn order_of(turn: &Turn) -> (i64, u32) {
    (turn.time.timestamp() / 60, turn.position)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use chrono::{DateTime, TimeDelta};
    use mainpoint_store::{Scope, TurnId};
    use proptest::prelude::*;

    use super::*;

    fn memory(position: u32, text: &str) -> Recalled {
        let turn = Turn {
            id: TurnId([position as u8; 16]),
            parent: None,
            conversation: TurnId([0; 16]),
            scope: Scope::new("k-a").unwrap(),
            position,
            role: "user".to_owned(),
            text: text.to_owned(),
            time: DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::from(position)),
            tokens: 0,
        };
        Recalled { turn, passage: None }
    }

    fn words(text: &str) -> Result<usize, EngineError> {
        Ok(text.split_whitespace().count())
    }

    #[test]
    fn memories_stand_in_chronological_order_and_the_best_ones_win() {
        let packed = pack(&[memory(9, "nine"), memory(2, "two"), memory(5, "five")], 30, words)
            .unwrap()
            .unwrap();
        let block = packed.block();
        assert_eq!(packed.memories(), 2, "{block}");
        assert!(block.find("two").unwrap() < block.find("nine").unwrap());
        assert!(!block.contains("five"));
    }

    #[test]
    fn a_long_turn_is_quoted_by_its_best_passage() {
        let mut long = memory(1, &"word ".repeat(400));
        long.passage = Some("the answer is here".to_owned());
        let packed = pack(&[long], 100, words).unwrap().unwrap();
        assert!(packed.block().contains("the answer is here"));
        assert!(!packed.block().contains("word word"));
    }

    #[test]
    fn without_room_or_memories_there_is_no_block() {
        assert_eq!(pack(&[memory(1, "a")], 5, words).unwrap(), None);
        assert_eq!(pack(&[], 1000, words).unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_block_never_exceeds_its_room(
            texts in prop::collection::vec("[a-z ]{0,60}", 0..12), room in 0..120usize,
        ) {
            let all: Vec<Recalled> =
                texts.iter().enumerate().map(|(index, text)| memory(index as u32, text)).collect();
            if let Some(packed) = pack(&all, room, words).unwrap() {
                prop_assert!(words(&packed.block()).unwrap() <= room);
                prop_assert!(packed.memories() > 0);
            }
        }
    }
}
