//! What is told beside a quote of the times that it names.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use chrono::{DateTime, Datelike, Utc};
use proptest::prelude::*;

use super::languages_tests::LANGUAGES;
use super::{Period, relative};

/// A Wednesday.
const SAID: &str = "2023-08-16";

fn at(day: &str) -> DateTime<Utc> {
    format!("{day}T15:00:00Z").parse().unwrap()
}

fn told(text: &str, day: &str) -> Vec<String> {
    relative(text, at(day)).into_iter().map(Period::written).collect()
}

fn tells_nothing(texts: &[&str]) {
    for text in texts {
        assert_eq!(told(text, SAID), [""; 0], "{text}");
    }
}

fn tells(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(told(text, SAID), [*expected], "{text}");
    }
}

#[test]
fn what_counts_from_the_day_it_was_said_on_is_told() {
    tells(&[
        ("Yesterday I signed up for pottery.", "15 August 2023"),
        ("We moved last month.", "July 2023"),
        ("It began last year.", "2022"),
        ("I saw it last week.", "7 to 13 August 2023"),
        ("It rained for the last 3 weeks.", "26 July to 16 August 2023"),
        ("over the past 3 months", "16 May to 16 August 2023"),
        ("We met last Friday.", "11 August 2023"),
        ("We met last Friday at 5.", "11 August 2023"),
        ("We met last Friday in the office.", "11 August 2023"),
        ("last summer in Greece", "1 June to 31 August 2022"),
        ("We went there last May.", "May 2023"),
        ("Last May we went there.", "May 2023"),
        ("this past weekend", "12 to 13 August 2023"),
        ("the rent of this month", "August 2023"),
        ("I moved here two weeks ago.", "31 July to 6 August 2023"),
        ("I moved here 3 days ago.", "13 August 2023"),
        ("We married 4 years ago.", "2019"),
        ("the day before yesterday", "14 August 2023"),
        ("two days after yesterday", "17 August 2023"),
        ("the week before last week", "31 July to 6 August 2023"),
        ("from last Friday to yesterday", "11 to 15 August 2023"),
        ("It was late last year.", "2022"),
        ("I met her yesterday, 15 August.", "15 August 2023"),
    ]);
}

#[test]
fn a_few_words_of_other_languages_count_from_it_too() {
    for text in [
        "Das war gestern.",
        "Lo vi ayer antes de comer.",
        "Eu vi ontem",
        "L'ho visto ieri.",
        "Это было вчера",
        "dün gece",
        "رأيته أمس",
        "昨日行きました",
        "我昨天去了",
        "어제 갔어요",
    ] {
        assert_eq!(told(text, SAID), ["15 August 2023"], "{text}");
    }
    assert_eq!(told("一昨日行きました", SAID), ["14 August 2023"]);
    assert_eq!(told("我去年搬到上海", SAID), ["2022"]);
    assert_eq!(told("上海上周很热", SAID), ["7 to 13 August 2023"]);
    assert_eq!(told("지난달에 이사했어", SAID), ["July 2023"]);
}

#[test]
fn a_day_without_a_year_is_not_told_for_it_may_be_ahead() {
    for text in [
        "The exam takes place next week on 9 December in hall B.",
        "Our wedding will be on 5 January",
        "Der Kurs beginnt am 3. Februar.",
        "The rent goes up by March",
        "silence until April",
        "cut the hedge in summer",
        "on the 3rd of June",
        "El curso empieza el 3 de febrero",
        "3月5日開始です",
        "3월 5일에 시작해요",
        "from March to May",
        "It has been closed since May.",
        "early June, the first half of May, the second week of June",
        "the Friday before 9 December",
        "two days after 3 March",
        "at Christmas",
    ] {
        assert_eq!(told(text, "2026-11-30"), [""; 0], "{text}");
    }
}

