//! In how many bits the nearest of a document's tokens differs from each of a question's tokens.

/// Bytes of one word.
pub(crate) const WORD_BYTES: usize = size_of::<u64>();

/// For each of the question's tokens (`words` words each) the fewest bits in which a token of `document` differs from it,
/// written to `fewest`. A token of the document has `token_bytes` bytes; what its last word lacks is 0.
#[inline(always)]
pub(crate) fn nearest(question: &[u64], words: usize, document: &[u8], token_bytes: usize, fewest: &mut [u32]) {
    fewest.fill(u32::MAX);
    match (words, token_bytes) {
        (1, 8) => whole::<1>(question, document, fewest),
        (2, 16) => whole::<2>(question, document, fewest),
        (6, 48) => whole::<6>(question, document, fewest),
        (12, 96) => whole::<12>(question, document, fewest),
        _ => any(question, words, document, token_bytes, fewest),
    }
}

/// The same for tokens of a fixed number of whole words, which the compiler unrolls.
#[inline(always)]
fn whole<const WORDS: usize>(question: &[u64], document: &[u8], fewest: &mut [u32]) {
    for token in document.chunks_exact(WORDS * WORD_BYTES) {
        let mut own = [0_u64; WORDS];
        for (word, bytes) in own.iter_mut().zip(token.chunks_exact(WORD_BYTES)) {
            *word = word_of(bytes);
        }
        for (fewest, asked) in fewest.iter_mut().zip(question.chunks_exact(WORDS)) {
            let differing: u32 = own.iter().zip(asked).map(|(own, asked)| (own ^ asked).count_ones()).sum();
            *fewest = (*fewest).min(differing);
        }
    }
}

#[inline(always)]
fn any(question: &[u64], words: usize, document: &[u8], token_bytes: usize, fewest: &mut [u32]) {
    if words == 0 || token_bytes == 0 {
        return;
    }
    for token in document.chunks_exact(token_bytes) {
        for (fewest, asked) in fewest.iter_mut().zip(question.chunks_exact(words)) {
            let own = token.chunks(WORD_BYTES).map(word_of);
            let differing: u32 = own.zip(asked).map(|(own, asked)| (own ^ asked).count_ones()).sum();
            *fewest = (*fewest).min(differing);
        }
    }
}

/// Up to eight bytes as a word.
#[inline(always)]
pub(crate) fn word_of(bytes: &[u8]) -> u64 {
    let mut whole = [0; WORD_BYTES];
    if let Ok(bytes) = bytes.try_into() {
        whole = bytes;
    } else {
        whole[..bytes.len()].copy_from_slice(bytes);
    }
    u64::from_le_bytes(whole)
}
