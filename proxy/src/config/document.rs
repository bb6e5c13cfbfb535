//! A configuration with the positions of its keys: reads it and says of every refusal where it was written.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::checked::{REFUSED, SECRET};
use super::{ConfigError, Place};

/// A parsed document that remembers where everything was written.
pub(super) struct Document<'a> {
    text: &'a str,
    file: Option<&'a Path>,
    table: Spanned<DeTable<'a>>,
    /// Flags whose values were put into the table; their positions lie beyond the text.
    flags: Vec<&'static str>,
}

/// The text of the file at `path`.
///
/// # Errors
/// [`ConfigError::Syntax`] with the line that is not UTF-8, which TOML has to be.
pub(super) fn text_of<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let place = line(&String::from_utf8_lossy(before), Some(path), before.len());
        ConfigError::Syntax { place, message: "the text is not UTF-8".to_owned() }
    })
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
            Ok(table) => Ok(Self { text, file, table, flags: Vec::new() }),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let place = line(text, file, span.start);
                let name = if error.message() == DUPLICATE { name_at(text, span) } else { None };
                let message = match name {
                    Some(name) => format!("{DUPLICATE} `{name}`; expected it once"),
                    None => one_line(error.message()),
                };
                Err(ConfigError::Syntax { place, message })
            }
        }
    }

    /// Puts the value of a flag where the file may have another one, which is not looked at then.
    pub(super) fn put(
        &mut self,
        section: &'static str,
        key: &'static str,
        flag: &'static str,
        value: DeValue<'a>,
    ) -> Result<(), ConfigError> {
        let start = self.beyond() + self.flags.len();
        self.flags.push(flag);
        let spanned = |name: &'static str| Spanned::new(start..start + 1, name.into());
        let new = || Spanned::new(start..start + 1, DeValue::Table(DeTable::new()));
        match self.table.get_mut().entry(spanned(section)).or_insert_with(new).get_mut() {
            DeValue::Table(keys) => {
                keys.remove(key);
                keys.insert(spanned(key), Spanned::new(start..start + 1, value));
                Ok(())
            }
            _ => Err(self.refuse(section, self.written(section), SECTION.to_owned())),
        }
    }

    /// Takes a key out of its section, and says where it was written; `None` when it was not.
    pub(super) fn remove(&mut self, section: &'static str, key: &'static str) -> Option<Place> {
        let place = self.place_of(&format!("{section}.{key}"));
        let DeValue::Table(keys) = self.table.get_mut().get_mut(section)?.get_mut() else {
            return None;
        };
        keys.remove(key).map(|_| place)
    }

    /// Reads the document with everything in it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(toml::Deserializer::from(self.table.clone())).map_err(|error| self.explain(&error))
    }

    /// The place where `path` (such as `server.listen`) was written, if it was.
    pub(super) fn place_of(&self, path: &str) -> Place {
        self.entry(path).map_or(Place::Default, |entry| self.place(entry.key.start))
    }

    /// The value of `path` as it was written in the text.
    pub(super) fn written(&self, path: &str) -> String {
        one_line(self.entry(path).and_then(|entry| self.text.get(entry.value)).unwrap_or_default())
    }

    /// Refuses a value of `key`.
    pub(super) fn refuse(&self, key: &str, value: String, allowed: String) -> ConfigError {
        ConfigError::Value { place: self.place_of(key), key: key.to_owned(), value, allowed }
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
            Some((key, offset)) => Err(ConfigError::LiteralSecret { place: self.place(offset), key }),
            None => Ok(()),
        }
    }

    /// Turns an error of the deserializer into one that names the key, the value and what is allowed.
    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        let place = self.place(span.start);
        // The innermost entry is the one visited last among those that hold the position.
        let entries = self.entries().into_iter();
        let entry = entries.rev().find(|entry| entry.key.contains(&span.start) || entry.value.contains(&span.start));
        let (key, value) = entry.map_or_else(Default::default, |entry| (entry.path, entry.value));
        let message = error.message();
        if message.starts_with("unknown field") {
            let name = key.rsplit('.').next().unwrap_or_default().to_owned();
            let known: Vec<String> = message.split('`').skip(3).step_by(2).map(str::to_owned).collect();
            return ConfigError::UnknownKey { place, key, suggestion: nearest(&name, &known), known };
        }
        if let Some(detail) = message.strip_prefix(SECRET) {
            return ConfigError::LiteralSecret { place, key: key + detail };
        }
        let refused = message.strip_prefix(REFUSED).and_then(|refused| refused.rsplit_once(", expected "));
        let (value, allowed) = match refused {
            Some((value, allowed)) => (value, allowed.to_owned()),
            None => (self.text.get(value).unwrap_or_default(), expected(message)),
        };
        ConfigError::Value { place, key, value: one_line(value), allowed: one_line(&allowed) }
    }

    fn place(&self, offset: usize) -> Place {
        let flag = offset.checked_sub(self.beyond()).and_then(|index| self.flags.get(index));
        flag.map_or_else(|| line(self.text, self.file, offset), |flag| Place::Flag(flag))
    }

    /// The first position that is none of the text, not even its end.
    fn beyond(&self) -> usize {
        self.text.len() + 1
    }

    fn entry(&self, path: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.path == path)
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

fn line(text: &str, file: Option<&Path>, offset: usize) -> Place {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Place::Line { file: file.map(Path::to_path_buf), line }
}

/// What the parser says of a key that is there twice.
const DUPLICATE: &str = "duplicate key";

/// The path of the key that is written at `span` in a text that is no whole document; `None` where it may be a secret.
fn name_at(text: &str, span: Range<usize>) -> Option<String> {
    let before = text.get(..span.end)?;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let written = before.get(start..)?.trim();
    let header = written.trim_start_matches('[').trim_start();
    if header.len() < written.len() && is_name(header) {
        return Some(header.to_owned());
    }
    // Within braces a key stands behind other ones.
    let name = if is_name(written) { written } else { text.get(span)?.trim_matches(['"', '\'']) };
    let section = before.get(..start)?.lines().rev().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let name = line.strip_prefix('[')?.strip_suffix(']')?.trim_matches(['[', ']', ' ']);
        is_name(name).then_some(name)
    });
    let path = section.map_or_else(|| name.to_owned(), |section| format!("{section}.{name}"));
    is_name(name).then_some(path)
}

/// Whether a text is a key, or several with dots between them, without quotes; nothing that looks like a secret.
fn is_name(text: &str) -> bool {
    let belongs = |sign: char| sign.is_ascii_alphanumeric() || "_-.".contains(sign);
    !text.is_empty() && text.chars().all(belongs) && !looks_like_secret(text)
}

/// The known name that is nearest to `name`, when it is near enough to be meant.
fn nearest(name: &str, known: &[String]) -> Option<String> {
    let scored = known.iter().map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= 0.75).then(|| best.1.clone())
}

const SECTION: &str = "a section of its own, in square brackets";

/// What the deserializer expected, without names of Rust types.
fn expected(message: &str) -> String {
    match message.rsplit_once("expected ").map_or(message, |(_, expected)| expected) {
        "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list in square brackets",
        "path string" => "a path in quotes",
        text if text.starts_with("struct ") => SECTION,
        text => text,
    }
    .to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
