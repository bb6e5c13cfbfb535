//! What fuzzing calls: each function takes any bytes for what a file or a table holds, and asserts what must be so whatever they are.
//!
//! The package `mainpoint-fuzz` brings the bytes; the program uses nothing of it.

use std::collections::BTreeSet;

use crate::codes::{Codes, QuestionCodes, SketchBlock};
use crate::convert::fuzzing::{safetensors, sentence_piece, with_file};
use crate::llama::description::{describe_chat, describe_encoder};

/// A name, and what is tried under it.
pub type Target = (&'static str, fn(&[u8]));

/// All that can be tried here.
pub const TARGETS: [Target; 4] =
    [("gguf", gguf), ("safetensors", safetensors), ("sentence-piece", sentence_piece), ("codes", codes)];

/// The head of a model's file is described, or an error names the file.
fn gguf(bytes: &[u8]) {
    with_file(bytes, |path| {
        let errors = [describe_encoder(path).err(), describe_chat(path).err()];
        for error in errors.into_iter().flatten() {
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    });
}

/// How many dimensions vectors have: those that are compared word by word, and others.
const WIDTHS: [usize; 8] = [1, 8, 24, 65, 128, 384, 768, 1000];

/// Stored codes of any length score what they do when they are compared bit by bit, and a scan finds each passage once.
fn codes(bytes: &[u8]) {
    let [width, tokens, passage, stored @ ..] = bytes else { return };
    let width = WIDTHS[usize::from(width % 8)];
    let token_bytes = width.div_ceil(8);
    let (asked, stored) = stored.split_at((usize::from(tokens % 20) * token_bytes).min(stored.len()));
    let whole = Codes::from_bytes(width, asked.to_vec());
    assert_eq!(whole.is_some(), asked.len().is_multiple_of(token_bytes), "{width}");
    let Some(question) = whole.map(|codes| QuestionCodes::new(width, &codes)) else { return };
    assert_eq!(question.tokens(), asked.len() / token_bytes);
    let passages: Vec<&[u8]> = stored.chunks(usize::from(*passage).max(1)).collect();
    for passage in passages.iter().take(if asked.is_empty() { 0 } else { 8 }) {
        let found = question.max_sim(&[vec![passage]]);
        let (found, expected) = (found.first().copied().flatten(), slowly(width, asked, passage));
        assert_eq!(found.is_some(), expected.is_some(), "{width}");
        let difference = found.zip(expected).map_or(0.0, |(found, expected)| (found - expected).abs());
        assert!(difference < 1e-3, "{found:?} for {expected:?}");
    }
    let documents: Vec<Vec<&[u8]>> = passages.chunks(3).map(<[&[u8]]>::to_vec).collect();
    for (found, document) in question.max_sim_and_best(&documents).into_iter().zip(&documents) {
        if let Some((score, place)) = found {
            assert!((-1.0..=1.0).contains(&score) && place < document.len(), "{score} at {place}");
        }
    }
    scan(&question, &passages, bytes);
}

/// Sketches as they are made, and a block whose ends are any numbers.
fn scan(question: &QuestionCodes, passages: &[&[u8]], bytes: &[u8]) {
    let (form, mut sketches, mut ends) = (question.sketch_form(), Vec::new(), Vec::new());
    for passage in passages {
        form.append(passage, &mut sketches);
        ends.push(u32::try_from(sketches.len()).unwrap_or(u32::MAX));
    }
    let damaged: Vec<u32> = bytes.chunks(2).map(|pair| pair.iter().map(|byte| u32::from(*byte)).sum()).collect();
    let blocks = [SketchBlock { bytes: &sketches, ends: &ends }, SketchBlock { bytes, ends: &damaged }];
    let limit = passages.len() / 2 + 1;
    let places = question.scan(&blocks, limit);
    assert!(places.len() <= limit, "{} of {limit}", places.len());
    assert!(places.iter().all(|place| blocks.get(place.block).is_some_and(|block| place.passage < block.ends.len())));
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "{places:?}");
    let readable = ends.iter().zip(std::iter::once(&0).chain(&ends)).filter(|(end, start)| end > start).count();
    let found = question.scan(&blocks[..1], passages.len()).len();
    assert_eq!(found, if question.tokens() > 0 { readable } else { 0 });
}

/// How similar one passage is to a question, bit by bit; `None` for what are no whole tokens.
fn slowly(width: usize, asked: &[u8], passage: &[u8]) -> Option<f32> {
    let token_bytes = width.div_ceil(8);
    let is_readable = passage.len().is_multiple_of(token_bytes);
    let count = |number: usize| u16::try_from(number).map_or(f32::MAX, f32::from);
    let differing = |one: &[u8], other: &[u8]| {
        one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones() as usize).sum::<usize>()
    };
    let similarity = |token: &[u8]| {
        let nearest = passage.chunks(token_bytes).map(|own| differing(token, own)).min().unwrap_or(0);
        1.0 - 2.0 * count(nearest) / count(width)
    };
    let tokens = asked.len() / token_bytes;
    let sum: f32 = asked.chunks(token_bytes).map(similarity).sum();
    is_readable.then(|| (sum / count(tokens)).clamp(-1.0, 1.0))
}
