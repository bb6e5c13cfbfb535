//! Dates in Chinese, Japanese and Korean, which stand in a text without spaces around them.

use chrono::NaiveDate;

use super::calendar::Unit;
use super::months::Needs;
use super::word::{Reading, Word, is_year};

/// A stretch of a line.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// Text without such dates.
    Text(&'a str),
    /// What a date consists of.
    Words(Vec<Word>),
}

const DIGITS: [char; 10] = ['〇', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
const TEN: char = '十';
const YEARS: [char; 2] = ['年', '년'];
const MONTHS: [char; 2] = ['月', '월'];
const DAYS: [char; 4] = ['日', '号', '號', '일'];
/// After "month" it is a length of time.
const LENGTHS: [char; 2] = ['间', '間'];

const YESTERDAY: &[Word] = &[Word::Yesterday];
const BEFORE_YESTERDAY: &[Word] = &[Word::Unit(Unit::Day), Word::Before, Word::Yesterday];
const TODAY: &[Word] = &[Word::Today];
const LAST_WEEK: &[Word] = &[Word::Last, Word::Unit(Unit::Week)];
const LAST_MONTH: &[Word] = &[Word::Last, Word::Unit(Unit::Month)];
const LAST_YEAR: &[Word] = &[Word::Last, Word::Unit(Unit::Year)];
const THIS_WEEK: &[Word] = &[Word::This, Word::Unit(Unit::Week)];
const THIS_MONTH: &[Word] = &[Word::This, Word::Unit(Unit::Month)];
const THIS_YEAR: &[Word] = &[Word::This, Word::Unit(Unit::Year)];

/// Words that count from today, longer ones before what they hold.
const RELATIVE: [(&str, &[Word]); 36] = [
    ("一昨日", BEFORE_YESTERDAY),
    ("前天", BEFORE_YESTERDAY),
    ("그저께", BEFORE_YESTERDAY),
    ("昨天", YESTERDAY),
    ("昨日", YESTERDAY),
    ("어제", YESTERDAY),
    ("今天", TODAY),
    ("今日", TODAY),
    ("오늘", TODAY),
    ("上个星期", LAST_WEEK),
    ("上個星期", LAST_WEEK),
    ("上星期", LAST_WEEK),
    ("上周", LAST_WEEK),
    ("上週", LAST_WEEK),
    ("先週", LAST_WEEK),
    ("지난주", LAST_WEEK),
    ("上个月", LAST_MONTH),
    ("上個月", LAST_MONTH),
    ("上月", LAST_MONTH),
    ("先月", LAST_MONTH),
    ("지난달", LAST_MONTH),
    ("去年", LAST_YEAR),
    ("昨年", LAST_YEAR),
    ("작년", LAST_YEAR),
    ("这周", THIS_WEEK),
    ("這週", THIS_WEEK),
    ("本周", THIS_WEEK),
    ("今週", THIS_WEEK),
    ("这个月", THIS_MONTH),
    ("這個月", THIS_MONTH),
    ("本月", THIS_MONTH),
    ("今月", THIS_MONTH),
    ("이번 달", THIS_MONTH),
    ("今年", THIS_YEAR),
    ("올해", THIS_YEAR),
    ("이번 주", THIS_WEEK),
];

/// Characters behind which what looks like one of these words is another: 以上月薪 is a salary, 上上周 the week before last, 大前天 the
/// day before 前天.
const BEHIND_OTHERS: [(char, &str); 6] = [
    ('上', "上以马馬晚早网網线線加"),
    ('本', "日基根样樣版成剧劇书書"),
    ('前', "大以之目先从從提向"),
    ('昨', "一昨"),
    ('去', "过過回出"),
    ('今', "如当當现現古"),
];
/// What makes another word of 周 or 週, such as a cycle, an anniversary or the surroundings.
const AFTER_WEEK: &str = "围圍边邊期年刊遭转轉折杰";

/// The stretches of a line, in order.
pub(super) fn parts(line: &str, reading: Reading) -> Vec<Part<'_>> {
    if line.is_ascii() {
        return vec![Part::Text(line)];
    }
    let (mut parts, mut begun, mut at, mut before) = (Vec::new(), 0, 0, None);
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let is_inside = before.is_some_and(is_digit);
        let is_sure = |length: usize| reading == Reading::Likely || is_word(before, rest, length);
        let found = relative(rest).filter(|(_, length)| is_sure(*length)).or_else(|| date(rest).filter(|_| !is_inside));
        let Some((words, length)) = found else {
            before = rest.chars().next();
            at += before.map_or(1, char::len_utf8);
            continue;
        };
        parts.push(Part::Text(line.get(begun..at).unwrap_or_default()));
        parts.push(Part::Words(words));
        at += length;
        (begun, before) = (at, None);
    }
    parts.push(Part::Text(line.get(begun..).unwrap_or_default()));
    parts.retain(|part| *part != Part::Text(""));
    parts
}

/// The words of a time that counts from today at the beginning of a text, and its bytes.
fn relative(text: &str) -> Option<(Vec<Word>, usize)> {
    let (name, words) = RELATIVE.iter().find(|(name, _)| text.starts_with(name))?;
    Some((words.to_vec(), name.len()))
}

