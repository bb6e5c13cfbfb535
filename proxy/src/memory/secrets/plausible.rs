//! What a value has to look like to be a secret where more than a name says so: a password that was typed into a
//! command, one that was told with a verb or a colon or behind a name, codes that open an account once, phrases of
//! words, and the header of HTTP's basic authentication.

use std::ops::Range;

use super::strength::{Makeup, USUAL_EXAMPLES, is_code, is_example, trimmed};

/// What of `value` is a password that was told: letters with digits, or digits alone, and no term, size or example.
pub(super) fn told(value: &[u8]) -> Option<Range<usize>> {
    let secret = trimmed(value);
    let value = value.get(secret.clone()).unwrap_or_default();
    let makeup = Makeup::new(value);
    let is_joined = value.iter().any(|byte| b"-_./:,".contains(byte));
    let is_mixed = makeup.digits > 0 && makeup.lower + makeup.upper > 1;
    let is_chosen = is_mixed && (makeup.symbols > 0 || !is_joined && (makeup.digits > 1 || value.len() >= LONG));
    let is_number = makeup.digits == value.len() && value.len() <= LONGEST_NUMBER && makeup.entropy >= 1.5;
    let is_likely = value.len() >= SHORTEST_TOLD && (is_chosen || is_number);
    let is_other = || value.starts_with(b"/") || is_code(value) || is_stand_in(value) || is_technical(value);
    (is_likely && !is_other()).then_some(secret)
}

/// What of `value`, before which stand a name and a separator, is a password. Before a colon the name may be that
/// of something else, such as `email:`.
pub(super) fn paired(before: &[u8], value: &[u8]) -> Option<Range<usize>> {
    let secret = told(value)?;
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let name = before.strip_suffix(b":").and_then(|before| before.rsplit(|byte| !is_in_name(byte)).next());
    let is_label = name.is_some_and(|name| has_word(LABELS, &name.to_ascii_lowercase()));
    (!is_label && !is_address(value.get(secret.clone()).unwrap_or_default())).then_some(secret)
}

/// Whether a value is an e-mail address, or a user's name at a host with a port or without.
pub(super) fn is_address(value: &[u8]) -> bool {
    let mut parts = value.splitn(2, |byte| *byte == b'@');
    let (Some(name), Some(address)) = (parts.next(), parts.next()) else { return false };
    let mut parts = address.splitn(2, |byte| *byte == b':');
    let (host, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_host = host.first().is_some_and(u8::is_ascii_alphanumeric)
        && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte))
        && port.iter().all(u8::is_ascii_digit);
    let is_short = || {
        let is_plain = |byte: &u8| byte.is_ascii_lowercase() || b"._-".contains(byte);
        name.iter().all(is_plain) && host.first().is_some_and(u8::is_ascii_lowercase)
    };
    !name.is_empty() && is_host && (host.contains(&b'.') || is_short())
}

/// What of `value`, which stands where programs take a password, is one. It may be a word.
pub(super) fn typed(value: &[u8]) -> Option<Range<usize>> {
    let secret = trimmed(value);
    let value = value.get(secret.clone()).unwrap_or_default();
    let is_other = || {
        // With a second `=` the first one compares.
        let is_none = [&b"/"[..], b"./", b"~/", b"-", b"="].iter().any(|start| value.starts_with(start));
        is_none || is_code(value) || is_stand_in(value) || has_word(PROSE, &value.to_ascii_lowercase())
    };
    (value.len() >= SHORTEST_TYPED && !is_other()).then_some(secret)
}

/// What of `value`, a list of what may be codes, are codes: those at its beginning that have digits.
pub(super) fn codes(value: &[u8]) -> Option<Range<usize>> {
    let (mut end, mut first) = (None, None);
    let is_separator = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'-';
    let mut at = 0;
    while let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().take_while(|byte| !is_separator(byte)).count();
        let code = rest.get(..length).unwrap_or_default();
        let is_numbering = length <= 2 && matches!(rest.get(length), Some(b'.' | b')'));
        let is_escape = at > 0 && value.get(at - 1) == Some(&b'\\') && code.starts_with(b"n");
        let letters = code.iter().filter(|byte| **byte != b'-').count();
        if letters >= SHORTEST_CODE_PART && !is_escape {
            let has_digits = code.iter().any(u8::is_ascii_digit) && !is_technical(code);
            // By chance a code may have no digit.
            if !has_digits && !first.is_some_and(|first| is_alike(first, code)) {
                break;
            }
            first.get_or_insert(code);
            end = Some(at + length);
        } else if letters > 0 && !is_numbering && !is_escape {
            break;
        }
        at += length + rest.get(length..).unwrap_or_default().iter().take_while(|byte| is_separator(byte)).count();
    }
    end.map(|end| 0..end)
}

/// Whether two codes have hyphens, and at the same places.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    let is_hyphen = |byte: &u8| *byte == b'-';
    one.contains(&b'-') && one.len() == other.len() && one.iter().map(is_hyphen).eq(other.iter().map(is_hyphen))
}

