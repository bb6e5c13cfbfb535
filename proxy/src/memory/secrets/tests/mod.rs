//! No secret passes, and nothing else is touched: on drawn secrets, on texts that look like some, on any text, and on what people said.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "the figures are to be seen")]

mod places;
mod programs;
mod recorded;
mod shapes;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::select;

use self::shapes::{Made, made};
use super::Masker;
use super::rules;
use crate::config::{MemoryConfig, SecretKind};

static MASKER: LazyLock<Masker> = LazyLock::new(|| Masker::new(&MemoryConfig::default()).unwrap());
static MADE: LazyLock<Vec<Made>> = LazyLock::new(|| made(SEED, 3));

const SEED: u64 = 0x6d61_696e_706f_696e;

/// What people say a secret in; `{}` is its place.
const SENTENCES: [&str; 9] = [
    "{}",
    "Here it is: {} and thanks for your help.",
    "I have put it into the file ({}), but it does not work.",
    "Could you try this one?\n\n    {}\n\nIt worked yesterday.",
    "It says \"{}\" there.",
    "Please use {}.",
    "Mein Kollege schickte mir gestern {}, geht das noch?",
    "请帮我看看这个：{}，谢谢！",
    "{{\"note\": \"line one\\n{}\"}}",
];

fn said(sentence: &str, secret: &str) -> String {
    sentence
        .replace("{{", "\u{1}")
        .replace("}}", "\u{2}")
        .replace("{}", secret)
        .replace('\u{1}', "{")
        .replace('\u{2}', "}")
}

fn masked(text: &str) -> String {
    MASKER.mask(text).text.into_owned()
}