#[test]
fn what_may_be_before_or_behind_is_not_told() {
    tells_nothing(&[
        "The dentist sees me on Friday at 9.",
        "On Friday, I have the dentist.",
        "Friday, 18 August, is a holiday.",
        "The shop is open on Sunday.",
        "Ich fahre am Montag.",
        "by Friday, until Monday or before Sunday",
        "this Friday, this May and this summer",
        "this weekend",
        "next week, next Friday, next month and tomorrow",
        "the week after next, and in three days",
        "every last Friday",
    ]);
    assert_eq!(told("this weekend", "2023-08-19"), ["19 to 20 August 2023"], "it is going on");
}

#[test]
fn what_is_counted_roughly_is_not_told() {
    tells_nothing(&[
        "We were there a few years ago.",
        "It broke a couple of weeks ago.",
        "We saw each other often in the last few months.",
        "about two weeks ago",
        "two or three weeks ago",
        "2-3 weeks ago",
        "over ten years ago, and more than five years ago",
        "half a year ago",
        "one and a half years ago",
        "twenty-two years ago",
        "twenty two years ago",
        "10 000 years ago",
        "3000 years ago",
        "two weeks ago today",
        "a week ago yesterday",
    ]);
}

#[test]
fn last_is_not_always_the_one_before_now() {
    tells_nothing(&[
        "My last week at work will be hard.",
        "Tom's last day, and Tom's last week",
        "the last Friday of May",
        "the last Friday in May",
        "We meet the last week of every month.",
        "Last week before the exam!",
        "The battery must last 2 weeks.",
        "The talks may last weeks.",
        "They last year after year.",
        "The last three days will be hard.",
        "At last May spoke.",
        "last May 3 people came",
        "one last week",
        "last May 2021",
        "last Friday, 18 August",
        "I met her yesterday, on 7 May 2021.",
        "We moved last year, in 2022.",
        "half past two days",
    ]);
}

#[test]
fn another_word_beside_one_makes_another_time_of_it() {
    tells_nothing(&[
        "antes de ayer",
        "antes de ontem",
        "l'altro ieri",
        "ieri l'altro",
        "أول أمس",
        "أول من أمس",
        "dün değil",
        "上上周我去了",
        "大前天",
        "以前天天去",
        "一昨年",
        "재작년",
        "지지난주",
        "영어제목",
        "以上月薪",
        "晚上周杰伦",
        "基本周期",
        "过去年份",
    ]);
}

#[test]
fn what_names_its_year_needs_no_telling() {
    tells_nothing(&[
        "My cat is Tom.",
        "on 7 May 2021",
        "last Friday on 23 January 2022",
        "in summer 2021",
        "2023年5月7日",
    ]);
}

/// Words that times are made of, none of which leads ahead for certain.
const PIECES: &str = "may May February 29 31 30th 2023 0 last past this two a few week weeks years months weekend day ago before \
    since until by next every tomorrow the of in on and between to - , . first half end mid- Friday summer winter yesterday today \
    2023-02-30 2023-05-07 about my 昨日 上周 5月 ayer gestern am";

proptest! {
    #[test]
    fn a_day_without_a_year_is_not_told_in_any_language(
        month in 0_usize..12,
        day in 1_u32..=28,
        language in 0_usize..LANGUAGES.len(),
        days in 0_i64..3000,
    ) {
        let (form, names) = LANGUAGES[language];
        let name = names.split_whitespace().nth(month).unwrap();
        let written = form.replace("{d}", &day.to_string()).replace("{m}", name).replace("{y}", "");
        let said = at(SAID) + chrono::TimeDelta::days(days);
        prop_assert!(relative(&written, said).is_empty(), "{}", written);
    }

    #[test]
    fn nothing_that_is_told_begins_later_than_it_was_said(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES.split_whitespace().collect::<Vec<_>>()), 0..12),
        days in 0_i64..3000,
    ) {
        let said = at(SAID) + chrono::TimeDelta::days(days);
        let text = pieces.join(" ");
        for period in relative(&text, said) {
            prop_assert!(period.start <= said.date_naive(), "{}: {:?}", text, period);
            prop_assert!(period.start.year() > 1900, "{}: {:?}", text, period);
        }
    }
}
