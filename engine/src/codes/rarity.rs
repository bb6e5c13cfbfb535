//! How much each of a question's tokens counts: the more, the rarer it is among what the question is compared with.

/// More than any two codes differ: stands for what has no readable codes.
pub(super) const UNREADABLE: u32 = u32::MAX;

/// Whether a row of fewest differing bits is of something with readable codes.
pub(super) fn is_readable(row: &[u32]) -> bool {
    row.first() != Some(&UNREADABLE)
}

/// The weight of each of `tokens` tokens: ln(1 + N / (1 + n)), where N documents are readable and n of them come nearer to it
/// than half way between the mean document and the nearest one. `rows` has the fewest differing bits, document by document.
pub(super) fn weights(rows: &[u32], tokens: usize) -> Vec<f32> {
    let rows = || rows.chunks_exact(tokens.max(1)).filter(|row| is_readable(row));
    let count = rows().count();
    let weight = |token: usize| {
        let column = || rows().map(|row| f64::from(row[token]));
        let nearest = column().fold(f64::INFINITY, f64::min);
        let near = f64::midpoint(column().sum::<f64>() / as_number(count), nearest);
        let nearer = column().filter(|differing| *differing < near).count();
        #[expect(clippy::cast_possible_truncation, reason = "a weight needs no more than 24 bits")]
        let weight = (1.0 + as_number(count) / as_number(1 + nearer)).ln() as f32;
        weight
    };
    (0..tokens).map(weight).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of documents")]
fn as_number(count: usize) -> f64 {
    count as f64
}
