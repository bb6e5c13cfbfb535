//! Which times that count from a day are certain, so that they may be told to somebody.
//!
//! A wrong day beside a quote is worse than none, so whatever may be meant otherwise is not certain.

use chrono::{Datelike, NaiveDate};

use super::Period;
use super::calendar::Unit;
use super::times::Times;
use super::word::Word;

/// From so many years on people round.
const ROUND_YEARS: i32 = 100;
/// The same of any number.
const ROUND_NUMBER: u16 = 1000;

impl Times<'_> {
    /// Whether the words from `at` to before `next` say which time they name, counted from `reference`.
    pub(super) fn is_certain(&self, at: usize, next: usize, period: Period, reference: NaiveDate) -> bool {
        // "Two weeks ago today", "this week last year".
        let is_counted_on = self.before(at) == Some(Word::Ago)
            || matches!(self.word(next), Some(Word::Last | Word::Today | Word::Yesterday));
        let by_itself = match self.word(at) {
            Some(Word::Today) => true,
            Some(Word::Yesterday) => self.is_yesterday(at),
            Some(Word::This) if self.word(at + 1) == Some(Word::Unit(Unit::Weekend)) => period.holds(reference),
            Some(Word::This) => self.is_this_one(at + 1, next),
            Some(Word::Last) => self.is_last_one(at, next),
            // "Half past two", "due past March".
            Some(Word::Past) => self.before(at) == Some(Word::The),
            Some(Word::Digits(_) | Word::Count(_)) => true,
            // A weekday may be the last one or the next.
            _ => false,
        };
        let is_round = reference.year().saturating_sub(period.start.year()) >= ROUND_YEARS;
        by_itself && !is_counted_on && !is_round && !self.is_another(next, period, reference)
    }

    /// Whether a number is no inexact one, and no part of another: "about two", "two or three", "10 000".
    pub(super) fn is_exact_count(&self, at: usize) -> bool {
        let is_number = |word: Option<Word>| matches!(word, Some(Word::Digits(_) | Word::Count(_) | Word::About(_)));
        let before = self.before(at);
        let is_part = matches!(before, Some(Word::Vague | Word::To | Word::Half)) || is_number(before);
        // "Over two years ago", but "in the last two years".
        let is_over = before == Some(Word::In);
        let is_round = matches!(self.word(at), Some(Word::Digits(0 | ROUND_NUMBER..)));
        !is_part && !is_over && !is_round && !is_number(self.word(at + 1))
    }

    /// Whether something before a place counts it.
    pub(super) fn is_counted(&self, at: usize) -> bool {
        matches!(self.before(at), Some(Word::Digits(_) | Word::Count(_) | Word::About(_) | Word::Vague | Word::Half))
    }

    /// Whether "yesterday" is that, and not the day before it, as in many languages with another word beside it.
    fn is_yesterday(&self, at: usize) -> bool {
        let word = |back: usize| at.checked_sub(back).and_then(|at| self.word(at));
        let is_farther = word(1) == Some(Word::Farther)
            || word(2) == Some(Word::Farther)
            || self.word(at + 1) == Some(Word::Farther)
            || (word(1) == Some(Word::De) && word(2) == Some(Word::EarlierThan));
        !is_farther
    }

    /// Whether what stands behind "this" is certain: no weekday, month or season, which may be the last one or the next.
    fn is_this_one(&self, at: usize, next: usize) -> bool {
        match self.word(at) {
            Some(Word::Unit(Unit::Day)) => false,
            Some(Word::Unit(_) | Word::PartOfDay | Word::Past) => true,
            Some(Word::Last) => self.is_of_now(next),
            _ => false,
        }
    }

    /// Whether "last" is the one before now: not "my last week", "the last Friday of May", or "it may last a week".
    fn is_last_one(&self, at: usize, next: usize) -> bool {
        let is_counted = matches!(self.word(at + 1), Some(Word::Digits(_) | Word::Count(_)));
        let before = self.before(at);
        let is_led = if is_counted {
            let before_article = at.checked_sub(2).and_then(|at| self.word(at));
            before == Some(Word::The) && before_article == Some(Word::In)
        } else {
            let other = [Word::The, Word::Particular, Word::De, Word::Half];
            !before.is_some_and(|word| other.contains(&word) || matches!(word, Word::Count(_) | Word::Ordinal(_)))
        };
        // With a day it is no time that people name so: "last May 3 people came".
        let has_day = matches!(self.word(at + 1), Some(Word::Month { .. })) && next > at + 2;
        is_led && !has_day && self.is_of_now(next)
    }

    /// Whether what stands at a place does not make the time before it one of something else: "of June", "before the exam", nor part
    /// of "they last year after year".
    fn is_of_now(&self, next: usize) -> bool {
        match self.word(next) {
            Some(Word::Of | Word::De | Word::Before) => false,
            Some(Word::After) => !matches!(self.word(next + 1), Some(Word::Unit(_) | Word::PartOfDay)),
            Some(Word::In) => {
                let of = self.past(next + 1, Word::The);
                !matches!(self.word(of), Some(Word::Month { .. } | Word::Season(_) | Word::Unit(_)))
                    && self.year(of).is_none()
            }
            _ => true,
        }
    }

    /// Whether the words behind a time say that it is another one: "last May 2019", "last Friday, 3 March".
    fn is_another(&self, next: usize, period: Period, reference: NaiveDate) -> bool {
        let after_comma = self.past(next, Word::Comma);
        let place = self.past(self.past(after_comma, Word::In), Word::The);
        let day = self.likely().absolute(place, reference).filter(|(day, _)| day.is_day());
        self.year(next).is_some() || day.is_some_and(|(day, _)| !period.holds(day.start))
    }

    fn before(&self, at: usize) -> Option<Word> {
        at.checked_sub(1).and_then(|before| self.word(before))
    }
}
