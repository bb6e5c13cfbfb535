//! What clients have seen, compared with what is kept.
//!
//! It must not know how either came about.

use std::collections::HashMap;

use super::inspection::Kept;

/// What is wrong with the acknowledged turns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Turns that are not there.
    pub(super) lost: usize,
    /// How often turns are there once more than they should be.
    pub(super) doubled: usize,
    pub(super) examples: Vec<String>,
}

const EXAMPLES: usize = 5;

impl Comparison {
    /// Every acknowledged turn should be kept exactly once.
    pub(super) fn of(acknowledged: &[String], kept: &Kept) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for text in &kept.turns {
            *counts.entry(text).or_default() += 1;
        }
        let mut found = Self::default();
        for text in acknowledged {
            let what = match counts.get(text.as_str()).copied().unwrap_or(0) {
                0 => {
                    found.lost += 1;
                    "lost"
                }
                1 => continue,
                count => {
                    found.doubled += count - 1;
                    "doubled"
                }
            };
            if found.examples.len() < EXAMPLES {
                found.examples.push(format!("{what}: \"{text}\""));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(acknowledged: &[&str], kept: &[&str]) -> Comparison {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        Comparison::of(&owned(acknowledged), &Kept { turns: owned(kept), unread: 0 })
    }

    #[test]
    fn turns_that_are_there_once_are_right() {
        assert_eq!(compared(&["a", "b", "c"], &["a", "b", "c", "no", "no"]), Comparison::default());
    }

    #[test]
    fn a_lost_and_a_doubled_turn_are_noticed() {
        let found = compared(&["a", "b", "c"], &["a", "b", "b", "b"]);
        assert_eq!((found.lost, found.doubled), (1, 2));
        assert_eq!(found.examples, ["doubled: \"b\"", "lost: \"c\""]);
    }
}
