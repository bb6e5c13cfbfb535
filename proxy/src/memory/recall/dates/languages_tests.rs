//! Dates as people write them in many languages.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use proptest::prelude::*;

use super::periods;

fn asked() -> DateTime<Utc> {
    "2023-08-16T15:00:00Z".parse().unwrap()
}

/// The first and the last day of each period; asked on Wednesday, 16 August 2023.
fn named(text: &str) -> Vec<(String, String)> {
    let days = periods(text, asked()).into_iter();
    days.map(|period| (period.start.to_string(), period.end.pred_opt().unwrap().to_string())).collect()
}

fn is_day(text: &str, day: &str) {
    assert_eq!(named(text), [(day.to_owned(), day.to_owned())], "{text}");
}

fn is_span(text: &str, first: &str, last: &str) {
    assert_eq!(named(text), [(first.to_owned(), last.to_owned())], "{text}");
}

#[test]
fn a_day_is_found_in_the_languages_that_most_people_speak() {
    for text in [
        "What happened on 7 May 2023?",
        "2023年5月7日发生了什么？",
        "二〇二三年五月七日發生了什麼？",
        "2023年5月7日に何がありましたか？",
        "2023년 5월 7일에 무슨 일이 있었어?",
        "7 मई 2023 को क्या हुआ?",
        "७ मई २०२३ को क्या हुआ?",
        "¿Qué pasó el 7 de mayo de 2023?",
        "¿Qué pasó el 7 de mayo del 2023?",
        "Que s'est-il passé le 7 mai 2023 ?",
        "ماذا حدث في 7 مايو 2023؟",
        "ماذا حدث في ٧ مايو ٢٠٢٣؟",
        "৭ মে ২০২৩ তারিখে কী হয়েছিল?",
        "O que aconteceu em 7 de maio de 2023?",
        "Что случилось 7 мая 2023 года?",
        "Что случилось 7-го мая 2023?",
        "7 مئی 2023 کو کیا ہوا؟",
        "Apa yang terjadi pada 7 Mei 2023?",
        "Was geschah am 7. Mai 2023?",
        "7 Mayıs 2023'te ne oldu?",
        "Cosa è successo il 7 maggio 2023?",
        "Was geschah am 07.05.2023?",
        "Что было 7.5.2023?",
        "2023.5.7に何がありましたか",
        "２０２３／０５／０７は？",
        "ماذا حدث في ٢٠٢٣-٠٥-٠٧؟",
    ] {
        is_day(text, "2023-05-07");
    }
}

#[test]
fn without_a_year_the_latest_day_is_meant_in_any_language() {
    for text in [
        "3月1日我们说了什么？",
        "三月一日我們說了什麼？",
        "1 मार्च को",
        "el 1 de marzo",
        "le 1er mars",
        "في 1 مارس",
        "১ মার্চ",
        "no dia 1º de março",
        "1 марта",
        "am 1. März",
        "am 1. Maerz",
        "1 Mart'ta",
        "3월 1일",
    ] {
        is_day(text, "2023-03-01");
    }
}

#[test]
fn a_month_is_found_by_itself_where_its_name_is_nothing_else() {
    for (text, first, last) in [
        ("2022年11月我去了哪里？", "2022-11-01", "2022-11-30"),
        ("11月に", "2022-11-01", "2022-11-30"),
        ("नवंबर 2022 में", "2022-11-01", "2022-11-30"),
        ("en noviembre de 2022", "2022-11-01", "2022-11-30"),
        ("en mayo", "2023-05-01", "2023-05-31"),
        ("en mai", "2023-05-01", "2023-05-31"),
        ("au mois d'avril", "2023-04-01", "2023-04-30"),
        ("im Mai", "2023-05-01", "2023-05-31"),
        ("letzten Dezember", "2022-12-01", "2022-12-31"),
        ("в мае", "2023-05-01", "2023-05-31"),
        ("في مايو", "2023-05-01", "2023-05-31"),
        ("em março de 2022", "2022-03-01", "2022-03-31"),
        ("Mart'ta", "2023-03-01", "2023-03-31"),
        ("05/2022", "2022-05-01", "2022-05-31"),
        ("2021年", "2021-01-01", "2021-12-31"),
    ] {
        is_span(text, first, last);
    }
}

#[test]
fn a_few_words_count_from_today_in_other_languages_too() {
    for text in [
        "昨天我说了什么？",
        "昨日は？",
        "어제 뭐라고 했지?",
        "¿Qué dije ayer?",
        "Was sagte ich gestern?",
        "вчера",
        "dün",
    ] {
        is_day(text, "2023-08-15");
    }
    is_day("一昨日は？", "2023-08-14");
    is_span("去年我们去了哪里？", "2022-01-01", "2022-12-31");
    is_span("先月の旅行", "2023-07-01", "2023-07-31");
    is_span("5月1日～6月3日", "2023-05-01", "2023-06-03");
}

