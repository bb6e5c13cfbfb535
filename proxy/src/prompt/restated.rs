//! Whether a message says what a known turn said, but for a clock in it or for documents beside it.
//!
//! Some clients write the date and the time into a message that they send again and again. It is one turn then. Others
//! send a question with documents once and without them later. Whoever edits a message says something else.

use crate::memory::recall::dates;

/// Whether two texts differ, in one place, by nothing but a date or the time of day.
pub(super) fn is_restated(known: &str, new: &str) -> bool {
    let (known, new) = differing(known, new);
    let is_short = |text: &str| text.len() <= LONGEST_CLOCK;
    is_short(known) && is_short(new) && ((is_clock(known) && is_clock(new)) || is_unix_clock(known, new))
}

/// Whether two texts are the same, or differ by a clock, or one is the other with something before or behind it, such as documents.
pub(super) fn says_again(known: &str, new: &str) -> bool {
    known == new || is_restated(known, new) || is_part(known, new) || is_part(new, known)
}

/// Whether a text is in a longer one with something before or behind it, in lines of its own, or behind a label: whoever goes on in
/// the same line says something else. A short one, such as "ok", needs more than a line of its own.
pub(super) fn is_part(part: &str, whole: &str) -> bool {
    let (part, whole) = (part.trim(), whole.trim());
    if part.is_empty() || part.len() > whole.len() {
        return false;
    }
    let is_apart = |at: usize| {
        let before = whole.get(..at).unwrap_or_default();
        let after = whole.get(at + part.len()..).unwrap_or_default();
        if part.len() < SHORTEST_PART { is_short_apart(before, after) } else { is_long_apart(before, after) }
    };
    let last = whole.strip_suffix(part).map(str::len);
    whole.match_indices(part).take(MOST_PLACES).map(|(at, _)| at).chain(last).any(is_apart)
}

/// Whether a short text is apart from what is before and behind it.
fn is_short_apart(before: &str, after: &str) -> bool {
    let is_blank = |line: &str| line.trim().is_empty();
    match (before.is_empty(), after.is_empty()) {
        (true, true) => true,
        (false, true) => {
            before.rsplit('\n').take(2).all(is_blank) || is_behind_label_line(before) || is_behind_mark(before)
        }
        (true, false) => after.split('\n').take(2).all(is_blank),
        (false, false) => is_question_in_tag(before, after),
    }
}

/// Whether a text is in a tag as a question is: all of it and nothing else, with something beside the tag.
pub(super) fn is_question_in_tag(before: &str, after: &str) -> bool {
    tag_around(before, after).is_some_and(|tag| {
        let is_of_question = OF_QUESTIONS.iter().any(|word| tag.name.to_lowercase().contains(word));
        is_of_question && !(tag.before.trim().is_empty() && tag.after.trim().is_empty())
    })
}

/// Whether a text ends with a line that is nothing but a mark.
pub(super) fn is_behind_mark(text: &str) -> bool {
    let lines = text.trim_end_matches([' ', '\t']).strip_suffix('\n').map(str::trim_end);
    lines.is_some_and(|lines| is_mark(lines.rsplit('\n').next().unwrap_or_default()))
}

/// Whether a line ends documents or begins them: the end of a tag, a fence, a rule, a heading. Few people write one
/// beside what they say.
pub(super) fn is_mark(line: &str) -> bool {
    let line = line.trim();
    let is_rule = line.len() >= SHORTEST_RULE && line.chars().all(|sign| OF_RULES.contains(sign));
    let is_in = |open: char, close: char| line.starts_with(open) && line.ends_with(close);
    let ends_tag = line.ends_with('>') && line.rsplit_once('<').is_some_and(|(_, tag)| tag.starts_with('/'));
    let is_heading = line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
    is_rule || is_in('<', '>') || is_in('[', ']') || ends_tag || is_heading
}

/// The same for a longer one. In its line it may be behind the end of a sentence and a label, as in `Use all of this. Question: `.
fn is_long_apart(before: &str, after: &str) -> bool {
    let is_behind_label = after.is_empty() && before.trim_end_matches(' ').ends_with(COLONS);
    let begins_apart = before.is_empty() || is_head_of_line(before) || is_behind_label;
    let ends_apart = after.is_empty() || after.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
    (begins_apart && ends_apart) || tag_around(before, after).is_some()
}

