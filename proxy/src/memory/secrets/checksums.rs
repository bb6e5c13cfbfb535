//! Numbers that prove themselves: payment cards by their last digit, bank accounts by their check digits.

use std::ops::Range;

/// Where the card number that begins at `start` ends, if one does. Its digits may be in the groups that are printed on cards, with one
/// space or hyphen between them.
pub(super) fn card_at(text: &[u8], start: usize) -> Option<usize> {
    if is_within_number(text, start) {
        return None;
    }
    let groups = Groups::new(text, start, u8::is_ascii_digit, MOST_DIGITS);
    let mut digits = Vec::with_capacity(MOST_DIGITS);
    let mut found = None;
    for (number, group) in groups.ranges.iter().enumerate() {
        digits.extend(text.get(group.clone()).unwrap_or_default().iter().map(|digit| digit - b'0'));
        let sizes = groups.sizes(number + 1);
        if ends_here(text, group.end) && is_printed_so(&sizes) && is_issued(&digits) && luhn(&digits) {
            found = Some(group.end);
        }
    }
    found
}

/// Where the IBAN that begins at `start` ends, if one does. It may be written in groups of four.
pub(super) fn iban_at(text: &[u8], start: usize) -> Option<usize> {
    let [one, two, first, second] = *text.get(start..)?.first_chunk()?;
    if !(first.is_ascii_digit() && second.is_ascii_digit()) {
        return None;
    }
    let country = [one.to_ascii_uppercase(), two.to_ascii_uppercase()];
    let (_, length) = COUNTRIES.iter().find(|(code, _)| **code == country)?;
    let groups = Groups::new(text, start, u8::is_ascii_alphanumeric, *length);
    let mut letters = Vec::with_capacity(*length);
    for (number, group) in groups.ranges.iter().enumerate() {
        letters.extend_from_slice(text.get(group.clone()).unwrap_or_default());
        if letters.len() < *length {
            continue;
        }
        let sizes = groups.sizes(number + 1);
        let (last, others) = sizes.split_last()?;
        let in_fours = others.iter().all(|size| *size == 4) && (others.is_empty() || *last <= 4);
        return (letters.len() == *length && in_fours && ends_here(text, group.end) && mod_97(&letters))
            .then_some(group.end);
    }
    None
}

/// Runs of characters with one separator between each two, up to so many characters in all.
struct Groups {
    ranges: Vec<Range<usize>>,
}

impl Groups {
    fn new(text: &[u8], start: usize, belongs: fn(&u8) -> bool, most: usize) -> Self {
        let (mut ranges, mut at, mut count) = (Vec::new(), start, 0);
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let size = rest.iter().take(most + 1).take_while(|byte| belongs(byte)).count();
            count += size;
            if size == 0 || count > most {
                return Self { ranges };
            }
            ranges.push(at..at + size);
            at += size + separator(text.get(at + size..).unwrap_or_default());
        }
    }

    fn sizes(&self, groups: usize) -> Vec<usize> {
        self.ranges.iter().take(groups).map(Range::len).collect()
    }
}

/// Bytes of the separator that a text begins with; 0 for none.
fn separator(text: &[u8]) -> usize {
    const SEPARATORS: [&str; 5] = [" ", "-", "\u{a0}", "\u{202f}", "\u{2011}"];
    SEPARATORS.iter().find(|separator| text.starts_with(separator.as_bytes())).map_or(0, |separator| separator.len())
}

/// Whether what begins at `start` goes on with a number such as 0.4111 or +4111.
fn is_within_number(text: &[u8], start: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).and_then(|at| text.get(at)).copied();
    match before(1) {
        Some(b'+' | b'_') => true,
        Some(b'.' | b',' | b'-' | b'/') => before(2).is_some_and(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// Whether nothing goes on at `end`, such as a word or the decimals of a number.
fn ends_here(text: &[u8], end: usize) -> bool {
    let after = |on: usize| text.get(end + on).copied();
    match after(0) {
        Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => false,
        Some(b'.' | b',') => !after(1).is_some_and(|byte| byte.is_ascii_digit()),
        _ => true,
    }
}

/// Digits of the longest card number.
const MOST_DIGITS: usize = 19;

/// Whether digits are grouped as on a card: not at all, in fours, in halves, or as those of American Express and Diners Club are.
fn is_printed_so(sizes: &[usize]) -> bool {
    match sizes {
        [_] | [8, 8] | [4, 6, 4 | 5] => true,
        [fours @ .., last] => fours.len() >= 3 && fours.iter().all(|size| *size == 4) && *last <= 4,
        [] => false,
    }
}

/// Whether a network issues numbers of this length that begin so.
fn is_issued(digits: &[u8]) -> bool {
    let head = |count: usize| digits.iter().take(count).fold(0_u32, |head, digit| head * 10 + u32::from(*digit));
    NETWORKS.iter().any(|(heads, lengths)| {
        let size = heads.start().ilog10() as usize + 1;
        lengths.contains(&digits.len()) && heads.contains(&head(size))
    })
}

type Network = (std::ops::RangeInclusive<u32>, std::ops::RangeInclusive<usize>);

/// The numbers that the networks' cards begin with, and how long they are.
const NETWORKS: [Network; 20] = [
    // Visa.
    (4..=4, 13..=13),
    (4..=4, 16..=16),
    (4..=4, 19..=19),
    // Mastercard.
    (51..=55, 16..=16),
    (2221..=2720, 16..=16),
    // American Express.
    (34..=34, 15..=15),
    (37..=37, 15..=15),
    // Discover.
    (6011..=6011, 16..=19),
    (644..=649, 16..=19),
    (65..=65, 16..=19),
    // Diners Club.
    (300..=305, 14..=19),
    (36..=36, 14..=19),
    (38..=39, 16..=19),
    // JCB.
    (3528..=3589, 16..=19),
    // UnionPay.
    (62..=62, 16..=19),
    // Maestro, Mir and RuPay.
    (5018..=5018, 16..=19),
    (6759..=6763, 16..=19),
    (2200..=2204, 16..=19),
    (60..=60, 16..=16),
    (81..=82, 16..=16),
];

/// Whether the last digit is the check digit of the others, after Luhn.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let weighed = digits.iter().rev().enumerate().map(|(at, digit)| {
        let digit = u32::from(*digit);
        if at % 2 == 1 { doubled(digit) } else { digit }
    });
    let is_one_digit = digits.iter().all(|digit| Some(digit) == digits.first());
    weighed.sum::<u32>() % 10 == 0 && !is_one_digit
}

/// Whether an IBAN's check digits are right: with its first four characters at its end, and letters as numbers from 10 on, it leaves
/// 1 when divided by 97.
fn mod_97(letters: &[u8]) -> bool {
    let (head, account) = letters.split_at(letters.len().min(4));
    let remainder = account.iter().chain(head).fold(0_u32, |remainder, letter| match letter {
        b'0'..=b'9' => (remainder * 10 + u32::from(letter - b'0')) % 97,
        _ => (remainder * 100 + u32::from(letter.to_ascii_uppercase().saturating_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}

/// The countries of the IBAN registry, and the length of their numbers.
const COUNTRIES: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];
