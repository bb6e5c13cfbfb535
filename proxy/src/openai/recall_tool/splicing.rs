//! Changes of single places of a JSON text; every other byte stays.

use std::ops::Range;

use serde_json::Value;

use crate::openai::json_scan::{self, Picked, slice};

/// What stands at a place instead; a place without bytes is an insertion.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) place: Range<usize>,
    pub(super) text: Vec<u8>,
}

impl Change {
    pub(super) fn new(place: Range<usize>, text: impl Into<Vec<u8>>) -> Self {
        Self { place, text: text.into() }
    }
}

/// `text` with changes, whose places do not overlap; those of one place in the order given.
pub(super) fn changed(text: &[u8], mut changes: Vec<Change>) -> Vec<u8> {
    changes.sort_by_key(|change| change.place.start);
    let mut out = Vec::with_capacity(text.len() + changes.iter().map(|change| change.text.len()).sum::<usize>());
    let mut at = 0;
    for change in changes {
        out.extend_from_slice(slice(text, &(at..change.place.start)));
        out.extend_from_slice(&change.text);
        at = change.place.end;
    }
    out.extend_from_slice(slice(text, &(at..text.len())));
    out
}

/// The object of a whole answer, or of one event of a streamed one.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    text: &'a [u8],
    fields: Picked<4>,
}

impl<'a> Envelope<'a> {
    /// The object that `text` is; `None` when it is none.
    pub(super) fn new(text: &'a [u8]) -> Option<Self> {
        let whole = json_scan::document(text).ok()?;
        let fields = Picked::new(text, &whole.range, ["id", "choices", "usage", "error"])?;
        Some(Self { text, fields })
    }

    /// The bytes of the field `name`, unless it is missing or null.
    pub(super) fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.set(self.text, name).map(|span| slice(self.text, &span.range))
    }

    /// The field `name`, unless it is missing, null or odd.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        serde_json::from_slice(self.raw(name)?).ok()
    }

    /// The text with other values of fields that are there.
    pub(super) fn with(&self, values: Vec<(&str, Vec<u8>)>) -> Vec<u8> {
        let change = |(name, text): (&str, Vec<u8>)| Some(Change::new(self.fields.get(name)?.range.clone(), text));
        changed(self.text, values.into_iter().filter_map(change).collect())
    }
}
