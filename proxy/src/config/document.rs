//! The text of a configuration with its positions: turns a byte offset into a line and a key path, and a key path into a line.
//!
//! It must not know which keys exist or what they mean; it only knows what a secret looks like.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Place};

/// A parsed document that remembers where everything was written.
pub(super) struct Document<'a> {
    text: &'a str,
    file: Option<&'a Path>,
    table: Spanned<DeTable<'a>>,
}

/// One key with the place of its value.
struct Entry {
    path: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str, file: Option<&'a Path>) -> Result<Self, ConfigError> {
        match DeTable::parse(text) {
            Ok(table) => Ok(Self { text, file, table }),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                Err(ConfigError::Syntax { place: place(text, file, offset), message: one_line(error.message()) })
            }
        }
    }

    /// The place where `path` (such as `server.listen`) was written, if it was.
    pub(super) fn place_of(&self, path: &str) -> Option<Place> {
        let entry = self.entries().into_iter().find(|entry| entry.path == path)?;
        Some(place(self.text, self.file, entry.key.start))
    }

    /// Refuses a document that holds a secret, so that no later error can show it.
    pub(super) fn refuse_literal_secrets(&self) -> Result<(), ConfigError> {
        let mut found = None;
        walk(self.table.get_ref(), "", &mut |path, key, value| {
            if found.is_none() && holds_secret(key.get_ref(), value.get_ref()) {
                found = Some((path.to_owned(), key.span().start));
            }
        });
        match found {
            Some((key, offset)) => Err(ConfigError::LiteralSecret { place: place(self.text, self.file, offset), key }),
            None => Ok(()),
        }
    }

    /// Turns an error of the deserializer into one that names the key, the value and what is allowed.
    pub(super) fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let place = place(self.text, self.file, span.start);
        let entry = self.entry_at(span.start);
        let key = entry.as_ref().map_or_else(String::new, |entry| entry.path.clone());
        let message = error.message();
        if message.starts_with("unknown field") {
            let name = key.rsplit('.').next().unwrap_or_default().to_owned();
            let known: Vec<String> = message.split('`').skip(3).step_by(2).map(str::to_owned).collect();
            return ConfigError::UnknownKey { place, key, suggestion: nearest(&name, &known), known };
        }
        let value = entry.and_then(|entry| self.text.get(entry.value)).unwrap_or_default();
        let allowed = message.rsplit_once("expected ").map_or(message, |(_, expected)| expected);
        ConfigError::Value { place, key, value: one_line(value), allowed: in_words(&one_line(allowed)) }
    }

    fn entry_at(&self, offset: usize) -> Option<Entry> {
        // The innermost entry is the one visited last among those that hold the offset.
        self.entries().into_iter().rfind(|entry| entry.key.contains(&offset) || entry.value.contains(&offset))
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        walk(self.table.get_ref(), "", &mut |path, key, value| {
            entries.push(Entry { path: path.to_owned(), key: key.span(), value: value.span() });
        });
        entries
    }
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

fn walk<'a>(table: &DeTable<'a>, prefix: &str, visit: &mut dyn FnMut(&str, &Key<'a>, &Spanned<DeValue<'a>>)) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        visit(&path, key, value);
        if let Some(inner) = value.get_ref().as_table() {
            walk(inner, &path, visit);
        }
    }
}

/// Whether a key is named like a secret, or its value looks like one.
fn holds_secret(key: &str, value: &DeValue<'_>) -> bool {
    let name: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let named = name == "key"
        || ["apikey", "secret", "secretkey", "password", "token", "authorization", "bearer"]
            .iter()
            .any(|ending| name.ends_with(ending));
    match value {
        DeValue::String(text) => named || looks_like_secret(text),
        DeValue::Array(values) => values.iter().any(|value| holds_secret(key, value.get_ref())),
        _ => false,
    }
}

/// Whether a text looks like a key of one of the well-known providers.
fn looks_like_secret(text: &str) -> bool {
    let text = text.trim();
    let prefixes = ["sk-", "sk_", "hf_", "gsk_", "AIza", "xai-", "Bearer ", "bearer "];
    text.len() >= 8 && prefixes.iter().any(|prefix| text.starts_with(prefix))
}

fn place(text: &str, file: Option<&Path>, offset: usize) -> Place {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Place::Line { file: file.map(Path::to_path_buf), line }
}

/// The known name that is nearest to `name`, when it is near enough to be meant.
pub(super) fn nearest(name: &str, known: &[String]) -> Option<String> {
    let scored = known.iter().map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= 0.75).then(|| best.1.clone())
}

/// Says the deserializer's expectation without names of Rust types.
fn in_words(expected: &str) -> String {
    match expected {
        "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list in square brackets",
        "path string" => "a path in quotes",
        text if text.starts_with("struct ") => "a section of its own, in square brackets",
        text => text,
    }
    .to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
