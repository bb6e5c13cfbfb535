//! The periods that the words of dates name together: times, and what is said of times, such as parts and ranges of them.

use chrono::NaiveDate;

use super::Period;
use super::calendar::{Recurring, Unit};
use super::times::{Parsed, Times};
use super::word::{Reading, Word};

struct Grammar<'a> {
    times: Times<'a>,
    /// The day that everything counts from.
    asked: NaiveDate,
}

/// The periods that the words name, in their order, each once.
pub(super) fn periods(words: &[Word], asked: NaiveDate, reading: Reading) -> Vec<Period> {
    let grammar = Grammar { times: Times::among(words, reading), asked };
    let (mut periods, mut at) = (Vec::new(), 0);
    while let Some(word) = grammar.times.word(at) {
        if word == Word::Open {
            at += 2;
        } else if let Some((period, next)) = grammar.expression(at) {
            if !periods.contains(&period) {
                periods.push(period);
            }
            at = next.max(at + 1);
        } else {
            at += 1;
        }
    }
    periods
}

impl Grammar<'_> {
    fn expression(&self, at: usize) -> Parsed {
        // Nobody knows for certain where "the end of last year" begins, and "since" may be a reason.
        let rough = || self.since(at).or_else(|| self.part(at));
        let rough = if self.times.are_certain() { None } else { rough() };
        rough
            .or_else(|| self.range(at))
            .or_else(|| self.shifted(at))
            .or_else(|| self.anchored(at))
            .or_else(|| self.times.dated(at, self.asked))
    }

    /// "since May".
    fn since(&self, at: usize) -> Parsed {
        let place = self.times.past(self.times.word_is(at, Word::Since)?, Word::The);
        let (begun, next) = self.times.dated(place, self.asked)?;
        Some((Period::new(begun.start, self.asked.succ_opt()?)?, next))
    }

    /// "the first half of May", "early last year", "the second week of June".
    fn part(&self, at: usize) -> Parsed {
        let whole = |after: usize| {
            let place = self.times.past(self.times.past(after, Word::Of), Word::The);
            self.times.dated(place, self.asked)
        };
        let (period, next) = match (self.times.word(at)?, self.times.word(at + 1)?) {
            (Word::Third(index), _) => {
                let (whole, next) = whole(at + 1)?;
                (whole.part(index, 3), next)
            }
            (Word::Ordinal(number @ 1..=2), Word::Half) => {
                let (whole, next) = whole(at + 2)?;
                (whole.part(i64::from(number) - 1, 2), next)
            }
            (Word::Ordinal(number), Word::Unit(Unit::Week)) => {
                let (whole, next) = whole(self.times.word_is(at + 2, Word::Of)?)?;
                (whole.week(i32::from(number) - 1), next)
            }
            (Word::Last, Word::Unit(Unit::Week)) => {
                let (whole, next) = whole(self.times.word_is(at + 2, Word::Of)?)?;
                (whole.last_week(), next)
            }
            _ => return None,
        };
        Some((period?, next))
    }

    /// "from March to May 2023": the beginning may lie in the year that only the end names.
    fn range(&self, at: usize) -> Parsed {
        let (first, joint) = self.times.dated(at, self.asked)?;
        let joins = match self.times.word(joint)? {
            Word::To | Word::Until => true,
            Word::And => at.checked_sub(1).and_then(|before| self.times.word(before)) == Some(Word::Between),
            _ => false,
        };
        if !joins {
            return None;
        }
        let (last, next) = self.times.dated(joint + 1, self.asked)?;
        if self.times.are_certain() && first.start >= last.start {
            // "I compared last week to last year."
            return None;
        }
        let period = Period::new(first.start, last.end).or_else(|| {
            let (first, _) = self.times.dated(at, last.start)?;
            Period::new(first.start, last.end)
        });
        Some((period?, next))
    }

    /// "the week before August 3", "two days after 1 May", "the Sunday before last week". A day, month or year that it counts
    /// from is named, too: people tell such things on that day.
    fn shifted(&self, at: usize) -> Parsed {
        let (count, unit) = self.times.count(at).map_or((None, at), |(count, next)| (Some(count), next));
        if count.is_none() && self.times.are_certain() && self.times.is_counted(at) {
            return None;
        }
        let direction = self.times.word(unit + 1)?;
        if !matches!(direction, Word::Before | Word::After) {
            return None;
        }
        let place = self.times.past(unit + 2, Word::The);
        let (anchor, next) = self.times.dated(place, self.asked)?;
        let is_exact = anchor.is_day()
            || matches!(self.times.word(unit)?, Word::Unit(unit) if unit.around(anchor.start) == Some(anchor));
        if self.times.are_certain() && !is_exact {
            // The day after last week's exam is a day of last week.
            return None;
        }
        let period = match (self.times.word(unit)?, direction, count) {
            (Word::Unit(unit), Word::Before, Some(count)) => unit.ago(anchor.start, count),
            (Word::Unit(unit), _, Some(count)) => unit.ago(anchor.end.pred_opt()?, count.checked_neg()?),
            (Word::Unit(Unit::Weekend), Word::Before, None) => Unit::Weekend.ago(anchor.start, 1),
            (Word::Unit(unit), Word::Before, None) => Period::new(unit.moved(anchor.start, -1)?, anchor.start),
            (Word::Unit(unit), _, None) => Period::new(anchor.end, unit.moved(anchor.end, 1)?),
            (Word::Weekday(weekday), Word::Before, None) => Recurring::Weekday(weekday).latest_over(anchor.start),
            (Word::Weekday(weekday), _, None) => Recurring::Weekday(weekday).first_from(anchor.end),
            _ => None,
        };
        let is_absolute = self.times.absolute(place, self.asked).is_some();
        Some((period?, if is_absolute { place } else { next }))
    }

    /// "last Friday on 23 January 2022", "Friday, May 5": a relative time that counts from the day after it, which is named, too.
    fn anchored(&self, at: usize) -> Parsed {
        let (_, next) = self.times.relative(at, self.asked)?;
        let place = match self.times.word(next)? {
            Word::In | Word::Of | Word::Before | Word::Comma => next + 1,
            _ => next,
        };
        let (anchor, _) = self.times.absolute(place, self.asked).filter(|(anchor, _)| anchor.is_day())?;
        let (period, _) = self.times.relative(at, anchor.start)?;
        Some((period, place))
    }
}
