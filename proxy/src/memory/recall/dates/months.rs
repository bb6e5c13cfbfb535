//! The names of the months in the languages that most people speak, and which of them are also other words.
//!
//! English, Chinese (in [`super::east_asian`]), Hindi, Spanish, French, Arabic, Bengali, Portuguese, Russian, Urdu,
//! Indonesian, German, Turkish, Italian.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::plain::folded;

/// What a word needs beside it to be a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it is nothing else.
    Nothing,
    /// A word such as `in`, or a day or a year.
    Lead,
    /// A day or a year.
    Date,
}

const ENGLISH: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// English months that are verbs, too.
const VERBS: [&str; 2] = ["march", "may"];

/// Names that are nothing else, with the endings that they take after a preposition.
const NAMES: [&str; 12] = [
    "enero janvier januar jänner jaenner janeiro gennaio januari январь января январе ocakta يناير जनवरी জানুয়ারি জানুয়ারী \
        জানুয়ারিতে جنوری",
    "febrero février februar fevereiro febbraio februari февраль февраля феврале şubat şubatta فبراير شباط फ़रवरी ফেব্রুয়ারি \
        ফেব্রুয়ারী ফেব্রুয়ারিতে فروری",
    "marzo märz maerz março maret март марта марте martta آذار मार्च মার্চ মার্চে مارچ",
    "abril aprile апрель апреля апреле nisan nisanda أبريل نيسان अप्रैल এপ্রিল এপ্রিলে اپریل",
    "maio maggio май мая мае mayıs mayısta مايو أيار मई মে مئی",
    "junio juin juni junho giugno июнь июня июне haziran haziranda يونيو يونيه حزيران जून জুন জুনে",
    "juillet julho luglio июль июля июле temmuz temmuzda يوليو يوليه تموز जुलाई জুলাই জুলাইয়ে جولائی",
    "agosto août agustus август августа августе ağustos ağustosta أغسطس अगस्त আগস্ট আগস্টে اگست",
    "septiembre setiembre septembre settembre setembro сентябрь сентября сентябре eylül eylülde سبتمبر أيلول सितंबर सितम्बर \
        সেপ্টেম্বর সেপ্টেম্বরে ستمبر",
    "octubre octobre oktober outubro ottobre октябрь октября октябре ekim ekimde أكتوبر अक्टूबर अक्तूबर অক্টোবর অক্টোবরে اکتوبر",
    "noviembre novembre novembro ноябрь ноября ноябре kasım kasımda نوفمبر नवंबर नवम्बर নভেম্বর নভেম্বরে نومبر",
    "diciembre décembre dezember desember dezembro dicembre декабрь декабря декабре aralık aralıkta ديسمبر दिसंबर दिसम्बर \
        ডিসেম্বর ডিসেম্বরে دسمبر",
];
/// Names that are other words or people's names in some language, and abbreviations.
const AMBIGUOUS: [&str; 12] = [
    "ocak ene janv янв",
    "fev fév févr фев",
    "mars mart мар مارس",
    "avril avr abr апр",
    "mayo mai mei",
    "июн جون",
    "julio juli juil июл",
    "авг آب",
    "сен сент",
    "okt окт",
    "ноя нояб",
    "dic dez déc дек",
];
/// The Portuguese March without its accent is an Italian name.
const NOT_FOLDED: &str = "marco";
/// Words of other languages that lead to a month.
const LEADS: [&str; 10] = ["de", "del", "d", "en", "em", "im", "di", "в", "во", "في"];

/// The month, from 1, that a word names, and what it needs beside it. `lower` is in small letters; `is_name` says that its
/// capital is a sign of a name, `is_led` that a word of another language leads to it.
pub(super) fn month(lower: &str, is_name: bool, is_led: bool) -> Option<(u32, Needs)> {
    if let Some(number) = place(ENGLISH.iter().copied(), lower) {
        let is_sure = is_name || !VERBS.contains(&lower);
        return Some((number, if is_sure { Needs::Nothing } else { Needs::Lead }));
    }
    let short = if lower == "sept" { "sep" } else { lower };
    if let Some(number) = place(ENGLISH.iter().filter_map(|name| name.get(..3)), short) {
        return Some((number, Needs::Lead));
    }
    static KNOWN: LazyLock<HashMap<String, (u32, Needs)>> = LazyLock::new(known);
    let folded = folded(lower);
    let (number, needs) = KNOWN.get(&folded).copied().filter(|_| lower != NOT_FOLDED)?;
    Some((number, if is_led { Needs::Nothing } else { needs }))
}

/// Whether a word leads to a month of another language than English.
pub(super) fn leads(lower: &str) -> bool {
    LEADS.contains(&lower)
}

fn known() -> HashMap<String, (u32, Needs)> {
    let of = |names: [&'static str; 12], needs: Needs| {
        let numbered = (1_u32..).zip(names);
        numbered
            .flat_map(move |(number, names)| names.split_whitespace().map(move |name| (folded(name), (number, needs))))
    };
    of(NAMES, Needs::Nothing).chain(of(AMBIGUOUS, Needs::Date)).collect()
}

/// Where a word stands among others, from 1.
fn place<'a>(words: impl Iterator<Item = &'a str>, word: &str) -> Option<u32> {
    (1..).zip(words).find(|(_, known)| *known == word).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_one_month() {
        let names = NAMES.iter().chain(&AMBIGUOUS).flat_map(|names| names.split_whitespace());
        let mut folded: Vec<String> = names.map(folded).collect();
        folded.sort_unstable();
        folded.dedup();
        let known = known();
        assert_eq!(known.len(), folded.len());
        for names in [NAMES, AMBIGUOUS] {
            for (number, names) in (1..).zip(names) {
                for name in names.split_whitespace() {
                    assert_eq!(
                        month(&name.to_lowercase(), false, false).map(|(found, _)| found),
                        Some(number),
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_also_another_word_needs_a_date_or_a_word_that_leads_to_it() {
        assert_eq!(month("mayo", false, false), Some((5, Needs::Date)));
        assert_eq!(month("mayo", false, true), Some((5, Needs::Nothing)));
        assert_eq!(month("may", false, false), Some((5, Needs::Lead)));
        assert_eq!(month("março", false, false), Some((3, Needs::Nothing)));
        assert_eq!(month("marco", false, true), None);
        assert_eq!(month("ago", false, true), None);
    }
}