/// Whether `value` is words that were drawn: none of those that sentences are held together by.
pub(super) fn is_drawn_words(value: &[u8]) -> bool {
    let parts = || value.split(|byte| *byte == b' ' || *byte == b'-').filter(|word| !word.is_empty());
    let is_sentence = parts().any(|word| has_word(SENTENCE_WORDS, word));
    parts().count() >= FEWEST_WORDS && !is_sentence
}

/// What of `value`, words that may be numbered, are those that a wallet draws: all up to one that joins sentences, or
/// that, when they are enough, begins a sentence or has no number while they have.
pub(super) fn seed(value: &[u8]) -> Option<Range<usize>> {
    let at = |range: Range<usize>| value.get(range).unwrap_or_default();
    let is_capital = |word: &Range<usize>| at(word.clone()).first().is_some_and(u8::is_ascii_uppercase);
    let is_numbered = |between: Range<usize>| at(between).iter().any(u8::is_ascii_digit);
    let words: Vec<Range<usize>> = lettered(value).collect();
    let (first, second) = (words.first()?, words.get(1)?);
    let (are_capital, are_numbered) = (is_capital(first), is_numbered(first.end..second.start));
    let (mut count, mut end) = (0, 0);
    for word in words.iter().take(MOST_SEEDS) {
        let is_next = !are_capital && is_capital(word) || are_numbered && !is_numbered(end..word.start);
        let is_over = count >= FEWEST_SEEDS && is_next;
        if is_over || has_word(JOINING_WORDS, &at(word.clone()).to_ascii_lowercase()) {
            break;
        }
        (count, end) = (count + 1, word.end);
    }
    (count >= FEWEST_SEEDS).then_some(0..end)
}

/// The runs of letters, without those of escapes such as \n.
fn lettered(value: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + value.get(at..)?.iter().position(u8::is_ascii_alphabetic)?;
            at = start + value.get(start..)?.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            let is_escape = matches!(value.get(..=start), Some([.., b'\\', b'n' | b'r' | b't']));
            let start = start + usize::from(is_escape);
            if start < at {
                return Some(start..at);
            }
        }
    })
}

/// Whether `value` is a name and a password in Base64, as a header has them.
pub(super) fn is_basic(value: &[u8]) -> bool {
    let (mut bits, mut count, mut decoded) = (0_u32, 0, Vec::new());
    for byte in value.iter().take_while(|byte| **byte != b'=') {
        let Some(digit) = base64_digit(*byte) else { return false };
        bits = ((bits << 6) | u32::from(digit)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.extend(u8::try_from((bits >> count) & 0xff));
        }
    }
    let text = std::str::from_utf8(&decoded).unwrap_or_default();
    let parts = text.split_once(':').is_some_and(|(name, password)| !name.is_empty() && !password.is_empty());
    parts && !text.chars().any(char::is_control)
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Whether a value stands for a secret that is not said: an example, a name of one, or one letter again and again.
fn is_stand_in(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let has = |part: &str| lower.windows(part.len()).any(|found| found == part.as_bytes());
    let is_name = value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
    let is_constant =
        is_name && value.contains(&b'_') && value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let is_usual = has_word(MORE_EXAMPLES, &lower) || USUAL_EXAMPLES.iter().any(|example| example.as_bytes() == lower);
    let is_one = lower.first().is_some_and(|first| lower.iter().all(|byte| byte == first));
    let is_named = || words(NAMES).any(has) || parts_of(value).any(names_secret);
    is_usual || is_one || is_constant || is_name && is_named() || is_example(value)
}

/// The parts of a name, however they are joined: `clientSecret`, `client_secret`, `client-secret`.
fn parts_of(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = |one: &u8, other: &u8| b"_-".contains(one) || one.is_ascii_lowercase() && other.is_ascii_uppercase();
    name.chunk_by(move |one, other| !ends(one, other))
}

/// Whether a part of a name says by itself that a secret is meant, such as `secret`, `mysecret` or `token2`; other words
/// that begin or end so, such as `secretary`, do not.
fn names_secret(part: &[u8]) -> bool {
    let part = part.to_ascii_lowercase();
    let end = part.iter().rev().take_while(|byte| byte.is_ascii_digit() || b"_-".contains(byte)).count();
    let part = part.get(..part.len() - end).unwrap_or_default();
    words(SECRETS).any(|name| {
        let at = part.windows(name.len()).position(|found| found == name.as_bytes());
        at.is_some_and(|at| {
            let before = part.get(..at).unwrap_or_default();
            let behind = part.get(at + name.len()..).unwrap_or_default();
            (before.is_empty() || has_word(BEFORE_SECRETS, before))
                && (behind.is_empty() || has_word(BEHIND_SECRETS, behind))
        })
    })
}

/// Whether a value is a term such as `sha256`, a size such as `12characters` or a version such as `v2beta11`.
fn is_technical(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let digits = lower.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit = lower.get(digits..).unwrap_or_default().split(|byte| *byte == b'-').next().unwrap_or_default();
    let is_size = digits > 0 && has_word(UNITS, unit.strip_suffix(b"s").unwrap_or(unit));
    let is_term = |term: &str| {
        let rest = lower.strip_prefix(term.as_bytes());
        let goes_on = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_alphabetic);
        rest.is_some_and(|rest| !goes_on(rest) || term.ends_with(|last: char| last.is_ascii_digit()))
    };
    is_size || words(TERMS).any(is_term) || lower.strip_prefix(b"v").is_some_and(is_version)
}

