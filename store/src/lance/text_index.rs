//! How words are found: the full-text index's way of splitting text, and the words that it leaves out.
//!
//! Words end where Unicode says that they do, with dictionaries for the scripts that put no spaces between them (Chinese,
//! Japanese, Thai, Lao, Khmer, Burmese), and at punctuation within, which Unicode leaves in "note:otters" or "example.com"; an
//! English text gives the same words as without Unicode. Then lower case, English stems, English stop words, accents folded. Stems of
//! another language do its texts little good and English ones harm: every evidence turn is among the first 5/10/20 hits for
//!
//! | questions | LoCoMo, conv-41+42 (351) | conv-26+30 (231) | German (30) | Spanish (30) | Japanese (30) | Chinese (30) |
//! |---|---|---|---|---|---|---|
//! | **this** | .456/.527/.584 | .472/.528/.602 | .300/.433/.633 | .167/.267/.333 | .300/.467/.567 | .467/.600/.733 |
//! | split at white space and punctuation | .456/.527/.584 | .472/.528/.602 | .300/.433/.633 | .167/.267/.333 | 0 | 0 |
//! | not split at punctuation within | .456/.530/.590 | .463/.528/.606 | .300/.433/.633 | .167/.267/.333 | .300/.467/.567 | .467/.600/.733 |
//! | without stems | .450/.504/.556 | .437/.502/.563 | .267/.433/.600 | .200/.267/.367 | .300/.467/.567 | .467/.600/.733 |
//! | German stems | .427/.504/.558 | .420/.502/.563 | .333/.500/.633 | .167/.267/.367 | .300/.467/.567 | .467/.600/.733 |
//! | two and three characters each | .433/.479/.556 | .442/.515/.563 | .400/.633/.700 | .300/.333/.467 | .167/.467/.733 | .267/.400/.400 |
//! | this, and trigrams in a second index | .462/.521/.584 | .442/.506/.571 | .433/.567/.800 | .267/.367/.400 | .300/.433/.600 | .467/.600/.733 |
//!
//! The questions in other languages are worded otherwise than the turns on purpose.

use lancedb::index::scalar::FtsIndexBuilder;

/// Memory of one worker that builds the full-text index; Lance's default is 2 GiB.
const WORKER_MIB: u64 = 256;
/// Longer words are hardly words. In bytes: Lance's own limit of 40 is a dozen Chinese characters.
const LONGEST_WORD: usize = 128;

/// How passages are indexed for lexical search. Without positions: phrases are never searched for, and they would double the
/// index.
pub(crate) fn index(cpu_threads: usize) -> FtsIndexBuilder {
    FtsIndexBuilder::default()
        .base_tokenizer("icu/split".to_owned())
        .max_token_length(Some(LONGEST_WORD))
        .with_position(false)
        .stem(true)
        .remove_stop_words(true)
        .custom_stop_words(Some(ENGLISH.iter().map(ToString::to_string).collect()))
        .lower_case(true)
        .ascii_folding(true)
        .num_workers(cpu_threads)
        .memory_limit_mb(WORKER_MIB * cpu_threads as u64)
}

/// English words that carry a sentence or a question but not what it is about: function words, question words and what
/// contractions leave behind, in lower case and also as their stems ("any" is "ani"), since Lance looks at a word only after
/// stemming it.
///
/// Lance's own list has 33 words and keeps "what", "when", "did", "you". In a question those match every turn that
/// asks something, and in chat they are not rare enough for BM25 to forgive it: on LoCoMo they cost three to five
/// points of recall at 5 and 10.
const ENGLISH: &[&str] = &[
    "a", "about", "am", "an", "and", "ani", "any", "are", "as", "at", "be", "been", "being", "but", "by", "can",
    "could", "d", "did", "do", "doe", "does", "doing", "for", "from", "had", "has", "have", "having", "he", "her",
    "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "ll", "m", "me", "my", "no", "not", "of",
    "on", "or", "our", "ours", "re", "s", "she", "should", "so", "such", "t", "than", "that", "the", "their", "theirs",
    "them", "then", "there", "these", "they", "this", "those", "to", "us", "ve", "was", "we", "were", "what", "when",
    "where", "which", "whi", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "yours",
];
