//! Calendar arithmetic over periods of whole days.
//!
//! What leaves the years that the calendar can count is no period.

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta, Weekday};

use super::Period;

/// What time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    /// From Monday on.
    Week,
    /// Saturday and Sunday.
    Weekend,
    Month,
    Year,
}

/// A season of the northern hemisphere, in whole months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Season {
    Spring,
    Summer,
    Autumn,
    /// From December of the year that it is named by.
    Winter,
}

/// A period that comes back every week or every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recurring {
    Weekday(Weekday),
    /// Month and day, from 1.
    Day(u32, u32),
    /// From 1.
    Month(u32),
    Season(Season),
}

/// How many occurrences are looked at: February 29 comes back after eight years at the latest.
const OCCURRENCES: i32 = 8;

impl Unit {
    /// The day so many units later; earlier for a negative count.
    pub(super) fn moved(self, day: NaiveDate, count: i32) -> Option<NaiveDate> {
        match self {
            Self::Day => by_days(day, count),
            Self::Week | Self::Weekend => by_days(day, count.checked_mul(7)?),
            Self::Month => by_months(day, count),
            Self::Year => by_months(day, count.checked_mul(12)?),
        }
    }

    /// The calendar's day, week, weekend, month or year around a day; the weekend of its week.
    pub(super) fn around(self, day: NaiveDate) -> Option<Period> {
        let start = match self {
            Self::Day => day,
            Self::Week => in_week(day, Weekday::Mon)?,
            Self::Weekend => in_week(day, Weekday::Sat)?,
            Self::Month => day.with_day(1)?,
            Self::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1)?,
        };
        let end = match self {
            Self::Weekend => by_days(start, 2)?,
            unit => unit.moved(start, 1)?,
        };
        Period::new(start, end)
    }

    /// The unit around the day so many units before `day`.
    pub(super) fn ago(self, day: NaiveDate, count: i32) -> Option<Period> {
        self.around(self.moved(day, count.checked_neg()?)?)
    }

    /// The so many units up to `day` and `day` itself.
    pub(super) fn up_to(self, day: NaiveDate, count: i32) -> Option<Period> {
        Period::new(self.moved(day, count.checked_neg()?)?, day.succ_opt()?)
    }
}

impl Recurring {
    /// The one that begins in a year; none for a weekday or a day that the year does not have.
    pub(super) fn in_year(self, year: i32) -> Option<Period> {
        match self {
            Self::Weekday(_) => None,
            Self::Day(month, day) => Unit::Day.around(NaiveDate::from_ymd_opt(year, month, day)?),
            Self::Month(month) => Unit::Month.around(NaiveDate::from_ymd_opt(year, month, 1)?),
            Self::Season(season) => {
                let start = NaiveDate::from_ymd_opt(year, season.first_month(), 1)?;
                Period::new(start, by_months(start, 3)?)
            }
        }
    }

    /// The latest that begins no later than `day`.
    pub(super) fn latest(self, day: NaiveDate) -> Option<Period> {
        self.back_from(day).find(|period| period.start <= day)
    }

    /// The latest that is over on `day`.
    pub(super) fn latest_over(self, day: NaiveDate) -> Option<Period> {
        self.back_from(day).find(|period| period.end <= day)
    }

    /// The first that begins no earlier than `day`.
    pub(super) fn first_from(self, day: NaiveDate) -> Option<Period> {
        let mut ahead = (0..=OCCURRENCES).filter_map(|count| self.occurrence(day, count));
        ahead.find(|period| period.start >= day)
    }

    /// The one around `day`, or else that of its week or year.
    pub(super) fn this(self, day: NaiveDate) -> Option<Period> {
        let around = self.latest(day).filter(|period| day < period.end);
        around.or_else(|| self.occurrence(day, 0))
    }

    fn back_from(self, day: NaiveDate) -> impl Iterator<Item = Period> {
        (0..=OCCURRENCES).filter_map(move |count| self.occurrence(day, -count))
    }

    /// That of the week or year which lies so many after that of `day`.
    fn occurrence(self, day: NaiveDate, later: i32) -> Option<Period> {
        match self {
            Self::Weekday(weekday) => Unit::Day.around(Unit::Week.moved(in_week(day, weekday)?, later)?),
            yearly => yearly.in_year(day.year().checked_add(later)?),
        }
    }
}

impl Season {
    fn first_month(self) -> u32 {
        match self {
            Self::Spring => 3,
            Self::Summer => 6,
            Self::Autumn => 9,
            Self::Winter => 12,
        }
    }
}

impl Period {
    /// Whether it is a single day.
    pub(super) fn is_day(self) -> bool {
        self.start.succ_opt() == Some(self.end)
    }

    /// Whether a day is in it.
    pub(super) fn holds(self, day: NaiveDate) -> bool {
        self.start <= day && day < self.end
    }

    /// The part `index`, from 0, of `count` equal parts, in whole days; none if it is too short.
    pub(super) fn part(self, index: i64, count: i64) -> Option<Self> {
        let days = (self.end - self.start).num_days();
        let border = |index: i64| {
            let days = days.checked_mul(index)?.checked_div(count)?;
            self.start.checked_add_signed(TimeDelta::try_days(days)?)
        };
        Self::new(border(index)?, border(index.checked_add(1)?)?)
    }

    /// Its days from `7 * index` on, at most seven.
    pub(super) fn week(self, index: i32) -> Option<Self> {
        let start = Unit::Week.moved(self.start, index)?;
        Self::new(start, Unit::Week.moved(start, 1)?.min(self.end))
    }

    /// Its last seven days.
    pub(super) fn last_week(self) -> Option<Self> {
        Self::new(Unit::Week.moved(self.end, -1)?.max(self.start), self.end)
    }
}

/// The weekday of the week of a day, which begins on Monday.
fn in_week(day: NaiveDate, weekday: Weekday) -> Option<NaiveDate> {
    let days = |weekday: Weekday| Days::new(weekday.num_days_from_monday().into());
    let monday = day.checked_sub_days(days(day.weekday()))?;
    monday.checked_add_days(days(weekday))
}

fn by_days(day: NaiveDate, count: i32) -> Option<NaiveDate> {
    day.checked_add_signed(TimeDelta::try_days(count.into())?)
}

fn by_months(day: NaiveDate, count: i32) -> Option<NaiveDate> {
    let months = Months::new(count.unsigned_abs());
    if count < 0 { day.checked_sub_months(months) } else { day.checked_add_months(months) }
}
