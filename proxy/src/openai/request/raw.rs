//! A JSON value as it was sent, without a tree of it: what it says in one spelling, whichever the client chose.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::openai::json_scan;
use crate::openai::json_scan::{decoded, slice};

/// A JSON value: the bytes that it was sent as, which may also be several values with commas between them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raw {
    bytes: Bytes,
    /// The fields of an object that do not make it what it is, beside those that are null; `None` where every field counts.
    without: Option<&'static [&'static str]>,
}

impl Raw {
    /// A value of which everything counts.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { bytes, without: None }
    }

    /// An object of which neither the fields `without` nor those that are null count, because clients add and drop them.
    pub(crate) fn facts(bytes: Bytes, without: &'static [&'static str]) -> Self {
        Self { bytes, without: Some(without) }
    }

    /// The bytes as they were sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same for every spelling of the same value: keys in order, no white space. A value that is large or cannot be read
    /// is taken as it was sent.
    pub(crate) fn canonical(&self) -> Cow<'_, [u8]> {
        match self.value() {
            Some(value) => {
                let mut text = String::new();
                write_canonical(&mut text, &value);
                Cow::Owned(text.into_bytes())
            }
            None => Cow::Borrowed(&self.bytes),
        }
    }

    /// What a model reads of the value, about: the text that it is, or else its JSON.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match self.value() {
            Some(Value::String(text)) => Cow::Owned(text),
            Some(value) => Cow::Owned(value.to_string()),
            None => String::from_utf8_lossy(&self.bytes),
        }
    }

    /// The value as a tree, which takes many times its bytes; `None` when that would be much, or when it cannot be read.
    fn value(&self) -> Option<Value> {
        let Some(without) = self.without else {
            let is_small = self.bytes.len() <= LARGEST_TREE;
            return is_small.then(|| serde_json::from_slice(&self.bytes).ok())?;
        };
        let (mut size, mut kept) = (0, Vec::new());
        json_scan::members(&self.bytes, &(0..self.bytes.len()), |name, span| {
            if !without.iter().any(|left_out| *left_out == name) && slice(&self.bytes, &span.range) != b"null" {
                size += name.len() + span.range.len();
                if size <= LARGEST_TREE {
                    kept.push((name, span.range));
                }
            }
        })
        .ok()?;
        if size > LARGEST_TREE {
            return None;
        }
        let mut object = Map::new();
        for (name, range) in kept {
            object.insert(name.into_owned(), serde_json::from_slice(slice(&self.bytes, &range)).ok()?);
        }
        Some(Value::Object(object))
    }
}

/// Most bytes of a value of which a tree is made, for a moment. Tool calls are smaller; pictures and documents are not.
const LARGEST_TREE: usize = 64 << 10;

/// JSON with sorted keys and no white space, whatever order the client wrote.
fn write_canonical(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (name, inner) in entries {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(out, inner);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for inner in items {
                write_canonical(out, inner);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// The name by which calls and results know each other, whatever the client uses for one.
pub(super) fn name_of(raw: &[u8]) -> String {
    match decoded(raw) {
        Some(text) => text.into_owned(),
        None => String::from_utf8_lossy(raw).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &'static str) -> Raw {
        Raw::whole(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn spelling_does_not_count_and_what_cannot_be_read_counts_as_it_is() {
        assert_eq!(raw(r#"{"b": [1, 2],"a":"\u00e9"}"#).canonical(), raw(r#"{ "a":"é","b":[1,2] }"#).canonical());
        for odd in [r#"{"v":1e400}"#, r#""\ud83d""#, r#"{},{"a":1}"#] {
            assert_eq!(raw(odd).canonical(), odd.as_bytes());
            assert_eq!(raw(odd).shown(), odd);
        }
        assert_eq!(raw(r#""a\nb""#).shown(), "a\nb");
    }

    #[test]
    fn fields_that_do_not_count_are_left_out_however_large_they_are() {
        let long = format!(r#"{{"id":"x","call_id": "c","output":"{}","namespace":null}}"#, "a".repeat(LARGEST_TREE));
        let facts = Raw::facts(Bytes::from(long), &["id", "output"]);
        assert_eq!(facts.shown(), r#"{"call_id":"c"}"#);
        let large = Raw::whole(Bytes::from(format!("[{}0]", "0,".repeat(LARGEST_TREE))));
        assert_eq!(large.canonical(), large.bytes());
    }
}
