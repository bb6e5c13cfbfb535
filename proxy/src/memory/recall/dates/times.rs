//! Single times: dates, weekdays, months and seasons, with or without a year, and times that count from a day.

use chrono::NaiveDate;

use super::Period;
use super::calendar::{Recurring, Unit};
use super::months::Needs;
use super::word::{Reading, Word, is_year};

/// A period, and the place of the word after what names it; none if nothing does there.
pub(super) type Parsed = Option<(Period, usize)>;

/// The times among the words of a text.
#[derive(Clone, Copy)]
pub(super) struct Times<'a> {
    words: &'a [Word],
    reading: Reading,
}

impl<'a> Times<'a> {
    /// The times among these words.
    pub(super) fn among(words: &'a [Word], reading: Reading) -> Self {
        Self { words, reading }
    }

    /// Whether only what is certain is a time.
    pub(super) fn are_certain(&self) -> bool {
        self.reading == Reading::Certain
    }

    /// The same, with what is likely.
    pub(super) fn likely(&self) -> Self {
        Self { reading: Reading::Likely, ..*self }
    }

    /// The time named at a place; what is relative counts from `reference`.
    pub(super) fn dated(&self, at: usize, reference: NaiveDate) -> Parsed {
        self.relative(at, reference).or_else(|| self.absolute(at, reference))
    }

    /// A time that counts from `reference`.
    pub(super) fn relative(&self, at: usize, reference: NaiveDate) -> Parsed {
        let (period, next) = self.counting(at, reference)?;
        let is_time = !self.are_certain() || self.is_certain(at, next, period, reference);
        is_time.then_some((period, next))
    }

    fn counting(&self, at: usize, reference: NaiveDate) -> Parsed {
        match self.word(at)? {
            Word::Today => Some((Unit::Day.ago(reference, 0)?, at + 1)),
            Word::Yesterday => Some((Unit::Day.ago(reference, 1)?, at + 1)),
            Word::Weekday(weekday) => Some((Recurring::Weekday(weekday).latest(reference)?, at + 1)),
            Word::This => self.this(at + 1, reference),
            Word::Last => self.last(at + 1, reference),
            Word::Past => self.past_units(at + 1, reference),
            Word::Digits(_) | Word::Count(_) | Word::About(_) => {
                let (count, unit, next) = self.counted(at)?;
                Some((unit.ago(reference, count)?, self.word_is(next, Word::Ago)?))
            }
            _ => None,
        }
    }

    /// What follows "this".
    fn this(&self, at: usize, reference: NaiveDate) -> Parsed {
        match self.word(at)? {
            Word::Last => self.last(at + 1, reference),
            Word::Past => self.past_units(at + 1, reference),
            Word::Unit(unit) => Some((unit.ago(reference, 0)?, at + 1)),
            Word::PartOfDay => Some((Unit::Day.ago(reference, 0)?, at + 1)),
            _ => {
                let (named, next) = self.recurring(at)?;
                Some((named.this(reference)?, next))
            }
        }
    }

    /// What follows "last": the calendar's unit before, or so many units up to now.
    fn last(&self, at: usize, reference: NaiveDate) -> Parsed {
        match self.word(at)? {
            // The last day or week of something else.
            Word::Unit(Unit::Day) => None,
            Word::Unit(_) if self.word(at + 1) == Some(Word::Of) => None,
            Word::Unit(unit) => Some((unit.ago(reference, 1)?, at + 1)),
            Word::PartOfDay => Some((Unit::Day.ago(reference, 1)?, at + 1)),
            Word::Digits(_) | Word::Count(_) | Word::About(_) => {
                let (count, unit, next) = self.counted(at)?;
                Some((unit.up_to(reference, count)?, next))
            }
            _ => {
                let (named, next) = self.recurring(at)?;
                Some((named.latest_over(reference)?, next))
            }
        }
    }

    /// What follows "past": a unit up to now; a weekend and the rest as after "last".
    fn past_units(&self, at: usize, reference: NaiveDate) -> Parsed {
        match self.word(at)? {
            Word::Unit(unit) if unit != Unit::Weekend => Some((unit.up_to(reference, 1)?, at + 1)),
            _ => self.last(at, reference),
        }
    }

    /// A time of the calendar; without a year the latest one that begins no later than `reference`, which is not certain.
    pub(super) fn absolute(&self, at: usize, reference: NaiveDate) -> Parsed {
        match self.word(at)? {
            Word::Exact(period) => Some((period, at + 1)),
            Word::Digits(year) if is_year(year) => {
                let begun = NaiveDate::from_ymd_opt(year.into(), 1, 1)?;
                Some((Unit::Year.around(begun)?, at + 1))
            }
            Word::Digits(_) | Word::Ordinal(_) => {
                let day = self.day(at)?;
                let place = self.past_of(at + 1);
                self.placed(Recurring::Day(self.month(place)?, day), place + 1, reference)
            }
            Word::Month { .. } | Word::Season(_) => {
                let (named, next) = self.recurring(at)?;
                self.placed(named, next, reference)
            }
            _ => None,
        }
    }

