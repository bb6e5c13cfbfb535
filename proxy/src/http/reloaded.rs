//! Files of keys that are read again when they have changed.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::telemetry::logs::OncePerMinute;

/// What `N` files say together. While they cannot be read, what they said last holds.
#[derive(Debug)]
pub(crate) struct Reloaded<T, E = io::Error, const N: usize = 1> {
    /// What they hold, for the log: several things.
    what: &'static str,
    paths: [PathBuf; N],
    load: fn(&[PathBuf; N]) -> Result<T, E>,
    /// How long what was read last is not compared with the files.
    pause: Duration,
    state: Mutex<State<T, N>>,
    warnings: OncePerMinute,
}

#[derive(Debug)]
struct State<T, const N: usize> {
    value: Arc<T>,
    stamps: [Option<Stamp>; N],
    looked: Instant,
}

/// When a file was written last, its length in bytes, and its number: one that takes another's place has another.
type Stamp = (SystemTime, u64, u64);

impl<T, E: Display, const N: usize> Reloaded<T, E, N> {
    /// Reads the files at `paths` by `load`, whose errors are logged.
    ///
    /// # Errors
    /// Those of `load`.
    pub(crate) fn open(
        what: &'static str,
        paths: [PathBuf; N],
        load: fn(&[PathBuf; N]) -> Result<T, E>,
    ) -> Result<Self, E> {
        let stamps = paths.each_ref().map(|path| stamp(path));
        let state = Mutex::new(State { value: Arc::new(load(&paths)?), stamps, looked: Instant::now() });
        Ok(Self { what, paths, load, pause: PAUSE, state, warnings: OncePerMinute::default() })
    }

    /// What the files say, or said a second ago.
    pub(crate) fn latest(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= self.pause {
            state.looked = Instant::now();
            let stamps = self.paths.each_ref().map(|path| stamp(path));
            if stamps != state.stamps {
                self.read_again(&mut state, stamps);
            }
        }
        Arc::clone(&state.value)
    }

    fn read_again(&self, state: &mut State<T, N>, stamps: [Option<Stamp>; N]) {
        let (what, files) = (self.what, &self.paths);
        match (self.load)(files) {
            Ok(value) => {
                (state.value, state.stamps) = (Arc::new(value), stamps);
                tracing::info!(?files, "{what} were read again");
            }
            Err(error) if self.warnings.allows("keys") => {
                tracing::warn!(?files, error = %error, "{what} cannot be read again; those that were read before hold");
            }
            Err(_) => {}
        }
    }
}

/// The bytes of a file of keys.
///
/// # Errors
/// When it cannot be read, or is far too long.
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST { Err(wrong(format!("it has more than {MOST} bytes"))) } else { Ok(bytes) }
}

/// What a file holds. `parse` says in words what is wrong with its text, without any secret that it may hold.
///
/// # Errors
/// When it cannot be read; of the kind [`io::ErrorKind::InvalidData`] when it does not hold what it should.
pub(crate) fn read<T>(path: &Path, parse: fn(&str) -> Result<T, String>) -> io::Result<T> {
    let bytes = bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("the text is not UTF-8"))?;
    parse(text).map_err(wrong)
}

/// A file holds something else than it should.
pub(crate) fn wrong(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of a file from which on it is no file of keys.
const MOST: u64 = 8 << 20;

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn number(text: &str) -> Result<u32, String> {
        text.trim().parse().map_err(|_| "no number".to_owned())
    }

    fn opened(path: &Path) -> io::Result<Reloaded<u32>> {
        let mut opened = Reloaded::open("the numbers", [path.to_owned()], |[path]| read(path, number))?;
        opened.pause = Duration::ZERO;
        Ok(opened)
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_breaks_leaves_what_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, "1").unwrap();
        let file = opened(&path).unwrap();
        assert_eq!(*file.latest(), 1);
        std::fs::write(&path, "22").unwrap();
        assert_eq!(*file.latest(), 22);
        std::fs::write(&path, "none").unwrap();
        assert_eq!(*file.latest(), 22);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*file.latest(), 22);
        std::fs::write(&path, "55555").unwrap();
        assert_eq!(*file.latest(), 55555);
    }

    #[test]
    fn a_file_that_is_missing_or_wrong_at_the_beginning_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        assert_eq!(opened(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        for wrong in [&b"x"[..], b"\xff"] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(opened(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
