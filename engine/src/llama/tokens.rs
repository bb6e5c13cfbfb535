//! Tokens with byte offsets, and how many there are, of any text.
//!
//! llama.cpp is given a text in short segments: what some texts take it grows with the square of their length.

use std::borrow::Cow;
use std::ops::Range;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;

use crate::segments::{SegmentSize, segments};

/// A token and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextToken {
    pub(crate) id: LlamaToken,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What is tokenised at once.
pub(crate) const SEGMENT: SegmentSize = SegmentSize { bytes: 1024, gaps: 64 };
/// What SentencePiece writes for a space, and what stands for it where a text has it itself; both have three bytes.
const WRITTEN_SPACE: char = '\u{2581}';
const STAND_IN: &str = "\u{2582}";
/// Bytes that a changed character may have, between two pieces that are found again.
const REACH: usize = 12;

/// Tokens of `text` without BOS, in its order. Each stands for the bytes that its piece gives back; where a tokenizer changes
/// a text, for what lies between those that do. Every text has tokens, but for characters that its tokenizer drops.
pub(crate) fn tokenize(model: &LlamaModel, text: &str) -> Vec<TextToken> {
    tokenize_from(model, text, Beginning::Text)
}

/// The same for a text that stands behind another one and begins with a word of its own.
pub(crate) fn tokenize_behind(model: &LlamaModel, text: &str) -> Vec<TextToken> {
    tokenize_from(model, text, Beginning::Word)
}

/// What a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// Whatever its first character is.
    Text,
    /// A word behind a space.
    Word,
}

fn tokenize_from(model: &LlamaModel, text: &str, beginning: Beginning) -> Vec<TextToken> {
    let vocabulary = model.vocab();
    let mut tokens = Vec::new();
    for_segments(&vocabulary, text, beginning, |segment| {
        let found = aligned(&vocabulary, &segment)
            .or_else(|| aligned(&vocabulary, &segment.disguised()))
            .unwrap_or_else(|| resumed(&vocabulary, &segment));
        tokens.extend(found);
    });
    tokens
}

/// How many tokens `text` has, without BOS. The time this takes is proportional to the text's length.
pub(crate) fn count(model: &LlamaModel, text: &str) -> usize {
    let vocabulary = model.vocab();
    let mut tokens = 0;
    for_segments(&vocabulary, text, Beginning::Text, |segment| {
        tokens += vocabulary.tokenize(segment.asked().as_bytes(), false, false).len();
    });
    tokens
}

/// The first tokens of `text`, without BOS: all of them, or more than `most`. What lies behind those is not tokenised.
pub(crate) fn first_tokens(model: &LlamaModel, text: &str, most: usize) -> Vec<LlamaToken> {
    let vocabulary = model.vocab();
    let mut tokens = Vec::new();
    for_segments(&vocabulary, text, Beginning::Text, |segment| {
        if tokens.len() <= most {
            tokens.extend(vocabulary.tokenize(segment.asked().as_bytes(), false, false));
        }
    });
    tokens
}

/// A part of a text.
struct Segment<'text> {
    text: Cow<'text, str>,
    /// Where it begins in the whole text.
    start: usize,
    space: Space,
}

/// How the tokenizer comes to the space in front of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    /// The segment has it where there is one.
    Own,
    /// The tokenizer puts it there, so that the segment's own must go.
    Given,
    /// It must be put there.
    Lacking,
}

impl Segment<'_> {
    /// What the tokenizer is given.
    fn asked(&self) -> Cow<'_, str> {
        match self.space {
            Space::Own => Cow::Borrowed(&self.text),
            Space::Given => Cow::Borrowed(self.text.strip_prefix(' ').unwrap_or(&self.text)),
            Space::Lacking => Cow::Owned(format!(" {}", self.text)),
        }
    }

    /// The same without the character that comes back as a space.
    fn disguised(&self) -> Self {
        Self { text: self.text.replace(WRITTEN_SPACE, STAND_IN).into(), ..*self }
    }
}

fn for_segments<'text>(
    vocabulary: &LlamaVocab<'_>,
    text: &'text str,
    beginning: Beginning,
    mut work: impl FnMut(Segment<'text>),
) {
    let mut adds_space = None;
    for range in segments(text, SEGMENT) {
        let mut adds_space = || *adds_space.get_or_insert_with(|| puts_a_space_in_front(vocabulary));
        let space = match (range.start, beginning) {
            (0, Beginning::Text) => Space::Own,
            (0, Beginning::Word) if text.starts_with(char::is_whitespace) || adds_space() => Space::Own,
            (0, Beginning::Word) => Space::Lacking,
            _ if adds_space() => Space::Given,
            _ => Space::Own,
        };
        work(Segment { text: text.get(range.clone()).unwrap_or_default().into(), start: range.start, space });
    }
}

