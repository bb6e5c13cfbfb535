//! A word of a text, as far as dates are made of it, and what numbers may be.

use chrono::Weekday;

use super::Period;
use super::calendar::{Season, Unit};
use super::months::Needs;

/// How a text is read where it does not say all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// What it does not say is what is likeliest: somebody asks, and what is meant is looked for.
    Likely,
    /// Only what it says: what is made of it is told to somebody.
    Certain,
}

/// A word, or a mark that parts words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A number of one to four digits.
    Digits(u16),
    /// A number in words, `a` among them.
    Count(u16),
    /// About so many: `few`, `couple`.
    About(u16),
    /// `3rd` or `third`.
    Ordinal(u16),
    /// A date in digits alone, such as `2023-05-07`.
    Exact(Period),
    Month {
        /// From 1.
        number: u32,
        /// What it needs beside it to be one.
        needs: Needs,
    },
    Season(Season),
    Weekday(Weekday),
    Unit(Unit),
    /// The same in the plural. Nothing but [`super::words`] knows it.
    Units(Unit),
    /// `morning`, `night` and the like.
    PartOfDay,
    Today,
    Yesterday,
    Ago,
    This,
    Last,
    Past,
    /// Makes what follows a certain one, whenever that was: `my` last week, `Tom's` last week, `at` last.
    Particular,
    /// What is counted behind it is not counted exactly: `about`, `or`, `twenty`.
    Vague,
    /// Beside "yesterday" it makes the day before of it: `l'altro ieri`.
    Farther,
    /// The same before "of": `antes de ayer`.
    EarlierThan,
    /// What follows is ahead, or comes back all the time: `next`, `every`.
    Open,
    /// One of three parts, from 0: `early`, `middle`, `end`.
    Third(i64),
    Half,
    Since,
    Before,
    After,
    Between,
    And,
    /// `to`, or a dash between dates.
    To,
    Until,
    Of,
    /// The same in other languages, where it also stands before other words that are spelt like months.
    De,
    /// `in`, `on`, `by` and other words before a time.
    In,
    The,
    Comma,
    /// A dot behind a number: `7. Mai`, or the end of a sentence.
    Dot,
    /// The end of a sentence or of a line.
    Break,
    Other,
}

/// Whether a number is taken for a year.
pub(super) fn is_year(number: u16) -> bool {
    (1900..=2099).contains(&number)
}

/// The number that a text of at most so many digits is.
pub(super) fn digits(text: &str, most: usize) -> Option<u16> {
    let is_number = text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
