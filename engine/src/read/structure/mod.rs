//! Where a text that is plainly structured falls apart: between records of JSON, between lines that are records, around and
//! within blocks of code.
//!
//! Prose has no such places. The time this takes is proportional to the text's length, whatever the text is.

mod alike;
mod json;
mod lines;

use std::cmp::Reverse;
use std::ops::Range;

use crate::segments::{SegmentSize, segments};

/// A place where a text falls apart: what ends before it and what begins behind it are two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seam {
    /// The byte behind it.
    pub(crate) at: usize,
    /// How deep within the structure it lies; what lies between two seams of a level may have seams of higher ones.
    pub(crate) level: usize,
}

/// How many levels there are; what is nested deeper is not looked at.
pub(crate) const LEVELS: usize = 6;
/// Bytes from one seam to the next of its level or a lower one. Shorter records stay together.
const LEAST_RECORD: usize = 32;

/// The seams of a text, ascending, none at its beginning or its end.
pub(crate) fn seams(text: &str) -> Vec<Seam> {
    json::seams(text).unwrap_or_else(|| lines::seams(text))
}

/// Byte ranges of consecutive stretches of a text that together are the text and have at most `size` bytes. They end where the
/// text falls apart most, if that is late enough.
pub(crate) fn stretches(text: &str, seams: &[Seam], size: SegmentSize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = text.get(start..).unwrap_or_default();
        let near =
            if rest.len() > size.bytes { within(seams, start + size.bytes / 4..start + size.bytes) } else { &[] };
        let seam = near.iter().min_by_key(|seam| (seam.level, Reverse(seam.at))).map(|seam| seam.at);
        let segment = || segments(rest, size).next().map(|segment| start + segment.end);
        let end = seam.or_else(segment).filter(|end| *end > start).unwrap_or(text.len());
        found.push(start..end);
        start = end;
    }
    found
}

/// The seams behind the beginning of a range and before its end.
pub(crate) fn within(seams: &[Seam], range: Range<usize>) -> &[Seam] {
    let from = seams.partition_point(|seam| seam.at <= range.start);
    let to = seams.partition_point(|seam| seam.at < range.end);
    seams.get(from..to).unwrap_or_default()
}

/// Seams that are found on the way through a text, no more of them than records are worth telling apart.
#[derive(Debug, Default)]
struct Found {
    seams: Vec<Seam>,
    /// The last one of each level.
    last: [usize; LEVELS],
}

impl Found {
    /// A seam behind all that were found before.
    fn add(&mut self, at: usize, level: usize) {
        let Some(levels) = self.last.get_mut(..=level) else {
            return;
        };
        let before = levels.iter().copied().max().unwrap_or_default();
        if at < before + LEAST_RECORD {
            return;
        }
        if let Some(last) = levels.last_mut() {
            *last = at;
        }
        // At one place the lowest level counts.
        match self.seams.last_mut().filter(|seam| seam.at == at) {
            Some(seam) => seam.level = seam.level.min(level),
            None => self.seams.push(Seam { at, level }),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::any_text_for_tests::any_text;

    /// Texts with something of every structure in them.
    pub(crate) fn structured_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => any_text(60),
            2 => "[a-z ]{1,40}\n",
            1 => Just("```rust\nfn one() {\n    two();\n}\n\nfn three() {}\n```\n".to_owned()),
            1 => (1..9_usize).prop_map(|count| {
                (0..count).map(|at| format!("2026-11-30 14:03:{at:02} INFO request {at} was answered. It took long.\n")).collect::<String>()
            }),
            1 => (1..9_usize).prop_map(|count| (0..count).map(|at| format!("{at},harbour,north,{}\n", at * 7)).collect::<String>()),
            1 => (1..9_usize).prop_map(|count| {
                let records: Vec<String> =
                    (0..count).map(|at| format!(r#"{{"id": {at}, "note": "The heron, it waits. Then, "}}"#)).collect();
                format!("[{}]", records.join(", "))
            }),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn seams_ascend_within_the_text_and_lie_between_characters(text in structured_text()) {
            let mut last = 0;
            for seam in seams(&text) {
                prop_assert!(seam.at > last && seam.at < text.len() && seam.level < LEVELS);
                prop_assert!(text.is_char_boundary(seam.at));
                last = seam.at;
            }
        }

        #[test]
        fn stretches_are_the_text_and_none_is_too_long(text in structured_text(), bytes in 8_usize..200) {
            let seams = seams(&text);
            let found = stretches(&text, &seams, SegmentSize { bytes, gaps: usize::MAX });
            let joined: String = found.iter().map(|range| &text[range.clone()]).collect();
            prop_assert_eq!(&joined, &text);
            prop_assert!(found.iter().all(|range| !range.is_empty() && range.len() <= bytes.max(4)));
        }

        #[test]
        fn a_text_without_structure_has_the_stretches_that_it_had(text in any_text(400), bytes in 8_usize..200) {
            let size = SegmentSize { bytes, gaps: usize::MAX };
            prop_assert_eq!(stretches(&text, &[], size), segments(&text, size).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_long_list_is_cut_where_records_begin() {
        let records: Vec<String> =
            (0..40).map(|at| format!(r#"{{"id":{at},"name":"a name, and what it is"}}"#)).collect();
        let text = format!("[{}]", records.join(","));
        let found = stretches(&text, &seams(&text), SegmentSize { bytes: 300, gaps: usize::MAX });
        assert!(found.len() > 4 && found.iter().skip(1).all(|range| text[range.clone()].starts_with("{\"id\"")));
    }
}
