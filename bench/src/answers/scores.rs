//! How well an answer says what the data call a good one: F1 over words, and whether it holds every word.
//!
//! F1 is that of SQuAD (Rajpurkar et al. 2016) and LoCoMo (Maharana et al. 2024) without stemming: words in lower case,
//! without punctuation and articles, each as often as it occurs. In scripts without spaces every character is a word.

use std::collections::HashMap;

/// The harmonic mean of the share of the answer's words that are expected and of the expected ones that are there.
pub(super) fn f1(answer: &str, expected: &str) -> f64 {
    let (answer, expected) = (words(answer), words(expected));
    if answer.is_empty() || expected.is_empty() {
        return f64::from(u8::from(answer.is_empty() && expected.is_empty()));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &expected {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0_usize;
    for word in &answer {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    2.0 * common as f64 / (answer.len() + expected.len()) as f64
}

/// Whether every expected word is in the answer.
pub(super) fn contains(answer: &str, expected: &str) -> bool {
    let (answer, expected) = (words(answer), words(expected));
    !expected.is_empty() && expected.iter().all(|word| answer.contains(word))
}

const ARTICLES: [&str; 4] = ["a", "an", "the", "and"];

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.to_lowercase().split(|character: char| !character.is_alphanumeric()) {
        let mut word = String::new();
        for character in run.chars() {
            if stands_alone(character) {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(character.to_string());
            } else {
                word.push(character);
            }
        }
        words.extend((!word.is_empty() && !ARTICLES.contains(&word.as_str())).then_some(word));
    }
    words
}

/// Letters of scripts that write no spaces: Chinese, Japanese, Thai and their neighbours.
fn stands_alone(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_count_as_often_as_they_occur_and_in_any_order() {
        assert_eq!(f1("On May 7, 2023.", "7 May 2023"), 6.0 / 7.0);
        assert_eq!(f1("The cat and a dog", "cat, dog"), 1.0);
        assert_eq!(f1("yes yes", "yes"), 2.0 / 3.0);
        assert_eq!((f1("no", "yes"), f1("", "yes"), f1("", "")), (0.0, 0.0, 1.0));
        assert_eq!(f1("三楼。", "三楼"), 1.0);
    }

    #[test]
    fn an_answer_holds_the_expected_one_when_it_has_all_of_its_words() {
        assert!(contains("She met her mother on 3 May.", "her mother"));
        assert!(!contains("She met her.", "her mother") && !contains("anything", ""));
    }

    proptest! {
        #[test]
        fn f1_is_a_share_and_does_not_mind_which_is_which(one in "[ab cö三]{0,12}", other in "[ab cö三]{0,12}") {
            let found = f1(&one, &other);
            prop_assert!((0.0..=1.0).contains(&found));
            prop_assert_eq!(found, f1(&other, &one));
            prop_assert_eq!(f1(&one, &one), 1.0);
        }
    }
}