#[test]
fn no_drawn_secret_passes_in_any_sentence_and_the_rest_stays_byte_for_byte() {
    let kinds: BTreeSet<SecretKind> = MADE.iter().map(|made| made.kind).collect();
    assert!(kinds.len() >= 40 && MADE.len() >= 200, "{} secrets of {} kinds", MADE.len(), kinds.len());
    assert_eq!(kinds.len(), SecretKind::ALL.len(), "every kind has a shape that is tried");
    let mut wrong = Vec::new();
    for made in MADE.iter() {
        for sentence in SENTENCES {
            let (text, expected) = (said(sentence, &made.text()), said(sentence, &made.masked()));
            let found = MASKER.mask(&text);
            if found.text != expected || found.kinds != [made.kind] {
                wrong.push(format!("{text}\n  gave {}", found.text));
            }
        }
    }
    println!(
        "{} secrets of {} kinds in {} sentences each, {} wrong",
        MADE.len(),
        kinds.len(),
        SENTENCES.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_a_command_with_many_passwords_none_passes() {
    for (command, option) in [("curl", "-u ann:"), ("curl", "--user=ann:"), ("sshpass", "-p "), ("mysql", "-p")] {
        let arguments = (0..40).map(|number| format!(" {option}'S3cr{number}' host{number}"));
        let found = masked(&format!("{command}{}", arguments.collect::<String>()));
        assert!(!found.contains("S3cr") && found.contains("host39"), "{found}");
    }
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    for text in [
        "My padlock code is 7391-K and I live at 12 Elm Street.",
        "The token is invalid, and the password is wrong. What is a password manager?",
        "password = request.form['password']; token = os.environ[\"API_TOKEN\"]; api_key=settings.OPENAI_API_KEY",
        "const secret = process.env.JWT_SECRET2; const token = jwt.sign(payload, secret);",
        "Set API_KEY=your-api-key-123 and password: <your password here> or PASSWORD=${DB_PASSWORD1}.",
        "postgres://user:password@localhost:5432/db and mongodb://root:example@mongo:27017 and http://localhost:8080/path/@me",
        "redis://guest:guest@localhost, amqp://user:${PASSWORD}@host, https://user:****@example.com/",
        "<input type=\"password\" id=\"password\" name=\"password\" maxlength=\"50\">",
        "sk-learn is not sk-estimator-doc-link-fitted, and hf_hub_download loads sk_test.",
        "Commit 9fceb02d0ae598e95dc970b74767f19372d61af8 of 550e8400-e29b-41d4-a716-446655440000.",
        "Call +4915112345678 or 0049 151 1234 5678 on 2024-03-15 at 14:03:22.123456.",
        "1234 5678 9012 3456, 4111 1111 1111 1112, 4111111111111112 and 0.4111111111111111 are no cards.",
        "0000 0000 0000 0000 and 4444 4444 4444 4444 4444 are none either, nor is order 4111111111111111234567.",
        "DE89 3704 0044 0532 0130 01 has a wrong check digit, and DE89 is a postcode. GB in 2024 was wet.",
        "Authorization: Bearer YOUR_ACCESS_TOKEN_HERE and Authorization: Basic <credentials>",
        "The bearer certificate-of-ownership and basic understanding of authorization: none.",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        "https://example.com/a?x=1&token=abc and see https://docs.example.com/api/tokens/create-a-token",
        "token: string; password: str; secret: Optional[str] = None; credentials: true",
        "The tokens are 12345678 in all, max_tokens=4096, token_count: 1234567890.",
        "[secret: github] and [secret: 1password] are masks already: password: [secret: password]",
    ] {
        let found = MASKER.mask(text);
        assert_eq!(found.text, text, "{:?}", found.kinds);
        assert!(matches!(found.text, Cow::Borrowed(_)));
    }
    let digest = format!("\"integrity\": \"sha512-{}==\"", "aB3+".repeat(21) + "xy");
    assert_eq!(masked(&digest), digest);
}

#[test]
fn passwords_that_people_choose_are_masked_wherever_they_name_them() {
    for password in [
        "Tr0ub4dor&3",
        "xK9(mP2$w",
        "Correct-Horse7",
        "S3cure!Evening",
        "$omeWh3re%Else",
        "Grünkohl_2024!",
        "пароль2024Ж!",
    ] {
        for lead in [
            "password=",
            "Password: ",
            "passwd -> ",
            "--password ",
            "My wifi password is ",
            "the password for my bank: ",
            "| Passwort | ",
            "PASSWORD := ",
            "密码：",
            "Mi contraseña es ",
            "pwd: `",
            "<password>",
            "\"password\": \"",
            "passphrase = '",
            "**Password**: **",
        ] {
            let text = format!("{lead}{password}");
            assert_eq!(masked(&text), format!("{lead}[secret: password]"), "{text}");
        }
    }
}

#[test]
fn a_secret_that_is_said_again_without_its_name_is_masked_again() {
    let secret = ["Tr0ub4", "dor&3x"].concat();
    let text = format!("My password is {secret}. Write a script that types {secret} for me: f('{secret}').");
    let expected = "My password is [secret: password]. Write a script that types [secret: password] for me: f('[secret: password]').";
    assert_eq!(masked(&text), expected);
}

#[test]
fn a_name_within_what_another_one_does_not_name_is_seen_however_often_both_are_said() {
    for times in 1..=5 {
        let text = "הסיסמה היא Kuchen2024.".repeat(times);
        assert_eq!(masked(&text), text.replace("Kuchen2024", "[secret: password]"), "{times} times");
    }
    let text = "password: none.password: Tr0ub4dor&3";
    assert_eq!(masked(text), "password: none.password: [secret: password]");
}

#[test]
fn a_mask_that_breaks_off_at_the_end_is_none() {
    for text in ["password=XaB74kwVc5Ltx[secret: password", "[secret: password", "XaB74kwVc5Ltx password=[secret: "] {
        let found = masked(text);
        assert!(!found.contains("password=XaB7") && masked(&found) == found, "{found}");
    }
}

#[test]
fn several_secrets_are_masked_each_by_its_kind_and_neighbours_do_not_hide_each_other() {
    let of =
        |kind: SecretKind| MADE.iter().find(|made| made.kind == kind && made.lead.is_empty()).unwrap().secret.clone();
    let (card, key, hub) = (of(SecretKind::PaymentCard), of(SecretKind::AwsAccessKey), of(SecretKind::GitHub));
    let text = format!("{key} {card},{hub};{card}-{hub}");
    assert_eq!(
        masked(&text),
        "[secret: aws-access-key] [secret: payment-card],[secret: github];[secret: payment-card]-[secret: github]"
    );
    let pair = MADE.iter().find(|made| made.kind == SecretKind::AwsSecretKey).unwrap();
    assert_eq!(masked(&format!("{key}\t{}", pair.secret)), "[secret: aws-access-key]\t[secret: aws-secret-key]");
    assert_eq!(masked(&format!("api_key={hub}")), "api_key=[secret: github]", "the special kind names it");
}

#[test]
fn a_key_that_was_cut_off_is_masked_as_far_as_it_goes() {
    let whole = MADE.iter().find(|made| made.kind == SecretKind::PrivateKey && made.secret.len() > 400).unwrap();
    let cut = &whole.secret[..whole.secret.len() - 100];
    let text = format!("Look:\n{cut}\n\nDid it arrive?");
    let found = masked(&text);
    assert!(found.starts_with("Look:\n[secret: private-key]"), "{found}");
    assert!(found.ends_with("Did it arrive?"), "{found}");
    assert!(found.len() < 120, "{found}");
    let (first, body) = whole.secret.split_once('\n').unwrap();
    for headers in ["Version: GnuPG v2", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF"] {
        let text = format!("{first}\n{headers}\n\n{}\n\nDid it arrive?", &body[..194]);
        assert_eq!(masked(&text), "[secret: private-key]Did it arrive?", "{headers}");
    }
}

#[test]
fn what_is_excepted_is_kept_and_nothing_is_masked_where_that_is_off() {
    let hub = MADE.iter().find(|made| made.kind == SecretKind::GitHub).unwrap();
    let slack = MADE.iter().find(|made| made.kind == SecretKind::Slack).unwrap();
    let text = format!("token={} and {}", hub.secret, slack.secret);
    let except = MemoryConfig { mask_exceptions: vec![SecretKind::GitHub], ..MemoryConfig::default() };
    let found = Masker::new(&except).unwrap().mask(&text).text.into_owned();
    assert_eq!(found, format!("token={} and [secret: slack]", hub.secret), "no vaguer kind takes it");
    let off = MemoryConfig { mask_secrets: false, ..MemoryConfig::default() };
    assert_eq!(Masker::new(&off).unwrap().mask(&text).text, text);
}

#[test]
fn every_kind_has_a_name_of_its_own_and_a_rule_or_a_checksum() {
    let names: BTreeSet<&str> = SecretKind::ALL.iter().map(|kind| kind.label()).collect();
    assert_eq!(names.len(), SecretKind::ALL.len());
    let ruled: BTreeSet<SecretKind> = rules::all().map(|rule| rule.kind).collect();
    for kind in SecretKind::ALL {
        let is_number = matches!(kind, SecretKind::PaymentCard | SecretKind::Iban);
        assert!(ruled.contains(kind) != is_number, "{}", kind.label());
        assert_eq!(SecretKind::parse(kind.label()), Some(*kind));
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        assert!(kind.label().chars().all(is_plain) && kind.label().len() < 32, "{}", kind.label());
    }
}

/// Words, beginnings of secrets and secrets, one after the other in any order.
fn anything() -> impl Strategy<Value = String> {
    let secret = || select(MADE.iter().map(Made::text).collect::<Vec<_>>());
    let beginning = (secret(), 1..40_usize).prop_map(|(secret, size)| secret.chars().take(size).collect::<String>());
    let mask = select(SecretKind::ALL.to_vec()).prop_map(|kind| format!("[secret: {}]", kind.label()));
    let piece = prop_oneof![
        secret(),
        beginning,
        mask,
        "[ \\n\"'=:.,;@/-]{1,3}",
        "[a-zA-Z0-9]{1,30}",
        "\\PC{0,12}",
        select(vec!["password", "token is ", "api_key=", "://", "Bearer ", "==", "密码是", "é", "[secret: ", "]"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn masking_what_is_masked_changes_nothing(text in anything()) {
        let once = masked(&text);
        let twice = MASKER.mask(&once);
        prop_assert_eq!(&twice.text, &once, "{:?}", twice.kinds);
    }

    #[test]
    fn a_text_without_secrets_is_untouched(text in "[a-zäöüß ,.!?\n]{0,400}") {
        let found = MASKER.mask(&text);
        prop_assert!(matches!(found.text, Cow::Borrowed(same) if same == text), "{:?}", found.kinds);
    }

    #[test]
    fn a_masked_text_never_holds_its_secret_and_all_else_in_order(
        made in select(MADE.clone()), before in "[a-z äöü,.\n]{0,60} ", after in " [a-z äöü,.\n]{0,60}",
    ) {
        let found = masked(&format!("{before}{}{after}", made.text()));
        prop_assert!(!found.contains(&made.secret));
        prop_assert_eq!(found, format!("{before}{}{after}", made.masked()));
    }
}

#[test]
fn time_grows_with_a_text_and_no_faster_whatever_it_repeats() {
    let mut pieces: Vec<String> = MADE.iter().take(MADE.len() / 3).map(Made::text).collect();
    for made in MADE.iter().take(MADE.len() / 3) {
        let text = made.text();
        pieces.extend([3, 8, 20].map(|size| text.chars().take(size).collect::<String>()));
    }
    pieces.extend(["://a:", "4111-", "DE89 ", "eyJ-", "token=a1B2c3D4&", "[secret: ", "=="].map(str::to_owned));
    for piece in pieces {
        assert_time_grows_with_the_text(&piece, "");
    }
}

/// Panics if a piece, with `end` behind all of them, said eight times as often takes more than three times as long as the shorter text
/// takes eight times; what grew with the square would take eight times as long. Both take about as long, so that whatever else runs
/// slows both. Each time is the best of several, which go on while they are not good enough.
fn assert_time_grows_with_the_text(piece: &str, end: &str) {
    let repeated = |bytes: usize| piece.repeat(bytes / piece.len() + 1) + end;
    let time = |(text, times): &(String, usize)| {
        let started = Instant::now();
        (0..*times).for_each(|_| drop(MASKER.mask(text)));
        started.elapsed().max(SHORTEST_TIME)
    };
    let texts = [(repeated(SHORT_TEXT), TIMES_LONGER), (repeated(SHORT_TEXT * TIMES_LONGER), 1)];
    let mut best = texts.each_ref().map(time);
    let is_in_time = |best: [Duration; 2]| best[1] < best[0] * LARGEST_GROWTH;
    for round in 0..MOST_ROUNDS {
        best = [0, 1].map(|place: usize| best[place].min(time(&texts[place])));
        if round > 0 && is_in_time(best) {
            break;
        }
    }
    assert!(
        is_in_time(best),
        "{piece:?} and {end:?}: {best:?} for {TIMES_LONGER} times {SHORT_TEXT} bytes and as many at once"
    );
}

/// Bytes of the shorter text.
const SHORT_TEXT: usize = 4_000;
const TIMES_LONGER: usize = 8;
/// How many times as long the longer text may take.
const LARGEST_GROWTH: u32 = 3;
const MOST_ROUNDS: usize = 12;
/// Less than this is not measured well.
const SHORTEST_TIME: Duration = Duration::from_micros(100);
