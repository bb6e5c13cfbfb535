//! Counting a text's tokens segment by segment, in a time that is bounded and proportional to the text's length.

use mainpoint_engine::{SegmentSize, segments};

/// What is counted at once. What tokenizers take for longer stretches grows faster than their length for some texts.
const SEGMENT: SegmentSize = SegmentSize { bytes: 4096, gaps: usize::MAX };
/// Of a longer text only so many bytes are counted, in segments spread evenly over it, and the rest is taken to be alike.
const MOST_COUNTED: usize = 512 * 1024;

/// How many tokens a text has, given what `count` says of its segments. A text of up to half a megabyte is counted whole.
///
/// # Errors
/// The first of `count`'s.
pub(super) fn count_in_segments<E>(text: &str, mut count: impl FnMut(&str) -> Result<usize, E>) -> Result<usize, E> {
    let step = text.len().div_ceil(MOST_COUNTED).max(1);
    let (mut tokens, mut counted) = (0, 0);
    for segment in segments(text, SEGMENT).step_by(step) {
        counted += segment.len();
        tokens += count(text.get(segment).unwrap_or_default())?;
    }
    if counted == 0 || counted == text.len() {
        return Ok(tokens);
    }
    Ok((tokens as f64 * (text.len() as f64 / counted as f64)).round() as usize)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::collections::HashSet;
    use std::convert::Infallible;
    use std::time::{Duration, Instant};

    use tiktoken_rs::CoreBPE;

    use super::*;

    fn counted(encoding: &CoreBPE, text: &str) -> usize {
        count_in_segments(text, |segment| encoding.count(segment, &HashSet::new())).unwrap()
    }

    fn encodings() -> [&'static CoreBPE; 2] {
        [tiktoken_rs::o200k_base_singleton(), tiktoken_rs::cl100k_base_singleton()]
    }

    /// Ordinary text of some kinds, none shorter than some segments.
    fn ordinary() -> Vec<String> {
        [
            "In spring people walk along the water, visit the market and eat outside. It costs 12.50 euros!\n\n",
            "Die Donaudampfschifffahrtsgesellschaft fährt seit 1829; heute kostet eine Fahrt 17 €.\n",
            "fn main() {\n    let total: usize = [1, 2, 3].iter().sum();\n    println!(\"{total}\");\n}\n",
            "| name | value |\n|------|-------|\n| left | 1.25  |\n",
            "私は東京に住んでいます。毎朝、電車で会社に行きます。",
            "В прошлом году мы ездили в Киото, и мой брат искал там шахматы. ",
        ]
        .iter()
        .map(|text| text.repeat(60_000 / text.len()))
        .collect()
    }

    /// Texts on which tokenizers take long.
    fn adversarial() -> Vec<&'static str> {
        vec![" ", "a", "A", "é", " \n", "\n", "▁", "👍🏽", "─", "私", "0", "aB", "\t ", "a ", "'s", "\u{301}", "/\n"]
    }

    #[test]
    fn ordinary_text_has_as_many_tokens_as_in_one_piece() {
        for encoding in encodings() {
            for text in ordinary() {
                let whole = encoding.count(&text, &HashSet::new()).unwrap();
                let found = counted(encoding, &text);
                assert!(found.abs_diff(whole) * 500 <= whole, "{found} for {whole} tokens of {}", &text[..40]);
            }
        }
    }

    #[test]
    fn a_very_long_text_is_estimated_by_a_part_of_it() {
        let mut asked = 0;
        let text = "one two three four five six seven\n".repeat(200_000);
        let tokens = count_in_segments(&text, |segment| {
            asked += segment.len();
            Ok::<_, Infallible>(segment.split_whitespace().count())
        });
        assert!(asked <= MOST_COUNTED + SEGMENT.bytes, "{asked}");
        let expected = 7 * 200_000;
        assert!(tokens.unwrap().abs_diff(expected) < expected / 100);
    }

    #[test]
    fn eight_times_the_text_takes_about_eight_times_as_long_whatever_the_text_is() {
        for encoding in encodings() {
            for unit in adversarial() {
                let time = |bytes: usize| {
                    let text = unit.repeat(bytes / unit.len());
                    let run = || {
                        let started = Instant::now();
                        counted(encoding, &text);
                        started.elapsed()
                    };
                    (0..3).map(|_| run()).min().unwrap_or_default()
                };
                // Four times as much again is noise; a quadratic tokenizer would take 64 times as long, however often it is tried.
                let mut tries = (0..5).map(|_| (time(32 * 1024), time(256 * 1024)));
                let is_linear = |(short, long): (Duration, Duration)| long <= short * 32 + Duration::from_millis(20);
                assert!(tries.any(is_linear), "{unit:?}: {:?}", (time(32 * 1024), time(256 * 1024)));
                let long = time(256 * 1024);
                assert!(long < Duration::from_secs(4), "{unit:?}: {long:?}");
            }
        }
    }
}