/// Whether a text ends with a line break, or with a label in a line of its own, as in `Question: `.
fn is_head_of_line(text: &str) -> bool {
    let label = text.rsplit_once('\n').map(|(_, line)| line.trim());
    label.is_some_and(|label| label.is_empty() || is_label(label))
}

/// Whether a text ends with a label in a line of its own, perhaps with line breaks behind it.
fn is_behind_label_line(text: &str) -> bool {
    text.trim_end().rsplit_once('\n').is_some_and(|(_, line)| is_label(line.trim()))
}

pub(super) fn is_label(line: &str) -> bool {
    line.len() <= LONGEST_LABEL && line.ends_with(COLONS)
}

/// A tag, with what is before it and behind its end.
pub(super) struct Tag<'a> {
    name: &'a str,
    before: &'a str,
    after: &'a str,
}

/// The tag of which what is between two texts is all that it is around.
pub(super) fn tag_around<'a>(before: &'a str, after: &'a str) -> Option<Tag<'a>> {
    let (before, opened) = before.trim_end().strip_suffix('>')?.rsplit_once('<')?;
    let name = opened.split_whitespace().next()?;
    let after = after.trim_start().strip_prefix("</")?.strip_prefix(name)?.trim_start().strip_prefix('>')?;
    Some(Tag { name, before, after })
}

/// What labels end with.
pub(super) const COLONS: [char; 2] = [':', '：'];
/// Words in the names of tags that clients put around a question.
const OF_QUESTIONS: [&str; 8] = ["query", "question", "prompt", "request", "message", "input", "user", "task"];
/// Bytes of the longest date and time.
const LONGEST_CLOCK: usize = 120;
/// Bytes of a text from which on a line of its own is enough. Many messages begin with "ok" or end with "thanks".
pub(super) const SHORTEST_PART: usize = 12;
/// Bytes of what stands in front of a question in its line.
const LONGEST_LABEL: usize = 40;
/// Places of a text in a longer one that are looked at.
pub(super) const MOST_PLACES: usize = 16;
/// What rules and fences are made of.
const OF_RULES: &str = "`-=*_#~+";
/// Bytes of the shortest rule.
const SHORTEST_RULE: usize = 3;

/// What is left of two texts without the signs with which both begin and end. Nothing that may be of one date is taken apart.
fn differing<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = |pair: &((usize, char), char)| pair.0.1 == pair.1;
    let head = one.char_indices().zip(other.chars()).take_while(same).last();
    let head = head.map_or(0, |((at, sign), _)| at + sign.len_utf8());
    let head = one.get(..head).and_then(|text| text.char_indices().rfind(|(_, sign)| !is_of_clocks(*sign)));
    let head = head.map_or(0, |(at, sign)| at + sign.len_utf8());
    let head = beginning_of_clock(one, head);
    let (one, other) = (one.get(head..).unwrap_or_default(), other.get(head..).unwrap_or_default());
    let back = one.chars().rev().zip(other.chars().rev()).take_while(|(left, right)| left == right);
    let tail: usize = back.map(|(sign, _)| sign.len_utf8()).sum();
    let end = one.get(one.len() - tail..).and_then(|text| text.find(|sign| !is_of_clocks(sign)));
    let tail = end.map_or(0, |at| tail - at);
    (one.get(..one.len() - tail).unwrap_or_default(), other.get(..other.len() - tail).unwrap_or_default())
}

/// Where the date begins of which the word at `at` may be a part: `10시 01분` is two words.
fn beginning_of_clock(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default().trim_end_matches(' ');
    let begin = before.char_indices().rfind(|(_, sign)| !is_of_clocks(*sign));
    let begin = begin.map_or(0, |(at, sign)| at + sign.len_utf8());
    let word = before.get(begin..).unwrap_or_default();
    let is_counted = EastAsianClock::read(word).is_some_and(|clock| clock.counted > 0);
    if is_counted && begin < at { beginning_of_clock(text, begin) } else { at }
}

