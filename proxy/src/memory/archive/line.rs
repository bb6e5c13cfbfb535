//! One line of an exported memory: a turn at a place.

use chrono::{DateTime, Utc};
use mainpoint_store::{ConversationId, Turn, TurnPlace};
use serde::Serialize;
use serde_json::{Map, Value};

use super::listing::ListedPlace;
use super::times::{self, ALLOWED_TIME};

/// A turn at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ArchivedTurn {
    /// The conversation's name.
    pub(crate) conversation: ConversationId,
    /// How many turns come before it there; `None` in a line that leaves it to the order of the lines.
    pub(crate) position: Option<u32>,
    /// In the first line of a branch, the place that it begins after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) branches_from: Option<ListedPlace>,
    /// Who spoke.
    pub(crate) role: String,
    /// What was said, as it was sent.
    pub(crate) text: String,
    /// What was said plainly later of that, which has documents or instructions around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plain: Option<String>,
    /// When it was said there; `None` in a line that does not say so.
    pub(crate) time: Option<DateTime<Utc>>,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineError {
    /// The key at fault; `None` where the line is no object.
    pub(crate) key: Option<&'static str>,
    /// The value as it came, cut to what can be shown.
    pub(crate) value: String,
    /// What would be allowed.
    pub(crate) allowed: &'static str,
}

/// The greatest position that a line may have.
pub(crate) const MOST_POSITION: u32 = 9_999_999;
const ROLES: [&str; 4] = ["user", "assistant", "tool", "function"];
/// Characters of a wrong value that an error shows.
const SHOWN: usize = 60;

impl ArchivedTurn {
    /// A turn of the store at a place.
    pub(super) fn new(turn: &Turn, place: TurnPlace, origin: Option<TurnPlace>) -> Self {
        Self {
            conversation: place.conversation,
            position: Some(place.position),
            branches_from: origin.map(ListedPlace::from),
            role: turn.role.clone(),
            text: turn.text.clone(),
            plain: None,
            time: Some(turn.time),
        }
    }

    /// Reads a line. Other keys are ignored.
    ///
    /// # Errors
    /// The key, its value and what is allowed.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, LineError> {
        let whole = || LineError {
            key: None,
            value: shown(&String::from_utf8_lossy(line)),
            allowed: "a JSON object with \"conversation\", \"role\" and \"text\"",
        };
        let Ok(Value::Object(fields)) = serde_json::from_slice(line) else {
            return Err(whole());
        };
        let line = Fields(&fields);
        let position = line.number("position", "a whole number from 0 to 9999999")?;
        let conversation = named(line.text(
            "conversation",
            "the name of a conversation, at least one character, as a line of an export has it",
        )?);
        let role = line.one_of("role", &ROLES, "\"user\", \"assistant\", \"tool\" or \"function\"")?;
        let text = line.text("text", "what was said, with at least one character that is no space")?;
        Ok(Self {
            conversation,
            position,
            branches_from: line.origin(conversation, position)?,
            role: role.to_owned(),
            text: text.to_owned(),
            plain: line.plain(role, text)?,
            time: line.time("time")?,
        })
    }
}

/// The keys of a line.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// What is set.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn refused(&self, key: &'static str, allowed: &'static str) -> LineError {
        let value = self.get(key).map_or_else(|| "missing".to_owned(), |value| shown(&value.to_string()));
        LineError { key: Some(key), value, allowed }
    }

    fn text(&self, key: &'static str, allowed: &'static str) -> Result<&'a str, LineError> {
        let text = self.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.refused(key, allowed))
    }

    /// What was said plainly of what this role sent.
    fn plain(&self, role: &str, text: &str) -> Result<Option<String>, LineError> {
        let key = "plain";
        let allowed = "what a user said without what is around it in \"text\": other words, in a line of the user's";
        if self.get(key).is_none() {
            return Ok(None);
        }
        let plain = self.text(key, allowed)?;
        let is_plain = role == "user" && plain != text;
        is_plain.then(|| Some(plain.to_owned())).ok_or_else(|| self.refused(key, allowed))
    }

    fn one_of(&self, key: &'static str, known: &[&str], allowed: &'static str) -> Result<&'a str, LineError> {
        let text = self.get(key).and_then(Value::as_str).filter(|text| known.contains(text));
        text.ok_or_else(|| self.refused(key, allowed))
    }

    fn number(&self, key: &'static str, allowed: &'static str) -> Result<Option<u32>, LineError> {
        let number = |value: &Value| position_of(value).ok_or_else(|| self.refused(key, allowed));
        self.get(key).map(number).transpose()
    }

    fn time(&self, key: &'static str) -> Result<Option<DateTime<Utc>>, LineError> {
        let time = |value: &Value| value.as_str().and_then(times::time).ok_or_else(|| self.refused(key, ALLOWED_TIME));
        self.get(key).map(time).transpose()
    }

    /// Where a branch begins: in another conversation, before its own first turn.
    fn origin(&self, own: ConversationId, position: Option<u32>) -> Result<Option<ListedPlace>, LineError> {
        let key = "branches_from";
        let allowed = "an object with the \"conversation\" that it branches from and a \"position\" before its own";
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let conversation = value.get("conversation").and_then(Value::as_str).map(named);
        let origin = conversation.zip(value.get("position").and_then(position_of));
        let origin = origin.map(|(conversation, position)| ListedPlace { conversation, position });
        let makes_sense = |origin: &ListedPlace| {
            origin.conversation != own && position.is_some_and(|position| origin.position < position)
        };
        origin.filter(makes_sense).map(Some).ok_or_else(|| self.refused(key, allowed))
    }
}