/// Whether the tokenizer puts a space in front of every text.
fn puts_a_space_in_front(vocabulary: &LlamaVocab<'_>) -> bool {
    let first = vocabulary.tokenize(b"a", false, false).first().copied();
    first.is_some_and(|first| vocabulary.token_to_piece(first, true, None).starts_with(b" "))
}

/// The tokens of a segment whose pieces give it back byte by byte; `None` if they do not.
fn aligned(vocabulary: &LlamaVocab<'_>, segment: &Segment<'_>) -> Option<Vec<TextToken>> {
    let bytes = segment.text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    for id in vocabulary.tokenize(segment.asked().as_bytes(), false, false) {
        let piece = vocabulary.token_to_piece(id, true, None);
        let rest = bytes.get(at..)?;
        // Some tokenizers put one space in front of a text.
        let piece =
            if at == 0 && !rest.starts_with(&piece) { piece.strip_prefix(b" ").unwrap_or(&piece) } else { &piece };
        if !rest.starts_with(piece) {
            return None;
        }
        tokens.push(TextToken { id, start: segment.start + at, end: segment.start + at + piece.len() });
        at += piece.len();
    }
    (at == bytes.len()).then_some(tokens)
}

/// The tokens of a segment that its tokenizer changes: each stands for the place where its piece is found next, and those
/// whose pieces are not found for what lies between.
fn resumed(vocabulary: &LlamaVocab<'_>, segment: &Segment<'_>) -> Vec<TextToken> {
    let ids = vocabulary.tokenize(segment.asked().as_bytes(), false, false);
    let pieces: Vec<Vec<u8>> = ids.iter().map(|id| vocabulary.token_to_piece(*id, true, None)).collect();
    let found = places(segment.text.as_bytes(), &pieces);
    let tokens = ids.into_iter().zip(found);
    tokens
        .map(|(id, place)| TextToken { id, start: segment.start + place.start, end: segment.start + place.end })
        .collect()
}

/// Where each piece lies in a text that is nearly made of them, ascending and without gaps between them.
fn places(text: &[u8], pieces: &[Vec<u8>]) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::with_capacity(pieces.len());
    // The places from here on are not known yet.
    let mut lost = 0;
    let mut at = 0;
    for piece in pieces {
        let reach = piece.len() + REACH * (1 + places.len() - lost);
        let near = &text[at..text.len().min(at + reach)];
        let bare = piece.strip_prefix(b" ").unwrap_or(piece);
        let found = [piece.as_slice(), bare].into_iter().find_map(|piece| Some((find(near, piece)?, piece.len())));
        let Some((gap, length)) = found.filter(|(_, length)| *length > 0) else {
            places.push(at..at);
            continue;
        };
        let start = at + gap;
        fill(&mut places, lost, start);
        let from = if places.is_empty() { 0 } else { start };
        places.push(from..start + length);
        at = start + length;
        lost = places.len();
    }
    fill(&mut places, lost, text.len());
    places
}

/// Gives everything up to `end` to the places from `lost` on or, if there is none, to the last one before.
fn fill(places: &mut [Range<usize>], lost: usize, end: usize) {
    if let Some(unknown) = places.get_mut(lost..).filter(|unknown| !unknown.is_empty()) {
        unknown.iter_mut().for_each(|place| place.end = end);
    } else if let Some(last) = places.last_mut() {
        last.end = end;
    }
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    text.windows(piece.len().max(1)).position(|window| window == piece)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn stretches<'a>(text: &'a str, pieces: &[&str]) -> Vec<&'a str> {
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let places = places(text.as_bytes(), &pieces);
        places.into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn pieces_that_are_not_found_stand_for_what_lies_between_those_that_are() {
        assert_eq!(
            stretches("We met … in Ｏｓｌｏ, then", &[" We", " met", " ...", " in", " Oslo", ",", " then"]),
            ["We", " met", " …", " in", " Ｏｓｌｏ", ",", " then"]
        );
        assert_eq!(stretches("½ cup", &[" 1", "⁄", "2", " cup"]), ["½", "½", "½", " cup"]);
        assert_eq!(stretches("İzmir", &[" izmir"]), ["İzmir"]);
    }

    #[test]
    fn what_no_piece_stands_for_belongs_to_a_neighbour() {
        assert_eq!(stretches("a\u{200b}b", &[" a", "b"]), ["a\u{200b}", "b"]);
        assert_eq!(stretches("\u{200b}a\u{200b}", &[" a"]), ["\u{200b}a\u{200b}"]);
        assert_eq!(stretches("\u{200b}", &[]), [""; 0]);
    }

    proptest! {
        #[test]
        fn places_ascend_and_leave_nothing_out(text in vec(0_u8..4, 0..40), pieces in vec(vec(0_u8..4, 0..4), 1..12)) {
            let mut end = 0;
            let mut start = 0;
            for place in places(&text, &pieces) {
                prop_assert!(place.start >= start && place.start <= end && place.end <= text.len());
                start = place.start;
                end = end.max(place.end);
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