/// Whether a sign may stand in a date or a time of day that is written in one word. Chinese and Japanese put no space around one.
fn is_of_clocks(sign: char) -> bool {
    let is_east_asian = sign >= FIRST_EAST_ASIAN;
    (sign.is_alphanumeric() && !is_east_asian)
        || (is_east_asian && (UNITS.contains(sign) || BESIDE_UNITS.contains(sign)))
        || matches!(sign, ':' | '-' | '.' | '/' | '+')
}

/// Where the signs of East Asian scripts begin.
const FIRST_EAST_ASIAN: char = '\u{2E80}';
/// What stands behind numbers in East Asian dates and times.
const UNITS: &str = "年月日時时點点分秒년월일시분초";
/// What stands in them besides: halves of the day and days of the week.
const BESIDE_UNITS: &str = "午前後上下曜火水木金土星期周一二三四五六오전후화수목금토요";

/// Whether a text is a date or a time of day and nothing else.
fn is_clock(text: &str) -> bool {
    let (mut tells, mut counted) = (false, 0);
    for word in text.split(|sign: char| sign.is_whitespace() || BETWEEN.contains(sign)) {
        let word = word.trim_matches(|sign: char| !sign.is_alphanumeric());
        if word.is_empty() {
            continue;
        }
        let east_asian = EastAsianClock::read(word);
        let of_time = is_time_of_day(word) || is_date(word);
        let of_calendar = dates::is_calendar_word(word);
        if !of_time && !of_calendar && east_asian.is_none() && !is_small_number(word) {
            return false;
        }
        let east_asian = east_asian.unwrap_or_default();
        tells |= of_time || of_calendar || east_asian.is_time;
        counted += east_asian.counted;
    }
    // One number alone may be how long something takes.
    tells || counted >= 2
}

/// What stands between the words of a date.
const BETWEEN: &str = "(),[]（）、，";

/// What `2026年11月30日10時01分`, `午後3:15` or `월요일` says of time.
#[derive(Debug, Default, Clone, Copy)]
struct EastAsianClock {
    /// Numbers with the unit that they count.
    counted: usize,
    /// Whether there is a date or a time of day without units.
    is_time: bool,
}

impl EastAsianClock {
    /// `None` for a word that is not made of numbers, units, halves of the day and days of the week alone.
    fn read(word: &str) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            if !first.is_numeric() {
                rest = rest.strip_prefix(|sign| UNITS.contains(sign) || BESIDE_UNITS.contains(sign))?;
                continue;
            }
            let (number, behind) = rest.split_at(rest.find(|sign| sign >= FIRST_EAST_ASIAN).unwrap_or(rest.len()));
            if is_time_of_day(number) || is_date(number) {
                found.is_time = true;
            } else if number.bytes().all(|byte| byte.is_ascii_digit())
                && behind.starts_with(|sign| UNITS.contains(sign))
            {
                found.counted += 1;
            } else {
                return None;
            }
            rest = behind;
        }
        Some(found)
    }
}

/// Whether two texts are seconds or milliseconds since 1970, some days apart: it is years ahead that numbers of another kind are.
fn is_unix_clock(known: &str, new: &str) -> bool {
    let seconds = |text: &str| -> Option<u64> {
        let text = text.trim_matches(|sign: char| !sign.is_ascii_digit());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_fraction = fraction.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = whole.parse().ok().filter(|_| is_fraction)?;
        let seconds = match whole.len() {
            10 => number,
            13 => number / 1000,
            _ => return None,
        };
        UNIX_TIMES.contains(&seconds).then_some(seconds)
    };
    match (seconds(known), seconds(new)) {
        (Some(known), Some(new)) => known.abs_diff(new) <= LONGEST_CHAT,
        _ => false,
    }
}

/// Seconds since 1970 that are taken for clocks: from 2020 to 2039.
const UNIX_TIMES: std::ops::Range<u64> = 1_577_836_800..2_208_988_800;
/// Seconds between the first and the last time that a chat's first message is sent.
const LONGEST_CHAT: u64 = 31 * 86_400;