fn position_of(value: &Value) -> Option<u32> {
    let number = u32::try_from(value.as_u64()?).ok()?;
    (number <= MOST_POSITION).then_some(number)
}

/// A conversation by what it is called: our own names are kept, others get one.
fn named(text: &str) -> ConversationId {
    text.parse().unwrap_or_else(|_| {
        let mut name = [0; 16];
        let hash = blake3::derive_key("mainpoint 2026 name of an imported conversation", text.as_bytes());
        name.iter_mut().zip(hash).for_each(|(byte, of_hash)| *byte = of_hash);
        ConversationId(name)
    })
}

fn shown(value: &str) -> String {
    let shown: String = value.chars().take(SHOWN).map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    let more = if shown.chars().count() < value.chars().count() { "…" } else { "" };
    shown + more
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns_for_tests::{conversation, turn};

    fn error(line: &str) -> (Option<&'static str>, String) {
        let error = ArchivedTurn::parse(line.as_bytes()).unwrap_err();
        (error.key, error.value)
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key_and_value() {
        let with = |more: &str| format!(r#"{{"conversation":"trip","role":"user","text":"hi"{more}}}"#);
        let refused = [
            ("nonsense".to_owned(), None, "nonsense"),
            ("[]".to_owned(), None, "[]"),
            (r#"{"role":"user","text":"hi"}"#.to_owned(), Some("conversation"), "missing"),
            (r#"{"conversation":"c","text":"hi"}"#.to_owned(), Some("role"), "missing"),
            (r#"{"conversation":"c","role":"system","text":"hi"}"#.to_owned(), Some("role"), "\"system\""),
            (r#"{"conversation":"c","role":"user","text":" \n"}"#.to_owned(), Some("text"), "\" \\n\""),
            (with(r#","plain":7"#), Some("plain"), "7"),
            (with(r#","plain":" ""#), Some("plain"), "\" \""),
            (with(r#","plain":"hi""#), Some("plain"), "\"hi\""),
            (with(r#","plain":"h""#).replace("user", "assistant"), Some("plain"), "\"h\""),
            (with(r#","position":-1"#), Some("position"), "-1"),
            (with(r#","position":10000000"#), Some("position"), "10000000"),
            (with(r#","time":"yesterday""#), Some("time"), "\"yesterday\""),
            (with(r#","time":"9999-12-31T23:59:59-23:59""#), Some("time"), "\"9999-12-31T23:59:59-23:59\""),
            (with(r#","time":"0000-01-01T00:00:00+23:59""#), Some("time"), "\"0000-01-01T00:00:00+23:59\""),
            (with(r#","branches_from":"x""#), Some("branches_from"), "\"x\""),
            (
                with(r#","position":3,"branches_from":{"conversation":"trip","position":1}"#),
                Some("branches_from"),
                r#"{"conversation":"trip","position":1}"#,
            ),
            (
                with(r#","position":3,"branches_from":{"conversation":"x","position":3}"#),
                Some("branches_from"),
                r#"{"conversation":"x","position":3}"#,
            ),
        ];
        for (line, key, value) in refused {
            assert_eq!(error(&line), (key, value.to_owned()), "{line}");
        }
        let long = error(&format!(r#"{{"conversation":"c","role":"{}","text":"hi"}}"#, "x".repeat(500)));
        assert!(long.1.ends_with('…') && long.1.chars().count() == SHOWN + 1);
    }

    #[test]
    fn what_a_line_leaves_out_is_left_open_and_other_keys_are_ignored() {
        let line =
            ArchivedTurn::parse(br#"{"conversation":"trip","role":"tool","text":"hi","id":3,"time":null}"#).unwrap();
        assert_eq!((line.position, line.time, line.branches_from), (None, None, None));
        let same = ArchivedTurn::parse(br#"{"conversation":"trip","role":"user","text":"x"}"#).unwrap();
        assert_eq!(line.conversation, same.conversation);
        let name = conversation(7).to_string();
        assert_eq!(named(&name), conversation(7));
    }

    #[test]
    fn a_time_is_written_in_one_form_and_read_in_every_form_of_rfc_3339() {
        let time = |time: &str| {
            let line = format!(r#"{{"conversation":"c","role":"user","text":"hi","time":"{time}"}}"#);
            serde_json::to_value(ArchivedTurn::parse(line.as_bytes()).unwrap()).unwrap()["time"].clone()
        };
        for written in ["2026-05-08T13:56:00Z", "2026-05-08T13:56:00+00:00", "2026-05-08T15:56:00.000+02:00"] {
            assert_eq!(time(written), "2026-05-08T13:56:00Z", "{written}");
        }
    }

    proptest! {
        #[test]
        fn what_is_exported_is_read_as_it_was(
            text in "[^\u{0}]{0,40}[a-zé☕][^\u{0}]{0,40}", position in 1..MOST_POSITION, micros in 0..4_000_000_000_000_000_i64,
            origin in proptest::option::of(0..1_u32), plain in proptest::option::of("[a-z?]{1,9}"),
        ) {
            let plain = plain.filter(|plain| *plain != text);
            let time = DateTime::from_timestamp_micros(micros).unwrap();
            let turn = Turn { time, ..turn(position, &text) };
            let place = TurnPlace { conversation: conversation(5), position };
            let origin = origin.map(|position| TurnPlace { conversation: conversation(6), position });
            let line = ArchivedTurn { plain, ..ArchivedTurn::new(&turn, place, origin) };
            let written = serde_json::to_vec(&line).unwrap();
            prop_assert!(!written.contains(&b'\n'));
            prop_assert_eq!(ArchivedTurn::parse(&written), Ok(line));
        }

        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = ArchivedTurn::parse(&line);
        }
    }
}