#[test]
fn other_words_that_are_spelt_like_months_name_no_time() {
    for text in [
        "Is there mayo in a jar of mayo?",
        "the planet Mars, and life on Mars",
        "Where does Marco live, and what is the name of Marco's dog?",
        "frutos de mar y el nivel del mar",
        "non ho mai detto",
        "Who are Julio, Avril and Mei?",
        "He ran 7. March was cold.",
        "三个月、3か月、3月間、一年",
        "5 out of 7, a set of 3, 2 de 3",
        "v1.2.2023a, 192.168.1.1 and 3.14",
        "31.2.2023, 13.13.2023 and 0/5/2023",
    ] {
        assert_eq!(named(text), [], "{text}");
    }
}

/// Patterns of a day, with the names of May to be taken for any month.
const NUMERIC: [&str; 8] = [
    "{y}-{mm}-{dd}",
    "{y}/{m}/{d}",
    "{d}.{m}.{y}",
    "{dd}.{mm}.{y}",
    "{y}年{m}月{d}日",
    "{y}년 {m}월 {d}일",
    "在{y}年{m}月{d}日，我们",
    "{y}.{m}.{d}",
];

const ZEROS: [char; 5] = ['0', '\u{660}', '\u{966}', '\u{9e6}', '\u{ff10}'];

proptest! {
    #[test]
    fn every_day_is_found_in_every_numeric_form_and_script(
        year in 1950_i32..2060,
        month in 1_u32..=12,
        day in 1_u32..=28,
        form in proptest::sample::select(NUMERIC.to_vec()),
        zero in proptest::sample::select(ZEROS.to_vec()),
    ) {
        let written = form
            .replace("{y}", &year.to_string())
            .replace("{mm}", &format!("{month:02}"))
            .replace("{dd}", &format!("{day:02}"))
            .replace("{m}", &month.to_string())
            .replace("{d}", &day.to_string());
        let own = |character: char| {
            let value = character.to_digit(10)?;
            char::from_u32(u32::from(zero) + value)
        };
        let written: String = written.chars().map(|character| own(character).unwrap_or(character)).collect();
        let expected = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let found = periods(&written, asked());
        prop_assert_eq!(found.len(), 1, "{}", written);
        prop_assert_eq!(found[0].start, expected, "{}", written);
        prop_assert_eq!(found[0].end, expected.succ_opt().unwrap());
    }

    #[test]
    fn a_date_that_can_be_read_in_two_ways_names_both(year in 1950_i32..2060, one in 1_u32..=12, other in 1_u32..=12) {
        let written = format!("on {one}/{other}/{year}");
        let found = periods(&written, asked());
        prop_assert_eq!(found.len(), if one == other { 1 } else { 2 });
        prop_assert!(found.iter().any(|period| period.start == NaiveDate::from_ymd_opt(year, other, one).unwrap()));
        prop_assert!(found.iter().any(|period| period.start == NaiveDate::from_ymd_opt(year, one, other).unwrap()));
    }

    #[test]
    fn every_month_is_found_beside_its_day_and_year(
        year in 1950_i32..2060,
        month in 0_usize..12,
        day in 1_u32..=28,
        language in 0_usize..LANGUAGES.len(),
    ) {
        let (form, names) = LANGUAGES[language];
        let name = names.split_whitespace().nth(month).unwrap();
        let written = form
            .replace("{d}", &day.to_string())
            .replace("{m}", name)
            .replace("{y}", &year.to_string());
        let found = periods(&written, asked());
        prop_assert_eq!(found.len(), 1, "{}", written);
        let start = found[0].start;
        prop_assert_eq!((start.year(), start.month0() as usize, start.day()), (year, month, day), "{}", written);
    }
}

pub(super) const LANGUAGES: [(&str, &str); 14] = [
    ("on {d} {m} {y}", "January February March April May June July August September October November December"),
    ("{d} {m} {y} को", "जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर"),
    (
        "el {d} de {m} de {y}",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    ),
    ("le {d} {m} {y}", "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    ("le {d} {m} {y}", "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."),
    ("في {d} {m} {y}", "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر"),
    ("{d} {m} {y}", "জানুয়ারি ফেব্রুয়ারি মার্চ এপ্রিল মে জুন জুলাই আগস্ট সেপ্টেম্বর অক্টোবর নভেম্বর ডিসেম্বর"),
    (
        "em {d} de {m} de {y}",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    ),
    ("{d} {m} {y} года", "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"),
    ("am {d}. {m} {y}", "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    ("{d} {m} {y}'te", "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık"),
    ("pada {d} {m} {y}", "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"),
    ("il {d} {m} {y}", "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
    ("{d} {m} {y} کو", "جنوری فروری مارچ اپریل مئی جون جولائی اگست ستمبر اکتوبر نومبر دسمبر"),
];