/// `14:03`, `14:03:22.5Z`, `9:05pm`, `14:03:22-05:00`.
fn is_time_of_day(word: &str) -> bool {
    let end = word.find(|sign: char| sign.is_alphabetic() || matches!(sign, '+' | '-')).unwrap_or(word.len());
    let (digits, zone) = word.split_at(end);
    let parts: Vec<&str> = digits.split(':').collect();
    let is_number = |part: &&str| part.chars().next().is_some_and(|sign| sign.is_ascii_digit());
    zone.len() <= 6 && (2..=3).contains(&parts.len()) && parts.iter().all(is_number)
}

/// `2026-11-30`, `30.11.2026`, `2026年11月30日`, each perhaps with a time of day behind it.
fn is_date(word: &str) -> bool {
    let (date, time) = word.split_once(['T', '日', '일']).unwrap_or((word, ""));
    let parts: Vec<&str> =
        date.split(['-', '/', '.', '年', '月', '년', '월']).filter(|part| !part.is_empty()).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let is_date = numbers.len() == 3 && parts.len() == 3 && numbers.iter().any(|number| (1900..2200).contains(number));
    is_date && (time.is_empty() || is_time_of_day(time))
}

/// A day or a year, perhaps as an ordinal.
fn is_small_number(word: &str) -> bool {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let ending = word.len() - digits.len();
    !digits.is_empty() && digits.len() <= 4 && ending <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_whose_clock_has_gone_on_says_what_it_said() {
        for (known, new) in [
            ("It is 14:03. Where is the cat?", "It is 14:04. Where is the cat?"),
            (
                "Now: 2026-11-30T14:03:22Z\nYou are talking to Ann.",
                "Now: 2026-12-01T09:10:00Z\nYou are talking to Ann.",
            ),
            ("[Monday, 30 November 2026, 2:03 pm] hello there", "[Tuesday, 1 December 2026, 11:40 am] hello there"),
            ("Current time: 2026-11-30T14:03:22.51-05:00", "Current time: 2026-12-01T09:10:00.07-05:00"),
            ("Datum: 30.11.2026 14:03", "Datum: 01.12.2026 09:10"),
            ("現在 2026年11月30日14:03 です", "現在 2026年12月1日09:10 です"),
            ("Today is Nov 30th, 2026.", "Today is Dec 1st, 2026."),
            ("Now it is (Monday, November 30, 2026 at 10:01 AM)", "Now it is (Tuesday, December 1, 2026 at 9:11 PM)"),
            ("Jetzt ist es 30.11.2026, 10:01 Uhr", "Jetzt ist es 01.12.2026, 11:12 Uhr"),
            ("2026年11月30日 10時01分 私はエリンです。", "2026年11月30日 10時02分 私はエリンです。"),
            ("2026年11月30日(月)午前10時01分、エリンです。", "2026年12月1日(火)午後3時15分、エリンです。"),
            ("現在の時刻は10:01です。私はエリンです。", "現在の時刻は10:02です。私はエリンです。"),
            ("今日10:01です", "今日11:02です"),
            ("현재 시각은 10시 01분입니다.", "현재 시각은 10시 02분입니다."),
            ("지금은 2026년 11월 30일 10시 01분입니다.", "지금은 2026년 12월 1일 11시 02분입니다."),
            ("I am Erin. 1796036001", "I am Erin. 1796036002"),
            ("now=1796036001.25; I am Erin", "now=1796039002.5; I am Erin"),
            ("[1796036001000] I am Erin", "[1796036002123] I am Erin"),
        ] {
            assert!(is_restated(known, new), "{new}");
            assert!(is_restated(new, known), "{known}");
        }
    }

    #[test]
    fn an_edited_message_says_something_else() {
        for (known, new) in [
            ("My budget is 300 euros.", "My budget is 500 euros."),
            ("At 14:03 I met Bob.", "At 15:10 I saw Ann."),
            ("We use version 1.2.3.", "We use version 1.2.4."),
            ("It is 14:03.", "It is 14:03. And I like figs."),
            ("I like figs", "I like dates"),
            ("same", "same"),
            ("三日かかります", "五日かかります"),
            ("3日かかります", "5日かかります"),
            ("予算は300円です", "予算は500円です"),
            ("Call 5550136001", "Call 5550136002"),
            ("I earn 1500000000 won", "I earn 2100000000 won"),
            ("id 1796036001", "id 1999999999"),
        ] {
            assert!(!is_restated(known, new), "{new}");
        }
    }

    #[test]
    fn a_question_with_documents_says_what_it_says_without_them() {
        for (known, new) in [
            ("Use this: the museum opens at ten.\n\nWhen does it open?", "When does it open?"),
            ("Context:\n- one\n- two\nQuestion: Where is the cat now?", "Where is the cat now?"),
            ("Where is the cat now?\n\nDocuments:\n- one\n- two", "Where is the cat now?"),
            (
                "[docs]\nPlease tell me where the cat of my sister sleeps.\n[end]",
                "Please tell me where the cat of my sister sleeps.",
            ),
            ("Use this: the museum opens at ten.\n\nAnd then?", "And then?"),
            ("Context:\n- one\n- two\nQuestion: Why?", "Why?"),
            ("文書: 一つ\n質問：なぜ？", "なぜ？"),
            ("Why?\n\nDocuments:\n- one\n- two", "Why?"),
            ("Why?\r\n\r\nDocuments:\r\n- one", "Why?"),
            ("Context:\n- one\nQuestion:\nWhy?", "Why?"),
            ("Answer.\n<Question lang=\"en\">Why?</Question>", "Why?"),
            ("Why?\n", "Why?"),
            ("<context>\nThe sky is high.\n</context>\nWhy?", "Why?"),
            ("Attached:\n```md\nThe sky is high.\n```\nWhy?", "Why?"),
            ("<context>\nThe sky is high.\n</context>\n\n<user_query>\nWhy?\n</user_query>\n", "Why?"),
            ("<docs>one</docs><query>Why is the sky red?</query>", "Why is the sky red?"),
            ("Use everything in <context></context> when answering. User: Why is the sky red?", "Why is the sky red?"),
            ("Answer this: Where is the cat now?", "Where is the cat now?"),
            ("Context:\n- one\nQuestion: Where is the cat?\n\nHelpful answer:", "Where is the cat?"),
            ("Where is the cat?\r\n\r\nDocuments:\r\n- one", "Where is the cat?"),
            ("It is 14:03. Where is the cat?", "It is 14:04. Where is the cat?"),
            ("the same words", "the same words"),
        ] {
            assert!(says_again(known, new), "{new}");
            assert!(says_again(new, known), "{known}");
        }
    }

    #[test]
    fn messages_of_different_chats_do_not_say_each_other_again() {
        for (known, new) in [
            ("Here is a document: Contract with Brandt.", "Here is a document: Minutes of the choir."),
            ("Draft a note to my boss, please. I resign.", "Draft a note to my landlord, please."),
            ("Where is the cat now? And the dog?", "Where is the cat now?"),
            ("Where is the cat now? (phone)", "Where is the cat now?"),
            (
                "Why does the sky turn red in the evening, please? (phone)",
                "Why does the sky turn red in the evening, please?",
            ),
            ("(phone) Why does the sky turn red in the evening?", "Why does the sky turn red in the evening?"),
            ("I like figs. Where is the cat now?", "Where is the cat now?"),
            ("One\nthanks\ntwo", "thanks"),
            ("I like figs. OK, thanks", "thanks"),
            ("I like figs.\nOK, thanks", "thanks"),
            ("Answer this: thanks", "thanks"),
            ("My order is 4711\nok", "ok"),
            ("My order is 4711\r\nthanks", "thanks"),
            ("ok\nmy card ends 4711", "ok"),
            ("thanks\r\nmy address is Elm Street 5", "thanks"),
            ("My order:\nok", "ok"),
            ("<td>ok</td>", "ok"),
            ("<tr><td>4711</td><td>ok</td></tr>", "ok"),
            ("<query>ok</query>", "ok"),
            ("My order is 4711 <query>ok</td>", "ok"),
            ("My order is 4711 > ok </b>", "ok"),
            ("Somewhere is the cat now?", "where is the cat now?"),
            ("", "Hello there, my friend"),
        ] {
            assert!(!says_again(known, new), "{new}");
            assert!(!says_again(new, known), "{known}");
        }
    }
}
