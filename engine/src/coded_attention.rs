//! Attention search over keys as they are stored: where all of them are numbers of centroids, products are looked up.
//!
//! A query is multiplied once with every centroid of every part; what it has of a key is the sum of what it has of the key's
//! parts, one lookup each (Jégou, Douze and Schmid, 2011, asymmetric distances). Otherwise keys are unpacked and multiplied
//! (`attention_search.rs`, which also says what a score is). It must not know where keys are stored.

use wide::f32x8;

use crate::attention_search;
use crate::keys::{CENTROIDS, Codebook, KeyCoder, PART, QueryBlock, Stored};

/// One query token of one head.
struct Row<'a> {
    slot: usize,
    /// As many as a key is wide.
    query: &'a [f32],
    /// What its attention counts: 1 over the rows of its question, less than 0 for the content-free one.
    weight: f32,
}

/// Rows that are looked up at once, each in its lane.
const LANES: usize = 8;
/// What eight rows have of every centroid of one part.
type Products = [f32x8; CENTROIDS];

/// One score per candidate, in order; nothing for bytes that the coder cannot read. Above 0 means more attention than the
/// content-free question pays.
pub(crate) fn scores(
    questions: (&QueryBlock, &QueryBlock),
    (coder, stored): (&KeyCoder, &[&[u8]]),
    threads: usize,
) -> Vec<Option<f32>> {
    let read: Vec<Option<Stored<'_>>> = stored.iter().map(|bytes| coder.read(bytes).ok()).collect();
    let is_read: Vec<bool> = read.iter().map(Option::is_some).collect();
    let codes: Option<Vec<&[u8]>> = read.iter().flatten().map(Stored::codes).collect();
    let found = match (coder.codebook(), codes) {
        (Some(book), Some(codes)) => by_codes(questions, book, &codes),
        _ => {
            let keys: Vec<_> = read.into_iter().flatten().map(|stored| coder.unpack(stored)).collect();
            attention_search::scores(questions.0, questions.1, &keys, threads)
        }
    };
    let mut found = found.into_iter();
    let scores = is_read
        .into_iter()
        .map(|is_read| if is_read { found.next() } else { None });
    scores.collect()
}

/// The scores of candidates that are given by the codes of their tokens.
fn by_codes(questions: (&QueryBlock, &QueryBlock), book: &Codebook, candidates: &[&[u8]]) -> Vec<f32> {
    let token = book.token_bytes();
    let tokens: usize = candidates.iter().map(|codes| codes.len() / token).sum();
    let mut scores = vec![0.0; candidates.len()];
    if tokens == 0 {
        return scores;
    }
    let rows = rows(questions, book);
    let mut logits = Vec::with_capacity(tokens);
    let groups = rows.chunk_by(|one, other| one.slot == other.slot);
    for group in groups.flat_map(|rows| rows.chunks(LANES)) {
        let Some(slot) = group.first().map(|row| row.slot) else {
            continue;
        };
        let table = table(book, slot, group);
        let key = slot * table.len()..(slot + 1) * table.len();
        logits.clear();
        for codes in candidates.iter().flat_map(|codes| codes.chunks_exact(token)) {
            logits.push(looked_up(&table, codes.get(key.clone()).unwrap_or_default()));
        }
        let sums = exponentials(&mut logits);
        let mut scales = [0.0; LANES];
        for ((scale, row), sum) in scales.iter_mut().zip(group).zip(sums.to_array()) {
            *scale = row.weight / sum;
        }
        let mut rest = logits.as_slice();
        for (score, codes) in scores.iter_mut().zip(candidates) {
            let (own, behind) = rest.split_at(rest.len().min(codes.len() / token));
            let share: f32x8 = own.iter().fold(f32x8::ZERO, |sum, share| sum + *share);
            *score += (share * f32x8::from(scales)).reduce_add();
            rest = behind;
        }
    }
    scores
}

/// The rows of both questions by slot; none where one cannot attend to keys of this codebook.
fn rows<'a>((question, content_free): (&'a QueryBlock, &'a QueryBlock), book: &Codebook) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for (question, sign) in [(question, 1.0), (content_free, -1.0)] {
        if (question.slots, question.width) != (book.slots(), book.width()) {
            return Vec::new();
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let count = (question.heads.len() * question.tokens) as f32;
        for head in &question.heads {
            let queries = head.values.chunks_exact(question.width);
            rows.extend(queries.map(|query| Row {
                slot: head.slot,
                query,
                weight: sign / count,
            }));
        }
    }
    rows.sort_by_key(|row| row.slot);
    rows
}