    /// The one of the year that follows, or else the latest.
    fn placed(&self, named: Recurring, next: usize, reference: NaiveDate) -> Parsed {
        match self.year(next) {
            Some((year, next)) => Some((named.in_year(year)?, next)),
            None if self.are_certain() => None,
            None => Some((named.latest(reference)?, next)),
        }
    }

    /// "Friday", "May", "May 3", "summer".
    fn recurring(&self, at: usize) -> Option<(Recurring, usize)> {
        match self.word(at)? {
            Word::Weekday(weekday) => Some((Recurring::Weekday(weekday), at + 1)),
            Word::Month { .. } => {
                let month = self.month(at)?;
                Some(match self.day(at + 1) {
                    Some(day) => (Recurring::Day(month, day), at + 2),
                    None => (Recurring::Month(month), at + 1),
                })
            }
            Word::Season(season) => {
                // Fall and spring are verbs, and names hold seasons.
                let before = self.before_article(at).is_some_and(leads_to_season);
                (before || self.year(at + 1).is_some()).then_some((Recurring::Season(season), at + 1))
            }
            _ => None,
        }
    }

    /// The month at a place, if it is one and not a verb.
    fn month(&self, at: usize) -> Option<u32> {
        let Word::Month { number, needs } = self.word(at)? else {
            return None;
        };
        let before = at.checked_sub(1);
        let is_led = || before.and_then(|before| self.word(before)).is_some_and(leads_to_month);
        let is_beside_date = || {
            before.is_some_and(|before| self.day(before).is_some())
                || self.day(at + 1).is_some()
                || self.year(at + 1).is_some()
        };
        let is_one = match needs {
            Needs::Nothing => true,
            Needs::Lead => is_led() || is_beside_date(),
            Needs::Date => is_beside_date(),
        };
        is_one.then_some(number)
    }

    fn day(&self, at: usize) -> Option<u32> {
        match self.word(at)? {
            Word::Digits(day @ 1..=31) | Word::Ordinal(day @ 1..=31) => Some(day.into()),
            _ => None,
        }
    }

    /// A year, perhaps behind a comma or "of".
    pub(super) fn year(&self, at: usize) -> Option<(i32, usize)> {
        let at = self.past_of(self.past(at, Word::Comma));
        match self.word(at)? {
            Word::Digits(year) if is_year(year) => Some((year.into(), at + 1)),
            _ => None,
        }
    }

    /// "two weeks", "a couple of days".
    fn counted(&self, at: usize) -> Option<(i32, Unit, usize)> {
        let (count, next) = self.count(at)?;
        match self.word(next)? {
            Word::Unit(unit) => Some((count, unit, next + 1)),
            _ => None,
        }
    }

    /// A number, "a few" and "a couple of" among them.
    pub(super) fn count(&self, at: usize) -> Option<(i32, usize)> {
        if self.are_certain() && !self.is_exact_count(at) {
            return None;
        }
        let number = |at: usize| match self.word(at)? {
            Word::Digits(number) | Word::Count(number) | Word::About(number) => Some(i32::from(number)),
            _ => None,
        };
        let first = number(at)?;
        let (count, next) = number(at + 1).map_or((first, at + 1), |second| (second, at + 2));
        Some((count, self.past(next, Word::Of)))
    }

    pub(super) fn word(&self, at: usize) -> Option<Word> {
        self.words.get(at).copied()
    }

    /// The place after a word, if it is there.
    pub(super) fn word_is(&self, at: usize, word: Word) -> Option<usize> {
        (self.word(at)? == word).then_some(at + 1)
    }

    /// The place after a word, or the same place if it is not there.
    pub(super) fn past(&self, at: usize, word: Word) -> usize {
        self.word_is(at, word).unwrap_or(at)
    }

    /// The place after "of" in any language, or the same place if it is not there.
    fn past_of(&self, at: usize) -> usize {
        self.past(self.past(at, Word::Of), Word::De)
    }

    /// The word before a place, or before the article before it.
    fn before_article(&self, at: usize) -> Option<Word> {
        let before = at.checked_sub(1)?;
        match self.word(before)? {
            Word::The => self.word(before.checked_sub(1)?),
            word => Some(word),
        }
    }
}

fn leads_to_month(word: Word) -> bool {
    matches!(word, Word::In | Word::Of | Word::Since | Word::Until | Word::Before | Word::Last | Word::Third(_))
}

fn leads_to_season(word: Word) -> bool {
    leads_to_month(word) || matches!(word, Word::After | Word::This | Word::Past)
}
