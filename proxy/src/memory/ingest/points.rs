//! Turns what the engine read into what the store takes, and what the store has into what the engine reads.
//!
//! It must not call either; it only converts.

use mainpoint_engine::{PassageReading, TurnReading, TurnText};
use mainpoint_store::{Point, Span, Turn};

use super::blobs::readable;
use crate::memory::ranking_data::RankingData;

/// The turn as the reader sees it: without what is encoded in it.
pub(super) fn as_text(turn: &Turn) -> TurnText {
    TurnText { speaker: capitalised(&turn.role), text: readable(&turn.text).into_owned() }
}

/// The points of a turn that has been read.
pub(super) fn points_of(turn: &Turn, reading: &TurnReading) -> Vec<Point> {
    let profile = RankingData::new(turn);
    let numbered = reading.passages.iter().enumerate();
    numbered
        .map(|(index, passage)| Point {
            passage: narrow(index),
            ranking_data: profile.encode(passage.codes.as_bytes()),
            ..point(turn, passage)
        })
        .collect()
}

/// The first point of a turn, without ranking data.
fn point(turn: &Turn, read: &PassageReading) -> Point {
    Point {
        turn: turn.id,
        passage: 0,
        start: narrow(read.start),
        end: narrow(read.end),
        spans: read
            .spans
            .iter()
            .map(|span| Span { start: narrow(span.start), end: narrow(span.end), salience: span.salience })
            .collect(),
        text: turn.text.get(read.start..read.end).unwrap_or_default().to_owned(),
        vector: read.vector.clone(),
        ranking_data: Vec::new(),
    }
}

/// Who speaks, as the reader is told: `User`, `Assistant`.
#[must_use]
pub fn capitalised(role: &str) -> String {
    let mut letters = role.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