/// What at most eight rows of one slot have of every centroid, part by part.
fn table(book: &Codebook, slot: usize, rows: &[Row<'_>]) -> Vec<Products> {
    let scale = book.scale(slot);
    let parts = book.parts(slot).enumerate().map(|(part, centroids)| {
        let query: [f32x8; PART] = std::array::from_fn(|number| {
            let mut lanes = [0.0; LANES];
            for (lane, row) in lanes.iter_mut().zip(rows) {
                *lane = row.query.get(part * PART + number).copied().unwrap_or_default() * scale;
            }
            f32x8::from(lanes)
        });
        let mut products = [f32x8::ZERO; CENTROIDS];
        for (product, centroid) in products.iter_mut().zip(centroids.chunks_exact(PART)) {
            for (number, lanes) in centroid.iter().zip(query) {
                *product += lanes * f32::from(*number);
            }
        }
        products
    });
    parts.collect()
}

/// The logits of eight rows for the key of these codes.
fn looked_up(table: &[Products], codes: &[u8]) -> f32x8 {
    let products = table.iter().zip(codes);
    products.fold(f32x8::ZERO, |sum, (products, code)| sum + products[usize::from(*code)])
}

/// Turns every logit into the exponential of what it has above its row's largest, and sums these row by row.
fn exponentials(logits: &mut [f32x8]) -> f32x8 {
    let largest = logits
        .iter()
        .fold(f32x8::splat(f32::NEG_INFINITY), |most, logits| most.max(*logits));
    let mut sums = f32x8::ZERO;
    for logits in logits {
        *logits = (*logits - largest).exp();
        sums += *logits;
    }
    sums
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::keys::{HeadQueries, KeyBlock};

    const SLOTS: usize = 2;
    const WIDTH: usize = 16;

    fn keys(tokens: usize, seed: usize) -> KeyBlock {
        let number = |at: usize| ((at * 31 + seed * 17) % 101) as f32 / 25.0 - 2.0;
        KeyBlock::of(
            SLOTS,
            WIDTH,
            &(0..tokens * SLOTS * WIDTH).map(number).collect::<Vec<_>>(),
        )
    }

    /// Learning it takes longer than a test, so that all share one.
    fn coder() -> KeyCoder {
        static CODER: LazyLock<KeyCoder> = LazyLock::new(|| Codebook::learn(&[keys(400, 3)]).unwrap().into());
        CODER.clone()
    }

    /// Queries of three heads, two of which look at the first key of a token.
    fn queries(values: &[f32]) -> QueryBlock {
        let tokens = values.len() / WIDTH;
        let heads = [0, 1, 0].into_iter().zip([1.0, -0.5, 2.0]);
        let heads = heads.map(|(slot, factor)| HeadQueries {
            slot,
            values: values.iter().take(tokens * WIDTH).map(|value| value * factor).collect(),
        });
        QueryBlock {
            width: WIDTH,
            slots: SLOTS,
            tokens,
            heads: heads.collect(),
        }
    }

    fn asked(coder: &KeyCoder, stored: &[Vec<u8>], questions: (&QueryBlock, &QueryBlock)) -> Vec<Option<f32>> {
        let stored: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
        scores(questions, (coder, &stored), 1)
    }

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_is_multiplied(
            lengths in proptest::collection::vec(0_usize..40, 1..8),
            question in proptest::collection::vec(-1.0_f32..1.0, WIDTH..4 * WIDTH),
            blank in proptest::collection::vec(-1.0_f32..1.0, WIDTH..2 * WIDTH),
        ) {
            let (coder, question, blank) = (coder(), queries(&question), queries(&blank));
            let stored: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(seed, tokens)| coder.encode(&keys(*tokens, seed))).collect();
            let unpacked: Vec<KeyBlock> = stored.iter().map(|bytes| coder.decode(bytes).unwrap()).collect();
            let expected = attention_search::scores(&question, &blank, &unpacked, 1);
            let found = asked(&coder, &stored, (&question, &blank));
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.into_iter().zip(expected) {
                prop_assert!((found.unwrap() - expected).abs() < 1e-5, "{:?} for {}", found, expected);
            }
        }
    }

    #[test]
    fn keys_that_were_stored_in_another_way_are_scored_with_the_others_and_torn_ones_not_at_all() {
        let coder = coder();
        let (question, blank) = (queries(&[0.7; WIDTH]), queries(&[-0.2; WIDTH]));
        let plain = keys(9, 1);
        let stored = [
            coder.encode(&keys(5, 0)),
            vec![1, 2, 3],
            plain.to_bytes(),
            coder.encode(&keys(4, 2)),
        ];
        let unpacked: Vec<KeyBlock> = stored.iter().filter_map(|bytes| coder.decode(bytes).ok()).collect();
        assert_eq!(unpacked.len(), 3);
        let expected = attention_search::scores(&question, &blank, &unpacked, 1);
        let found = asked(&coder, &stored, (&question, &blank));
        assert_eq!(found, [Some(expected[0]), None, Some(expected[1]), Some(expected[2])]);
        assert!(asked(&coder, &[], (&question, &blank)).is_empty());
    }

    #[test]
    fn candidates_without_tokens_get_no_attention() {
        let (coder, question) = (coder(), queries(&[0.7; WIDTH]));
        let stored = [coder.encode(&keys(0, 0)), coder.encode(&keys(0, 1))];
        assert_eq!(asked(&coder, &stored, (&question, &question)), [Some(0.0); 2]);
    }

    #[test]
    fn a_question_of_another_shape_pays_no_attention() {
        let (coder, other) = (coder(), QueryBlock::default());
        assert_eq!(
            asked(&coder, &[coder.encode(&keys(5, 0))], (&other, &other)),
            [Some(0.0)]
        );
    }
}
