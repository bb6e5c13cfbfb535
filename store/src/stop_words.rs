//! English words that carry a sentence or a question but not what it is about.
//!
//! It must not know how text is indexed.

/// Function words, question words and what contractions leave behind, in lower case and also as their stems ("any" is
/// "ani"), since Lance looks at a word only after stemming it.
///
/// Lance's own list has 33 words and keeps "what", "when", "did", "you". In a question those match every turn that
/// asks something, and in chat they are not rare enough for BM25 to forgive it: on LoCoMo they cost three to five
/// points of recall at 5 and 10.
pub(crate) const ENGLISH: &[&str] = &[
    "a", "about", "am", "an", "and", "ani", "any", "are", "as", "at", "be", "been", "being", "but", "by", "can",
    "could", "d", "did", "do", "doe", "does", "doing", "for", "from", "had", "has", "have", "having", "he", "her",
    "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "ll", "m", "me", "my", "no", "not", "of",
    "on", "or", "our", "ours", "re", "s", "she", "should", "so", "such", "t", "than", "that", "the", "their", "theirs",
    "them", "then", "there", "these", "they", "this", "those", "to", "us", "ve", "was", "we", "were", "what", "when",
    "where", "which", "whi", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "yours",
];
