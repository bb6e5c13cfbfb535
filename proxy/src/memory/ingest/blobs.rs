//! What of a text is no language but encoded bytes: images in Base64, hashes by the dozen, keys.
//!
//! What is encoded costs as many tokens as prose and says nothing.

use std::borrow::Cow;
use std::ops::Range;

/// The text with spaces where it is encoded bytes, each as long as what it stands for, so that offsets stay what they were.
pub(super) fn readable(text: &str) -> Cow<'_, str> {
    let blobs = blobs(text);
    if blobs.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut readable = String::with_capacity(text.len());
    let mut end = 0;
    for blob in blobs {
        readable.push_str(text.get(end..blob.start).unwrap_or_default());
        readable.extend(std::iter::repeat_n(' ', blob.len()));
        end = blob.end;
    }
    readable.push_str(text.get(end..).unwrap_or_default());
    Cow::Owned(readable)
}

/// Bytes without a gap from which on they are taken for encoded; no word and few names are as long.
const LEAST_STRETCH: usize = 48;
/// Bytes of stretches with nothing but white space between them from which on they are a blob; a single hash is none.
const LEAST_BLOB: usize = 256;

/// Where encoded bytes are, in order.
fn blobs(text: &str) -> Vec<Range<usize>> {
    let mut blobs: Vec<Range<usize>> = Vec::new();
    // Of the stretches that may become a blob: where they are, and the bytes that count.
    let (mut open, mut size): (Option<Range<usize>>, usize) = (None, 0);
    for stretch in stretches(text) {
        let follows = open.as_ref().and_then(|open| text.get(open.end..stretch.start)).is_some_and(is_gap);
        if !follows {
            blobs.extend(open.take().filter(|_| size >= LEAST_BLOB));
            size = 0;
        }
        size += stretch.len();
        open = Some(open.map_or(stretch.start, |open| open.start)..stretch.end);
    }
    blobs.extend(open.filter(|_| size >= LEAST_BLOB));
    blobs
}

/// The stretches of digits, letters and signs of Base64 that look encoded. The last line of a blob may be short, and is left.
fn stretches(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at + bytes.get(at..)?.iter().position(|byte| is_encoding(*byte))?;
            let length = bytes.get(start..)?.iter().position(|byte| !is_encoding(*byte));
            at = length.map_or(bytes.len(), |length| start + length);
            if bytes.get(start..at).is_some_and(looks_encoded) {
                return Some(start..at);
            }
        }
        None
    })
}

fn is_encoding(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-')
}

/// Long, and with digits among its letters: not `----` nor a path of words.
fn looks_encoded(bytes: &[u8]) -> bool {
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    bytes.len() >= LEAST_STRETCH && digits * 40 >= bytes.len() && letters * 10 >= bytes.len()
}

/// White space, or a line break as JSON writes it, whose letter then belongs to what follows.
fn is_gap(text: &str) -> bool {
    text.chars().all(|sign| sign.is_whitespace() || sign == '\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Base64 as it comes, of so many bytes.
    fn encoded(length: usize) -> String {
        let signs = b"iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4";
        signs.iter().cycle().take(length).map(|byte| char::from(*byte)).collect()
    }

    #[test]
    fn a_picture_in_a_text_is_blanked_and_every_other_byte_stays_where_it_was() {
        let text = format!("Look: data:image/png;base64,{} It is a heron.", encoded(4000));
        let readable = readable(&text);
        assert_eq!(readable.len(), text.len());
        assert!(readable.starts_with("Look: data:image/png;base64, ") && readable.ends_with(" It is a heron."));
        assert_eq!(readable.split_whitespace().count(), 6);
    }

    #[test]
    fn lines_of_a_key_are_one_blob() {
        let lines: Vec<String> = (0..8).map(|_| encoded(64)).collect();
        for between in ["\n", "\r\n", "\\n"] {
            let text = format!("BEGIN\n{}\nEND", lines.join(between));
            assert_eq!(readable(&text).split_whitespace().collect::<Vec<_>>(), ["BEGIN", "END"]);
        }
    }

    #[test]
    fn prose_code_paths_and_a_single_hash_stay() {
        for text in [
            "The quick brown fox jumps over the lazy dog.",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "https://example.com/a/very/long/path/of/many/words/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on",
            &"=".repeat(400),
            &"Donaudampfschifffahrtsgesellschaftskapitän".repeat(20),
        ] {
            assert_eq!(readable(text), text);
        }
    }

    proptest! {
        #[test]
        fn offsets_stay_and_short_words_too(words in prop::collection::vec("[a-zéß漢 ]{0,30}", 0..20), blob in 0..600usize) {
            let text = words.join(&encoded(blob));
            let readable = readable(&text);
            prop_assert_eq!(readable.len(), text.len());
            for (at, sign) in readable.char_indices().filter(|(_, sign)| *sign != ' ') {
                prop_assert_eq!(text.get(at..).and_then(|rest| rest.chars().next()), Some(sign));
            }
        }
    }
}
