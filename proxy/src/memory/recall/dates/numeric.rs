//! Dates in digits alone, such as `2023-05-07`, `7.5.2023` and `05/2023`.

use chrono::NaiveDate;

use super::Period;
use super::calendar::Unit;
use super::word::{digits, is_year};

/// The periods that a text is the date of: the year first, or last behind the day and the month. With dots the day comes before
/// the month; with strokes and dashes either does, and where both are possible both are named.
pub(super) fn exact(text: &str) -> Vec<Period> {
    let date = text.split('T').next().unwrap_or_default();
    let Some(separator) = ['/', '-', '.'].into_iter().find(|separator| date.contains(*separator)) else {
        return Vec::new();
    };
    let parts: Vec<&str> = date.split(separator).collect();
    let Some(numbers) = parts.iter().map(|part| digits(part, 4)).collect::<Option<Vec<u16>>>() else {
        return Vec::new();
    };
    let widths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let found = match (numbers.as_slice(), widths.as_slice(), separator) {
        ([year, month, day], [4, 1..=2, 1..=2], _) => [of_day(*year, *month, *day), None],
        ([day, month, year], [1..=2, 1..=2, 4], '.') => [of_day(*year, *month, *day), None],
        ([one, other, year], [1..=2, 1..=2, 4], _) => {
            let day_first = of_day(*year, *other, *one);
            let month_first = of_day(*year, *one, *other).filter(|month_first| day_first != Some(*month_first));
            [day_first, month_first]
        }
        ([year, month], [4, 2], '-' | '/') => [of_month(*year, *month), None],
        ([month, year], [2, 4], _) | ([month, year], [1, 4], '/') => [of_month(*year, *month), None],
        _ => [None, None],
    };
    found.into_iter().flatten().collect()
}

fn of_day(year: u16, month: u16, day: u16) -> Option<Period> {
    let day = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
    day.filter(|_| is_year(year)).and_then(|day| Unit::Day.around(day))
}

fn of_month(year: u16, month: u16) -> Option<Period> {
    let first = NaiveDate::from_ymd_opt(year.into(), month.into(), 1);
    first.filter(|_| is_year(year)).and_then(|first| Unit::Month.around(first))
}
