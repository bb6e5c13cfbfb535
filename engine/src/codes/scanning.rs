//! A scan over the sketches of everything for the passages that are worth comparing in whole.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::rarity::{UNREADABLE, is_readable, weights};
use super::sketches::{SketchBlock, SketchPlace};
use super::{QuestionCodes, SketchForm, as_float};
use crate::ffi::popcount::nearest_here;

/// Passages that tell how rare the question's tokens are.
const SAMPLE: usize = 2048;
/// Tokens of a question that are compared at most, the rarest ones: a scan takes time in proportion.
const MOST_TOKENS: usize = 16;
/// Passages that a thread takes at a time.
const PIECE: usize = 8192;
/// Threads of a scan at most.
const THREADS: usize = 2;
/// So many times as many passages as are looked for are compared by the whole sketch, those that the first words put first.
const WHOLE: usize = 8;

impl QuestionCodes {
    /// The passages whose sketches come nearest to this question, at most `limit`, best first: by the sum over the question's
    /// rarest tokens of the bits in which the nearest token of the passage differs, each weighted by how rare it is among some
    /// of the passages. The first words of sketches say which are compared by all words. The sketches are of this question's
    /// [`QuestionCodes::sketch_form`]; passages without one are passed over. Blocks the thread, and uses another one where there
    /// is much to scan.
    #[must_use]
    pub fn scan(&self, blocks: &[SketchBlock<'_>], limit: usize) -> Vec<SketchPlace> {
        let asked = Asked::new(self, blocks);
        let first = if asked.form.words() > 1 { limit.saturating_mul(WHOLE) } else { limit };
        let pieces = pieces(blocks);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut nearest = Nearest::new(first);
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                asked.scan(blocks, piece, &mut nearest);
            }
            nearest
        };
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS).min(pieces.len());
        let mut nearest = thread::scope(|scope| {
            // Where the operating system gives no thread this one does all the work.
            let other = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let others: Vec<_> = (1..threads).filter_map(other).collect();
            let mut nearest = work();
            let found = others.into_iter().filter_map(|other| other.join().ok());
            found.for_each(|other| nearest.absorb(other));
            nearest
        });
        nearest.keep_best();
        if first > limit {
            nearest = asked.whole(blocks, &nearest, limit);
        }
        nearest.found.sort_unstable_by(Scanned::order);
        nearest.found.into_iter().map(|scanned| scanned.place).collect()
    }

    /// The first `words` words of these tokens.
    fn beginnings(&self, words: usize, tokens: impl Iterator<Item = usize>) -> Vec<u64> {
        tokens.flat_map(|token| self.bits.iter().skip(token * self.words).take(words)).copied().collect()
    }
}

/// What of a question is compared.
struct Asked {
    form: SketchForm,
    /// The words of each token's sketch.
    bits: Vec<u64>,
    /// The first word of each token's sketch.
    first: Vec<u64>,
    weights: Vec<f32>,
}

