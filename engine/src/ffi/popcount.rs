//! Counting bits with the processor's own instructions, which a program for every processor may only use after asking.

use super::nearest::nearest;

/// As [`nearest`], with the instructions that this processor has.
pub(crate) fn nearest_here(question: &[u64], words: usize, document: &[u8], token_bytes: usize, fewest: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("popcnt") {
        // SAFETY: the function is safe but for the instructions that it is compiled to, and the processor has them.
        unsafe { nearest_with_popcount(question, words, document, token_bytes, fewest) };
        return;
    }
    nearest(question, words, document, token_bytes, fewest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn nearest_with_popcount(question: &[u64], words: usize, document: &[u8], token_bytes: usize, fewest: &mut [u32]) {
    nearest(question, words, document, token_bytes, fewest);
}