/// Whether what a text begins with stands there as a word of its own, as far as what is around it tells.
fn is_word(before: Option<char>, text: &str, length: usize) -> bool {
    let (word, after) = text.split_at_checked(length).unwrap_or((text, ""));
    let first = word.chars().next();
    let is_other = |before: char| match first {
        Some(first) if is_hangul(first) => is_hangul(before),
        first => BEHIND_OTHERS.iter().any(|(known, behind)| Some(*known) == first && behind.contains(before)),
    };
    let is_week = word.ends_with(['周', '週']);
    let goes_on = is_week && after.starts_with(|after| AFTER_WEEK.contains(after));
    !(goes_on || before.is_some_and(is_other))
}

fn is_hangul(character: char) -> bool {
    ('가'..='힣').contains(&character)
}

/// The words of a date at the beginning of a text, and its bytes.
fn date(text: &str) -> Option<(Vec<Word>, usize)> {
    let year = counted(text, &YEARS).filter(|(year, _)| is_year(*year));
    let after_year = year.map_or(0, |(_, length)| length);
    let month = following(text, after_year, &MONTHS).filter(|(month, _)| (1..=12).contains(month));
    let after_month = month.map_or(after_year, |(_, end)| end);
    let is_length = text.get(after_month..).is_some_and(|rest| rest.starts_with(LENGTHS));
    let day = month.and_then(|_| following(text, after_month, &DAYS)).filter(|(day, _)| (1..=31).contains(day));
    match (year, month, day) {
        (Some((year, _)), Some((month, _)), Some((day, end))) => {
            let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?;
            Some((vec![Word::Exact(Unit::Day.around(date)?)], end))
        }
        (Some((year, _)), Some((month, end)), None) => {
            let first = NaiveDate::from_ymd_opt(year.into(), month.into(), 1)?;
            Some((vec![Word::Exact(Unit::Month.around(first)?)], end))
        }
        (Some((year, end)), None, _) => Some((vec![Word::Digits(year)], end)),
        (None, Some((month, _)), Some((day, end))) => Some((vec![named(month), Word::Digits(day)], end)),
        (None, Some((month, end)), None) if !is_length => Some((vec![named(month)], end)),
        _ => None,
    }
}

fn named(month: u16) -> Word {
    Word::Month { number: month.into(), needs: Needs::Nothing }
}

/// A number with one of these units, behind spaces at a place, and where it ends.
fn following(text: &str, at: usize, units: &[char]) -> Option<(u16, usize)> {
    let rest = text.get(at..)?;
    let spaces = rest.len() - rest.trim_start_matches(' ').len();
    let (number, length) = counted(rest.get(spaces..)?, units)?;
    Some((number, at + spaces + length))
}

/// The number at the beginning of a text and the bytes up to the end of the unit behind it, if that is one of these.
fn counted(text: &str, units: &[char]) -> Option<(u16, usize)> {
    let end = text.find(|character| !is_digit(character)).unwrap_or(text.len());
    let number = number(text.get(..end)?)?;
    let rest = text.get(end..)?;
    let unit = rest.trim_start_matches(' ');
    let unit_length = unit.chars().next().filter(|unit| units.contains(unit))?.len_utf8();
    Some((number, end + rest.len() - unit.len() + unit_length))
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit() || character == TEN || DIGITS.contains(&character)
}

/// A number of one to four digits, or one up to 99 in words.
fn number(text: &str) -> Option<u16> {
    let digit = |character: char| {
        let own = DIGITS.iter().position(|known| *known == character);
        character.to_digit(10).or_else(|| own.and_then(|own| u32::try_from(own).ok()))
    };
    let count = text.chars().count();
    if count == 0 || count > 4 {
        return None;
    }
    let value = match text.split_once(TEN) {
        None => text.chars().try_fold(0, |sum, character| Some(sum * 10 + digit(character)?))?,
        Some((tens, ones)) => {
            let single = |text: &str, empty: u32| match (text.chars().next(), text.chars().nth(1)) {
                (None, _) => Some(empty),
                (Some(one), None) => digit(one),
                _ => None,
            };
            single(tens, 1)? * 10 + single(ones, 0)?
        }
    };
    u16::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_in_digits_and_in_words() {
        for (text, expected) in [
            ("7", Some(7)),
            ("2023", Some(2023)),
            ("二〇二三", Some(2023)),
            ("十", Some(10)),
            ("十二", Some(12)),
            ("二十", Some(20)),
            ("三十一", Some(31)),
            ("十十", None),
            ("", None),
            ("20231", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn a_date_is_cut_out_of_the_text_around_it() {
        let parts = parts("我5月7日去了", Reading::Likely);
        assert_eq!(parts, [Part::Text("我"), Part::Words(vec![named(5), Word::Digits(7)]), Part::Text("去了")]);
    }

    proptest! {
        #[test]
        fn the_text_around_dates_is_kept(text in "[我去了0-9一二十年月日 ]{0,30}") {
            let kept: usize = parts(&text, Reading::Likely)
                .iter()
                .map(|part| if let Part::Text(text) = part { text.len() } else { 0 })
                .sum();
            prop_assert!(kept <= text.len());
        }
    }
}