impl Asked {
    /// The question's rarest tokens with their weights.
    fn new(question: &QuestionCodes, blocks: &[SketchBlock<'_>]) -> Self {
        let tokens = question.tokens();
        let all = Self::of(question, (0..tokens).map(|token| (token, 1.0)).collect());
        let passages: usize = blocks.iter().map(|block| block.len()).sum();
        let mut rows = Vec::with_capacity(SAMPLE * tokens);
        let (mut fewest, mut scratch) = (vec![UNREADABLE; tokens], Vec::new());
        for place in places(blocks).step_by(passages.div_ceil(SAMPLE).max(1)) {
            all.compare(blocks[place.block].sketch(place.passage), &mut scratch, &mut fewest);
            rows.extend_from_slice(&fewest);
        }
        let mut rarest: Vec<(usize, f32)> = weights(&rows, tokens).into_iter().enumerate().collect();
        rarest.sort_by(|one, other| other.1.total_cmp(&one.1));
        rarest.truncate(MOST_TOKENS);
        Self::of(question, rarest)
    }

    /// These tokens of a question with their weights.
    fn of(question: &QuestionCodes, tokens: Vec<(usize, f32)>) -> Self {
        let form = question.sketch_form();
        let beginnings = |words| question.beginnings(words, tokens.iter().map(|(token, _)| *token));
        let (bits, first) = (beginnings(form.words()), beginnings(1));
        Self { form, bits, first, weights: tokens.into_iter().map(|(_, weight)| weight).collect() }
    }

    /// Compares the first words of some passages.
    fn scan(&self, blocks: &[SketchBlock<'_>], piece: &Piece, nearest: &mut Nearest) {
        let mut fewest = vec![UNREADABLE; self.weights.len()];
        for passage in piece.passages.clone() {
            let first_words = self.form.first_words(blocks[piece.block].sketch(passage));
            nearest_here(&self.first, 1, first_words, self.form.first_bytes(), &mut fewest);
            nearest.offer(self.scanned(&fewest, SketchPlace { block: piece.block, passage }));
        }
    }

    /// The nearest of what was found by all words.
    fn whole(&self, blocks: &[SketchBlock<'_>], found: &Nearest, limit: usize) -> Nearest {
        let mut nearest = Nearest::new(limit);
        let (mut fewest, mut scratch) = (vec![UNREADABLE; self.weights.len()], Vec::new());
        for Scanned { place, .. } in &found.found {
            self.compare(blocks[place.block].sketch(place.passage), &mut scratch, &mut fewest);
            nearest.offer(self.scanned(&fewest, *place));
        }
        nearest.keep_best();
        nearest
    }

    /// Compares all words of a sketch.
    fn compare(&self, sketch: &[u8], scratch: &mut Vec<u8>, fewest: &mut [u32]) {
        self.form.by_token(sketch, scratch);
        nearest_here(&self.bits, self.form.words(), scratch, self.form.kept_bytes(), fewest);
    }

    /// The weighted bits in which a passage differs; nothing without tokens on either side.
    fn scanned(&self, fewest: &[u32], place: SketchPlace) -> Option<Scanned> {
        let is_compared = !fewest.is_empty() && is_readable(fewest);
        let weighted = || fewest.iter().zip(&self.weights).map(|(bits, weight)| weight * as_float(*bits)).sum();
        is_compared.then(|| Scanned { differing: weighted(), place })
    }
}

/// Some passages of a block.
struct Piece {
    block: usize,
    passages: std::ops::Range<usize>,
}

fn pieces(blocks: &[SketchBlock<'_>]) -> Vec<Piece> {
    let of_block = |(block, passages): (usize, &SketchBlock<'_>)| {
        let count = passages.len();
        (0..count).step_by(PIECE).map(move |first| Piece { block, passages: first..count.min(first + PIECE) })
    };
    blocks.iter().enumerate().flat_map(of_block).collect()
}

fn places(blocks: &[SketchBlock<'_>]) -> impl Iterator<Item = SketchPlace> {
    let of_block = |(block, passages): (usize, &SketchBlock<'_>)| {
        (0..passages.len()).map(move |passage| SketchPlace { block, passage })
    };
    blocks.iter().enumerate().flat_map(of_block)
}

/// A passage and the weighted bits in which it differs from the question.
#[derive(Debug, Clone, Copy)]
struct Scanned {
    differing: f32,
    place: SketchPlace,
}

impl Scanned {
    /// The nearest first; equally near ones as they lie.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.differing.total_cmp(&other.differing).then_with(|| self.place.cmp(&other.place))
    }
}

/// The nearest of what was offered, and up to as many others.
struct Nearest {
    limit: usize,
    found: Vec<Scanned>,
    /// What differs in more is not among the nearest.
    most: f32,
}

impl Nearest {
    fn new(limit: usize) -> Self {
        Self { limit, found: Vec::new(), most: f32::INFINITY }
    }

    fn offer(&mut self, scanned: Option<Scanned>) {
        let Some(scanned) = scanned.filter(|scanned| scanned.differing <= self.most) else {
            return;
        };
        self.found.push(scanned);
        if self.found.len() >= self.limit.saturating_mul(2) {
            self.keep_best();
        }
    }

    fn absorb(&mut self, other: Self) {
        other.found.into_iter().for_each(|scanned| self.offer(Some(scanned)));
    }

    fn keep_best(&mut self) {
        if let Some(last) = self.limit.checked_sub(1).filter(|last| *last < self.found.len()) {
            let (_, last, _) = self.found.select_nth_unstable_by(last, Scanned::order);
            self.most = last.differing;
        }
        self.found.truncate(self.limit);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::codes::Codes;

    const WIDTH: usize = 768;
    /// Bytes of a token's code.
    const TOKEN: usize = WIDTH / 8;

    fn question(bytes: Vec<u8>) -> QuestionCodes {
        QuestionCodes::new(WIDTH, &Codes::from_bytes(WIDTH, bytes).unwrap_or_default())
    }

    /// Blocks of passages of tokens: their sketches and ends.
    fn sketched(blocks: &[Vec<Vec<u8>>]) -> Vec<(Vec<u8>, Vec<u32>)> {
        let form = question(vec![]).sketch_form();
        let of_block = |passages: &Vec<Vec<u8>>| {
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            for codes in passages {
                form.append(codes, &mut bytes);
                ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            }
            (bytes, ends)
        };
        blocks.iter().map(of_block).collect()
    }

    fn scan(question: &QuestionCodes, blocks: &[Vec<Vec<u8>>], limit: usize) -> Vec<SketchPlace> {
        let sketched = sketched(blocks);
        let blocks: Vec<_> = sketched.iter().map(|(bytes, ends)| SketchBlock { bytes, ends }).collect();
        question.scan(&blocks, limit)
    }

    /// The same, every pair one after the other and everything sorted.
    fn slowly(asked: &[u8], blocks: &[Vec<Vec<u8>>], limit: usize) -> Vec<SketchPlace> {
        let differ = |one: &[u8], other: &[u8]| one.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        let fewest = |codes: &[u8], bytes: usize| -> Vec<u32> {
            let nearest = |token: &[u8]| codes.chunks(TOKEN).map(|own| differ(&token[..bytes], &own[..bytes])).min();
            asked.chunks(TOKEN).filter_map(nearest).collect()
        };
        let mut rows = Vec::new();
        for (block, passages) in blocks.iter().enumerate() {
            for (passage, codes) in passages.iter().enumerate().filter(|(_, codes)| !codes.is_empty()) {
                rows.push((SketchPlace { block, passage }, fewest(codes, 8), fewest(codes, 16)));
            }
        }
        let sample = rows.iter().step_by(rows.len().div_ceil(SAMPLE).max(1));
        let all: Vec<u32> = sample.flat_map(|(_, _, whole)| whole.clone()).collect();
        let weights = weights(&all, asked.len() / TOKEN);
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|one, other| weights[*other].total_cmp(&weights[*one]));
        order.truncate(MOST_TOKENS);
        let score = |row: &[u32]| order.iter().map(|token| weights[*token] * as_float(row[*token])).sum::<f32>();
        rows.sort_by(|one, other| score(&one.1).total_cmp(&score(&other.1)).then(one.0.cmp(&other.0)));
        rows.truncate(limit * WHOLE);
        rows.sort_by(|one, other| score(&one.2).total_cmp(&score(&other.2)).then(one.0.cmp(&other.0)));
        rows.into_iter().take(limit).map(|(place, ..)| place).collect()
    }

    fn passages(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
        vec((0_usize..4).prop_flat_map(|tokens| vec(any::<u8>(), tokens * TOKEN)), 0..most)
    }

    proptest! {
        #[test]
        fn a_scan_finds_what_sorting_everything_does(
            asked in (1_usize..20).prop_flat_map(|tokens| vec(any::<u8>(), tokens * TOKEN)),
            blocks in vec(passages(30), 0..4),
            limit in prop_oneof![0_usize..5, 5_usize..40],
        ) {
            prop_assert_eq!(scan(&question(asked.clone()), &blocks, limit), slowly(&asked, &blocks, limit));
        }
    }

    #[test]
    fn more_than_one_thread_finds_the_same_as_one() {
        let mut random = 1_u64;
        let mut byte = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random.to_be_bytes()[0]
        };
        let passages: Vec<Vec<u8>> = (0..2 * PIECE + 77).map(|_| (0..TOKEN).map(|_| byte()).collect()).collect();
        let asked: Vec<u8> = (0..2 * TOKEN).map(|_| byte()).collect();
        let blocks = [passages];
        assert_eq!(scan(&question(asked.clone()), &blocks, 50), slowly(&asked, &blocks, 50));
    }

    #[test]
    fn a_question_without_codes_finds_nothing() {
        assert_eq!(scan(&question(vec![]), &[vec![vec![1; TOKEN]]], 5), []);
    }

    #[test]
    fn the_same_sketch_is_nearest_wherever_it_lies() {
        let own = vec![0b1010_0101; TOKEN];
        let blocks = vec![vec![vec![0; TOKEN], vec![]], vec![vec![255; TOKEN], own.clone()]];
        assert_eq!(scan(&question(own), &blocks, 1), [SketchPlace { block: 1, passage: 1 }]);
    }
}
