//! The spans of time that a text names, and how near to them something was said.
//!
//! Days are days of UTC. A time is found by a small grammar: `plain` gives digits and marks one form, `words` finds the
//! words that dates are made of (with `months` in many languages, `numeric` and `east_asian` dates), `times` single
//! times, `certain` which of them may be told to somebody, `grammar` what is said of them, `calendar` which days that
//! is. Dates are found in any language, relative times in English, Chinese, Japanese and Korean, compound ones in
//! English.

mod calendar;
mod certain;
#[cfg(test)]
mod certain_tests;
mod east_asian;
mod grammar;
#[cfg(test)]
mod languages_tests;
mod months;
mod numeric;
mod plain;
mod times;
mod word;
mod words;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

use word::Reading;

/// Some whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub start: NaiveDate,
    /// The day after the last one, later than `start`.
    pub end: NaiveDate,
}

/// Days outside a day or a week over which nearness falls to 1/e.
const SHORTEST_DECAY: f32 = 3.0;
/// The same for a longer period, as a share of its length.
const DECAY_SHARE: f32 = 0.25;
/// What a day after a period counts as. People talk of things once they have happened, so a turn some days after a period is
/// likelier to be about it than one as many days before.
const DAY_AFTER: f32 = 0.5;
const SECONDS_PER_DAY: f32 = 86_400.0;
/// Years, some months and some days.
const ANOTHER_TIME: Days = Days::new(1517);

/// The periods that `text` names, in its order, each once. Words such as "yesterday" count from `asked`, or from a day that
/// follows them ("the week before August 3, 2023"). A day, month or season without a year is the latest that begins no later
/// than `asked`. What lies in the future ("next week") or comes back all the time ("every Friday") is none.
#[must_use]
pub fn periods(text: &str, asked: DateTime<Utc>) -> Vec<Period> {
    grammar::periods(&words::words(text, Reading::Likely), asked.date_naive(), Reading::Likely)
}

/// The periods that `text`, said at a time, names by what they have to do with that time, as far as it is certain which they are:
/// "yesterday", "last May". Whoever reads the text later would not know. A day, month or season without a year is none of them, nor a
/// weekday: "on 3 June" may be the last one or the next.
#[must_use]
pub(crate) fn relative(text: &str, said: DateTime<Utc>) -> Vec<Period> {
    // What depends on the time is another period at another time.
    let Some(otherwise) = said.checked_sub_days(ANOTHER_TIME) else { return Vec::new() };
    let words = words::words(text, Reading::Certain);
    let mut named = grammar::periods(&words, said.date_naive(), Reading::Certain);
    if !named.is_empty() {
        let fixed = grammar::periods(&words, otherwise.date_naive(), Reading::Certain);
        named.retain(|period| !fixed.contains(period));
    }
    named
}

/// Whether a word names a month in any language, a weekday, or a part of the day in English.
#[must_use]
pub(crate) fn is_calendar_word(word: &str) -> bool {
    let lower = word.to_lowercase();
    let is_month = months::month(&lower, true, true).is_some();
    is_month || OF_CLOCKS.contains(&lower.as_str()) || lower.parse::<chrono::Weekday>().is_ok()
}

/// Words beside a time of day.
const OF_CLOCKS: [&str; 8] = ["am", "pm", "utc", "gmt", "cet", "cest", "uhr", "at"];

/// How near a time is to the nearest of `periods`: 1 inside, falling with the distance outside, 0 if there are none.
#[must_use]
pub fn nearness(periods: &[Period], time: DateTime<Utc>) -> f32 {
    let near = periods.iter().map(|period| period.nearness(time));
    near.fold(0.0, f32::max)
}

impl Period {
    /// From `start` to the day before `end`, if there is a day between.
    fn new(start: NaiveDate, end: NaiveDate) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Whether it is this day and no other.
    pub(crate) fn is_only(self, day: NaiveDate) -> bool {
        self.start == day && day.succ_opt() == Some(self.end)
    }

    /// The period as it is written between people: `2 July 2023`, `July 2023`, `2023`, or its first and its last day, `3 to 9 July 2023`.
    pub(crate) fn written(self) -> String {
        let of_month = self.start.day() == 1 && self.start.checked_add_months(Months::new(1)) == Some(self.end);
        let of_year = self.start.ordinal() == 1 && self.start.checked_add_months(Months::new(12)) == Some(self.end);
        let last = self.end.pred_opt().unwrap_or(self.start);
        match () {
            () if of_year => self.start.format("%Y").to_string(),
            () if of_month => self.start.format("%B %Y").to_string(),
            () if last == self.start => self.start.format("%-d %B %Y").to_string(),
            () => format!("{} to {}", self.start.format(self.first_day(last)), last.format("%-d %B %Y")),
        }
    }

