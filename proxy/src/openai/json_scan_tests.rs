//! Tests of walking through JSON text.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "\\PC{0,12}|[\"\\\\\n\t/]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn oddity(text: &str) -> Option<Oddity> {
    document(text.as_bytes()).unwrap().oddity
}

proptest! {
    #[test]
    fn whatever_serde_json_reads_is_sound_and_lies_where_it_was_written(
        values in prop::collection::vec(value(), 0..6), space in "[ \n\r\t]{0,3}", pretty: bool,
    ) {
        let write = |value: &Value| {
            if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() }
        };
        let written: Vec<String> = values.iter().map(write).collect();
        let text = format!("{space}[{space}{}{space}]{space}", written.join(&format!("{space},{space}")));
        let whole = document(text.as_bytes()).unwrap();
        prop_assert_eq!(&whole.oddity.filter(|odd| *odd != Oddity::NullCharacter), &None);
        let mut found = Vec::new();
        elements::<Malformed>(text.as_bytes(), &whole.range, |span| {
            found.push(text[span.range].to_owned());
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(&found, &written);
        for (value, text) in values.iter().zip(&written) {
            let mut fields = Vec::new();
            let outcome = members(text.as_bytes(), &(0..text.len()), |name, span| {
                fields.push((name.into_owned(), serde_json::from_str::<Value>(&text[span.range]).unwrap()));
            });
            prop_assert_eq!(outcome.is_ok(), value.is_object());
            if let Value::Object(map) = value {
                prop_assert_eq!(fields, map.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_serde_json_refuses_is_odd_or_malformed(bytes in "[\\[\\]{}\":,0-9eEtrufalsn\\\\ \u{1}\u{e9}-]{0,16}") {
        let refused = serde_json::from_str::<Value>(&bytes).is_err();
        let sound = document(bytes.as_bytes()).is_ok_and(|span| span.oddity.is_none());
        prop_assert!(!(refused && sound), "{bytes}");
    }

    #[test]
    fn any_bytes_are_walked_through_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(span) = document(&bytes) {
            prop_assert!(span.range.end <= bytes.len());
        }
    }
}

#[test]
fn what_is_odd_is_named_and_its_end_is_found() {
    for (text, expected) in [
        (r#""cut emoji \ud83d""#, Oddity::LoneSurrogate),
        (r#""\ude00 second half""#, Oddity::LoneSurrogate),
        (r#""\ud83d\u0041""#, Oddity::LoneSurrogate),
        (r#"{"a\udc00":1}"#, Oddity::LoneSurrogate),
        (r#""\u0000""#, Oddity::NullCharacter),
        ("\"a\nb\"", Oddity::ControlCharacter),
        (r#""\x41""#, Oddity::UnknownEscape),
        (r#""\u00g1""#, Oddity::UnknownEscape),
        ("[1e400]", Oddity::NumberOutOfRange),
        ("-1e999", Oddity::NumberOutOfRange),
        ("[NaN]", Oddity::NumberOutOfRange),
        ("-Infinity", Oddity::NumberOutOfRange),
        ("01", Oddity::NumberOutOfRange),
    ] {
        assert_eq!(oddity(text), Some(expected), "{text}");
    }
    let digits = "9".repeat(400);
    assert_eq!(oddity(&digits), Some(Oddity::NumberOutOfRange));
    for sound in [r#""\ud83d\ude00""#, "123456789012345678901234567890", "1E5", "-0.0e-3", "[[],{}]"] {
        assert_eq!(oddity(sound), None, "{sound}");
    }
    assert_eq!(document(b"\"\xff\"").unwrap().oddity, Some(Oddity::NotUtf8));
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(oddity(&deep), Some(Oddity::TooDeep));
}

#[test]
fn a_byte_order_mark_is_passed_over_and_what_is_not_json_is_refused() {
    assert_eq!(document(b"\xEF\xBB\xBF {} ").unwrap().range, 4..6);
    for text in
        ["", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\"}", "[1 2]", "{a:1}", "[}", "\"open", "{}x", "'a'", "\u{feff}"]
    {
        assert_eq!(document(text.as_bytes()), Err(Malformed), "{text}");
    }
}

#[test]
fn the_last_of_two_fields_counts_and_the_repetition_is_told() {
    let text = br#"{"x":[1],"role":"a", "r\u006fle" :"b","content":null}"#;
    let picked = Picked::new(text, &(0..text.len()), ["role", "content", "name"]).unwrap();
    assert!(picked.is_repeated);
    assert_eq!(slice(text, &picked.get("role").unwrap().range), b"\"b\"");
    assert!(picked.get("content").is_some() && picked.set(text, "content").is_none() && picked.get("name").is_none());
    assert!(Picked::new(b"[]", &(0..2), ["role"]).is_none());
}
