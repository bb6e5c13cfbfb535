//! The file of this proxy's keys, as whoever runs the proxy changes it: keys are drawn, listed and taken out.
//!
//! It is replaced as a whole or not at all, is its owner's alone, and keeps what somebody wrote into it by hand.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound, Utc};
use ring::rand::{SecureRandom, SystemRandom};

use super::key_list::{KeyList, WrittenKey, WrittenKeys, is_json, written_digest};
use crate::config::OwnLimits;

/// A file of keys.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
}

/// Why keys cannot be listed or changed.
#[derive(Debug)]
pub(crate) enum KeyFileError {
    /// No key may have such a name.
    Name(&'static str),
    /// Somebody has that name.
    Taken,
    /// Nobody has that name.
    Unknown,
    /// The file cannot be read.
    Read(io::Error),
    /// The file cannot be written.
    Write(io::Error),
}

/// What becomes of a text of keys, and of the list that it holds.
struct Change {
    text: String,
    keys: WrittenKeys,
}

impl KeyFile {
    /// The file at `path`, which need not be there.
    pub(crate) fn new(path: &Path) -> Self {
        // A link stays one, and what it leads to is replaced.
        Self { path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) }
    }

    /// The keys, in the order in which they stand there.
    ///
    /// # Errors
    /// [`KeyFileError::Read`].
    pub(crate) fn list(&self) -> Result<Vec<WrittenKey>, KeyFileError> {
        Ok(parse(&self.read()?)?.keys)
    }

    /// Draws a key for `name` and gives it out; nobody can find it out again.
    ///
    /// # Errors
    /// Any but [`KeyFileError::Unknown`].
    pub(crate) fn add(&self, name: &str, limits: OwnLimits, now: DateTime<Utc>) -> Result<String, KeyFileError> {
        if let Some(allowed) = misses(name) {
            return Err(KeyFileError::Name(allowed));
        }
        let key = drawn().map_err(KeyFileError::Write)?;
        let new = WrittenKey {
            name: name.to_owned(),
            sha256: written_digest(&key),
            created_at: Some(now.trunc_subsecs(0)),
            limits,
        };
        self.change(|text, mut keys| {
            if keys.keys.iter().any(|known| known.name == name) {
                return Err(KeyFileError::Taken);
            }
            let block = block(&new).map_err(KeyFileError::Write)?;
            let text = text.strip_suffix(NO_KEYS).unwrap_or(&text);
            let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            keys.keys.push(new);
            Ok(Change { text: format!("{text}{end}{gap}{block}"), keys })
        })?;
        Ok(key)
    }

    /// Takes the keys of `name` out.
    ///
    /// # Errors
    /// [`KeyFileError::Unknown`], or what keeps the file from being read or written.
    pub(crate) fn revoke(&self, name: &str) -> Result<(), KeyFileError> {
        self.change(|text, mut keys| {
            let before = keys.keys.len();
            keys.keys.retain(|known| known.name != name);
            if keys.keys.len() == before {
                return Err(KeyFileError::Unknown);
            }
            Ok(Change { text: without(&text, name), keys })
        })
    }