    /// How to write the first day, before a last one that says its month and year.
    fn first_day(self, last: NaiveDate) -> &'static str {
        match (self.start.year() == last.year(), self.start.month() == last.month()) {
            (true, true) => "%-d",
            (true, false) => "%-d %B",
            (false, _) => "%-d %B %Y",
        }
    }

    fn nearness(self, time: DateTime<Utc>) -> f32 {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let (start, end) = (midnight(self.start), midnight(self.end));
        let distance = if time < start {
            days(start - time)
        } else if time < end {
            0.0
        } else {
            days(time - end) * DAY_AFTER
        };
        let decay = (days(end - start) * DECAY_SHARE).max(SHORTEST_DECAY);
        (-distance / decay).exp()
    }
}

fn days(time: TimeDelta) -> f32 {
    time.as_seconds_f32() / SECONDS_PER_DAY
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}T15:00:00Z").parse().unwrap()
    }

    /// The periods as `first..last`, or one day, joined by spaces; asked on Wednesday, 16 August 2023.
    fn named(text: &str) -> String {
        let periods = periods(text, at("2023-08-16"));
        let written = periods.iter().map(|period| {
            let last = period.end.pred_opt().unwrap();
            if last == period.start { last.to_string() } else { format!("{}..{last}", period.start) }
        });
        written.collect::<Vec<_>>().join(" ")
    }

    fn check(table: &[(&str, &str)]) {
        for (text, expected) in table {
            assert_eq!(named(text), *expected, "{text}");
        }
    }

    #[test]
    fn days_months_and_years_are_found() {
        check(&[
            ("What did Maria and John discuss on 7 July, 2023?", "2023-07-07"),
            ("What did Gina get accepted for on May 23, 2023?", "2023-05-23"),
            ("on the 23rd of may 2022", "2022-05-23"),
            ("What about Sept. 3rd 2021?", "2021-09-03"),
            ("in May 2023", "2023-05-01..2023-05-31"),
            ("in february of 2024", "2024-02-01..2024-02-29"),
            ("Where did we go in 2021?", "2021-01-01..2021-12-31"),
            ("by July 10, 2022", "2022-07-10"),
            ("2023-05-07 or 2023-05-08T10:00:00Z", "2023-05-07 2023-05-08"),
            ("2023/05/07", "2023-05-07"),
            ("2023-05", "2023-05-01..2023-05-31"),
            ("13/05/2023 and 05/23/2023 and 04/04/2023", "2023-05-13 2023-05-23 2023-04-04"),
            ("5/7/2023, whichever is meant", "2023-07-05 2023-05-07"),
            ("7.5.2023, 2023/5/7 and 05/2023", "2023-05-07 2023-05-01..2023-05-31"),
            ("What state did Joanna visit in summer 2021?", "2021-06-01..2021-08-31"),
            ("the winter of 2021", "2021-12-01..2022-02-28"),
            ("July 3's talk (7 July 2022)", "2023-07-03 2022-07-07"),
        ]);
    }

    #[test]
    fn without_a_year_the_latest_one_is_meant() {
        check(&[
            ("in August", "2023-08-01..2023-08-31"),
            ("in September", "2022-09-01..2022-09-30"),
            ("on August 16", "2023-08-16"),
            ("on August 17", "2022-08-17"),
            ("on February 29", "2020-02-29"),
            ("What are the plans for the summer?", "2023-06-01..2023-08-31"),
            ("in winter", "2022-12-01..2023-02-28"),
            ("What did we say on Friday?", "2023-08-11"),
            ("What did we say on Wednesday?", "2023-08-16"),
        ]);
    }

    #[test]
    fn relative_times_count_from_the_question() {
        check(&[
            ("today's plan", "2023-08-16"),
            ("What did I write yesterday?", "2023-08-15"),
            ("last night", "2023-08-15"),
            ("this morning", "2023-08-16"),
            ("last week", "2023-08-07..2023-08-13"),
            ("last weekend", "2023-08-12..2023-08-13"),
            ("last month", "2023-07-01..2023-07-31"),
            ("last year", "2022-01-01..2022-12-31"),
            ("last Friday", "2023-08-11"),
            ("last Wednesday", "2023-08-09"),
            ("last May", "2023-05-01..2023-05-31"),
            ("last summer", "2022-06-01..2022-08-31"),
            ("this month", "2023-08-01..2023-08-31"),
            ("this week", "2023-08-14..2023-08-20"),
            ("this past weekend", "2023-08-12..2023-08-13"),
            ("two weeks ago", "2023-07-31..2023-08-06"),
            ("a couple of days ago", "2023-08-14"),
            ("a few months ago", "2023-05-01..2023-05-31"),
            ("4 years ago", "2019-01-01..2019-12-31"),
            ("over the past 3 months", "2023-05-16..2023-08-16"),
            ("in the last ten days", "2023-08-06..2023-08-16"),
            ("since May", "2023-05-01..2023-08-16"),
            ("the day before yesterday", "2023-08-14"),
        ]);
    }

    #[test]
    fn times_before_and_after_a_day_count_from_it() {
        check(&[
            ("the week before August 3, 2023", "2023-07-27..2023-08-02 2023-08-03"),
            ("two weeks before August 11, 2023", "2023-07-24..2023-07-30 2023-08-11"),
            ("the Sunday before October 25, 2022", "2022-10-23 2022-10-25"),
            ("the day after 1 May 2022", "2022-05-02 2022-05-01"),
            ("last Friday on 23 January, 2022", "2022-01-21 2022-01-23"),
            ("last weekend before April 10, 2023", "2023-04-08..2023-04-09 2023-04-10"),
            ("Friday, May 5, 2023", "2023-05-05"),
        ]);
    }

    #[test]
    fn parts_and_ranges_are_found() {
        check(&[
            ("in the beginning of November 2022", "2022-11-01..2022-11-10"),
            ("mid-May 2022", "2022-05-11..2022-05-20"),
            ("late may 2022", "2022-05-21..2022-05-31"),
            ("the end of last year", "2022-09-01..2022-12-31"),
            ("the first half of September 2022", "2022-09-01..2022-09-15"),
            ("the second week of June", "2023-06-08..2023-06-14"),
            ("the last week of June", "2023-06-24..2023-06-30"),
            ("between May and June 2022", "2022-05-01..2022-06-30"),
            ("from November to February", "2022-11-01..2023-02-28"),
            ("2019-2021", "2019-01-01..2021-12-31"),
            ("May 3 – June 5", "2023-05-03..2023-06-05"),
        ]);
    }

    #[test]
    fn other_words_name_no_time() {
        for text in [
            "When did Melanie move?",
            "How long ago was her 18th birthday?",
            "May I ask who may help, and how it may 've been?",
            "This may take long. MARCH ON! They march for a second.",
            "Did the leaves fall, and did she spring up?",
            "What has she painted recently?",
            "The Winter Garden Theatre",
            "the last day of the trip, on the last week of the project",
            "What happens next week, next Friday and tomorrow?",
            "We meet every Friday.",
            "24/7, 1/2, 2,000, 1.2.10 and $1999",
            "her one-year-old child",
            "February 30",
            "",
        ] {
            assert_eq!(named(text), "", "{text}");
        }
    }

    #[test]
    fn a_month_that_is_also_a_verb_counts_beside_a_date_or_with_its_capital() {
        check(&[
            ("Where did she go in may?", "2023-05-01..2023-05-31"),
            ("What did May bring?", "2023-05-01..2023-05-31"),
            ("march 3 was it", "2023-03-03"),
            ("It was early march", "2023-03-01..2023-03-10"),
        ]);
    }

    #[test]
    fn nearness_is_one_inside_and_falls_slower_after_than_before() {
        let week = periods("last week", at("2023-08-16"));
        let near = |day: &str| nearness(&week, at(day));
        assert_eq!((near("2023-08-07"), near("2023-08-13")), (1.0, 1.0));
        // 15:00 is 9 hours before the next midnight and 15 after the last.
        assert!((near("2023-08-06") - (-0.375_f32 / 3.0).exp()).abs() < 1e-6);
        assert!((near("2023-08-14") - (-0.3125_f32 / 3.0).exp()).abs() < 1e-6);
        assert!(near("2023-08-16") > near("2023-08-04"));
        assert!(near("2022-08-10") < 1e-6);
        assert_eq!(nearness(&[], at("2023-08-10")), 0.0);
    }

    #[test]
    fn nearness_falls_slower_around_a_longer_period_and_the_nearest_counts() {
        let near = |text: &str| nearness(&periods(text, at("2023-12-31")), at("2023-06-10"));
        assert!(near("in May 2023") > near("on 31 May 2023"));
        assert_eq!(near("in May 2023 or on 10 June"), 1.0);
    }

    /// Words that dates are made of, and some that break them.
    const PIECES: &str = "may May February 29 31 30th 2023 1900 2099 9999 0 last past this two a few week years months \
        weekend day ago before after since the of in and between to - , . first half end mid- Friday summer winter yesterday \
        today 2023-02-30 2023-05-07 13/13/2023 next night é’s T";

    proptest! {
        #[test]
        fn every_period_has_a_day(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.split_whitespace().collect::<Vec<_>>()), 0..12),
            seconds in proptest::num::i64::ANY,
        ) {
            let asked = DateTime::from_timestamp(seconds % 8_000_000_000_000, 0).unwrap();
            for asked in [asked, DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, at("2023-08-16")] {
                let found = periods(&pieces.join(" "), asked);
                prop_assert!(found.iter().all(|period| period.start < period.end));
                prop_assert!((0.0..=1.0).contains(&nearness(&found, asked)));
            }
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,80}") {
            prop_assert!(periods(&text, at("2023-08-16")).iter().all(|period| period.start < period.end));
        }
    }
}