/// Whether `rest`, which stands behind a `v`, is numbers with nothing but stages between them.
fn is_version(mut rest: &[u8]) -> bool {
    let has_number = rest.first().is_some_and(u8::is_ascii_digit);
    while let Some((first, behind)) = rest.split_first() {
        let stage = words(STAGES).find_map(|stage| rest.strip_prefix(stage.as_bytes()));
        let is_number = first.is_ascii_digit() || b"._-+".contains(first);
        let Some(next) = stage.or(is_number.then_some(behind)) else { return false };
        rest = next;
    }
    has_number
}

/// The words of a list.
fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split_ascii_whitespace()
}

fn has_word(list: &'static str, value: &[u8]) -> bool {
    words(list).any(|word| word.as_bytes() == value)
}

const SHORTEST_TOLD: usize = 6;
const SHORTEST_TYPED: usize = 4;
const SHORTEST_CODE_PART: usize = 3;
/// One digit does in a value that is as long.
const LONG: usize = 8;
const LONGEST_NUMBER: usize = 16;
const FEWEST_WORDS: usize = 4;
/// Words of the shortest phrase that opens a wallet.
const FEWEST_SEEDS: usize = 12;
/// Most words that a wallet draws (BIP-39).
const MOST_SEEDS: usize = 24;

/// More of what stands for a password in manuals.
const MORE_EXAMPLES: &str = "\
    1234 123456 1234567 123456789 1234567890 abc123 changeit foobar mypass mypw passwort kennwort geheim \
    motdepasse senha clave test123 test1234 wordpress somewordpress";

/// Parts of names that values are given in code and manuals.
const NAMES: &str = "passw passphrase test_ _test testcase";

/// What is one by itself or with the words below, but may be a part of other words.
const SECRETS: &str = "secret token";

/// Words that are written before one of these without anything between them.
const BEFORE_SECRETS: &str = "\
    a access admin an api app auth bearer client db jwt le my our refresh root session shared some super the top \
    user very webhook";

/// Words that are written behind one of these so.
const BEHIND_SECRETS: &str = "here id key keys name pass pw pwd s string text token value";

/// Beginnings of terms that are written as passwords are.
const TERMS: &str = "\
    0x 2fa mfa aes argon2 ascii base16 base32 base58 base64 base85 bcrypt blake blowfish chacha crc des3 ed25519 \
    float hs256 hs384 hs512 http int16 int32 int64 int8 ipv latin md4 md5 ntlm nvarchar oauth pbkdf pkcs \
    poly1305 ripemd rot13 rs256 rsa scrypt sha1 sha2 sha3 sha5 tls1 uint ucs2 utf varchar version web3 windows \
    wpa x509";

/// Stages of versions.
const STAGES: &str = "alpha beta dev final patch post pre preview rc";

/// Beginnings of what is counted.
const UNITS: &str = "\
    attempt bit byte char character day digit hour letter min minute month sec second sign symbol th time week \
    word year zeichen";

/// Words that are written behind an option without being its value.
const PROSE: &str = "\
    accepts allows also and argument arguments asks because been changes command commands creates defines does \
    empty enables error expects expired fails failed false file flag flags from gives have here inline input instead \
    into invalid lets like makes means must need needs none null only option optional options over parameter params \
    passes prints prompt prompts provides reads require required requires reset sets should shows specifies stdin \
    string supports switch takes tells than that then there this tool true undefined used uses using value wants \
    were when where which will with without works would wrong";

/// What is written before a colon without being a user's name.
const LABELS: &str = "\
    account address benutzer benutzername compte correo courriel database db domain e-mail email ftp host \
    hostname http https id identifiant imap ip ldap login mail name nutzer phone port scheme server sftp site \
    smtp ssh telefon tenant uid url user user_name userid username usuario utilisateur website";

/// Words that join sentences, none of which is among the 2,048 of BIP-39, of which wallets make their phrases.
const JOINING_WORDS: &str = "\
    and are been being but could der des does das for from had has her his how its may mit might not nicht our \
    les should some than the their them these those through und was were which while who whose why with without \
    words would your";

/// Words that hold sentences together, none of which is in the usual lists that phrases are drawn from, or hardly.
const SENTENCE_WORDS: &str = "\
    and any are can cannot choose could for from has have its least not passphrase password please random should \
    some something than that the these this was what when which will with word words would you your";