    /// Changes the file while nobody else does.
    fn change(
        &self,
        work: impl FnOnce(String, WrittenKeys) -> Result<Change, KeyFileError>,
    ) -> Result<(), KeyFileError> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The file itself is another one afterwards, so that whoever else changes it waits for its folder.
        let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder)).map_err(KeyFileError::Write)?;
        let text = match self.read() {
            Err(KeyFileError::Read(error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let keys = if text.trim().is_empty() { WrittenKeys::default() } else { parse(&text)? };
        let Change { mut text, keys } = work(text, keys)?;
        // What is written some other way than one table a key loses its comments and its layout, and nothing else.
        if WrittenKeys::parse(&text).ok().is_none_or(|written| written.keys != keys.keys) {
            text = rewritten(&text, &keys).map_err(KeyFileError::Write)?;
        }
        self.replace(folder, &text).and_then(|()| lock.sync_all()).map_err(KeyFileError::Write)
    }

    fn read(&self) -> Result<String, KeyFileError> {
        let mut text = String::new();
        let read = File::open(&self.path).and_then(|file| file.take(MOST).read_to_string(&mut text));
        read.map(|_| text).map_err(KeyFileError::Read)
    }

    /// Puts a new file in the place of the old one, whose owner it keeps: the proxy may run as somebody else.
    fn replace(&self, folder: &Path, text: &str) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        if let Ok(old) = fs::metadata(&self.path) {
            fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Reads keys that the proxy would take.
fn parse(text: &str) -> Result<WrittenKeys, KeyFileError> {
    let wrong = |reason| KeyFileError::Read(io::Error::new(io::ErrorKind::InvalidData, reason));
    KeyList::parse(text).map_err(wrong)?;
    WrittenKeys::parse(text).map_err(wrong)
}

/// What is wrong with a name, said as what is allowed.
fn misses(name: &str) -> Option<&'static str> {
    let is_plain = !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control);
    (!is_plain || name.len() > LONGEST_NAME)
        .then_some("expected a name of at most 100 bytes, without control characters, and without spaces at its ends")
}

/// A key that was never drawn before.
fn drawn() -> io::Result<String> {
    let mut random = [0; 32];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let letter = |byte: &u8| char::from(LETTERS.get(usize::from(byte & 63)).copied().unwrap_or_default());
    Ok(format!("mp-{}", random.iter().map(letter).collect::<String>()))
}

/// One key as a table of TOML.
fn block(key: &WrittenKey) -> io::Result<String> {
    let mut text = format!("[[keys]]\nname = {}\nsha256 = {:?}\n", quoted(&key.name)?, key.sha256);
    if let Some(time) = key.created_at {
        text.push_str(&format!("created_at = {:?}\n", time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
    }
    if !key.limits.is_empty() {
        let limits = toml::to_string(&key.limits).map_err(io::Error::other)?;
        text.push_str(&format!("limits = {{ {} }}\n", limits.trim().replace('\n', ", ")));
    }
    Ok(text)
}

/// A text as TOML has it.
fn quoted(text: &str) -> io::Result<String> {
    // TOML knows every escape of JSON, and needs one more.
    serde_json::to_string(text).map(|text| text.replace('\u{7f}', "\\u007f")).map_err(io::Error::other)
}

/// A text of TOML without the tables of the keys of `name`, up to the tables that follow them.
fn without(text: &str, name: &str) -> String {
    let mut tables: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        match tables.last_mut() {
            Some(table) if !line.trim_start().starts_with('[') => table.push_str(line),
            _ => tables.push(line.to_owned()),
        }
    }
    let is_of_name = |table: &String| {
        let written = WrittenKeys::parse(table).map(|written| written.keys).unwrap_or_default();
        written.iter().any(|key| key.name == name)
    };
    let left: String = tables.into_iter().filter(|table| !is_of_name(table)).collect();
    // A list of TOML without any key says so.
    if WrittenKeys::parse(&left).is_err() { left + NO_KEYS } else { left }
}

/// The whole list anew, in the format of the text before it.
fn rewritten(before: &str, keys: &WrittenKeys) -> io::Result<String> {
    if is_json(before) {
        return serde_json::to_string_pretty(keys).map(|text| text + "\n").map_err(io::Error::other);
    }
    if keys.keys.is_empty() {
        return Ok(NO_KEYS.to_owned());
    }
    let blocks: io::Result<Vec<String>> = keys.keys.iter().map(block).collect();
    Ok(blocks?.join("\n"))
}

/// 64 letters, so that six random bits choose one.
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LONGEST_NAME: usize = 100;
/// An empty list in TOML.
const NO_KEYS: &str = "keys = []\n";
/// As much as the proxy itself reads.
const MOST: u64 = 8 << 20;

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
