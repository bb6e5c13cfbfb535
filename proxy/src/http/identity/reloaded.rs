//! A file of keys that is read again when it has changed.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::telemetry::logs::OncePerMinute;

/// What a file says. While the file cannot be read, what it said last holds.
#[derive(Debug)]
pub(super) struct Reloaded<T> {
    path: PathBuf,
    parse: fn(&str) -> Result<T, String>,
    /// How long what was read last is not compared with the file.
    pause: Duration,
    state: Mutex<State<T>>,
    warnings: OncePerMinute,
}

#[derive(Debug)]
struct State<T> {
    value: Arc<T>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// When a file was written last, its length in bytes, and its number: one that takes another's place has another.
type Stamp = (SystemTime, u64, u64);

impl<T> Reloaded<T> {
    /// Reads the file at `path`. `parse` says in words what is wrong with its text, without any secret that it may hold.
    ///
    /// # Errors
    /// When it cannot be read; of the kind [`io::ErrorKind::InvalidData`] when it does not hold what it should.
    pub(super) fn open(path: &Path, parse: fn(&str) -> Result<T, String>) -> io::Result<Self> {
        let stamp = stamp(path).ok();
        let state = State { value: Arc::new(read(path, parse)?), stamp, looked: Instant::now() };
        let (path, state) = (path.to_owned(), Mutex::new(state));
        Ok(Self { path, parse, pause: PAUSE, state, warnings: OncePerMinute::default() })
    }

    /// What the file says, or said a second ago.
    pub(super) fn latest(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= self.pause {
            state.looked = Instant::now();
            let stamp = stamp(&self.path).ok();
            if stamp != state.stamp {
                self.read_again(&mut state, stamp);
            }
        }
        Arc::clone(&state.value)
    }

    fn read_again(&self, state: &mut State<T>, stamp: Option<Stamp>) {
        match read(&self.path, self.parse) {
            Ok(value) => {
                (state.value, state.stamp) = (Arc::new(value), stamp);
                tracing::info!(file = %self.path.display(), "the keys were read again");
            }
            Err(error) => {
                if self.warnings.allows("keys") {
                    let file = self.path.display();
                    tracing::warn!(%file, error = %error, "the keys cannot be read again; those that were read before hold");
                }
            }
        }
    }
}

const PAUSE: Duration = Duration::from_secs(1);
/// Bytes of a file from which on it is no file of keys.
const MOST: u64 = 8 << 20;

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len(), metadata.ino()))
}

fn read<T>(path: &Path, parse: fn(&str) -> Result<T, String>) -> io::Result<T> {
    let wrong = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(wrong(format!("it has more than {MOST} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("the text is not UTF-8".to_owned()))?;
    parse(text).map_err(wrong)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn number(text: &str) -> Result<u32, String> {
        text.trim().parse().map_err(|_| "no number".to_owned())
    }

    fn opened(path: &Path) -> Reloaded<u32> {
        let mut opened = Reloaded::open(path, number).unwrap();
        opened.pause = Duration::ZERO;
        opened
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_breaks_leaves_what_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, "1").unwrap();
        let file = opened(&path);
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
        assert_eq!(Reloaded::open(&path, number).unwrap_err().kind(), io::ErrorKind::NotFound);
        for wrong in [&b"x"[..], b"\xff"] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(Reloaded::open(&path, number).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
