//! What a history is read from, as often as it takes: a file, or a copy of what can be read only once.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::cli::conversation;

/// A file that is read several times, each time from its beginning.
pub(super) struct Source(Arc<File>);

/// One pass over it.
pub(super) struct Pass {
    file: Arc<File>,
    at: u64,
}

impl Source {
    /// The file at `path`, or standard input for `-`. Of that, as of a pipe, a copy without a name is made, which is gone with the
    /// process.
    ///
    /// # Errors
    /// When it cannot be read or copied.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = match path == Path::new(conversation::INPUT) {
            true => copy(&mut io::stdin().lock())?,
            false => {
                let mut file = File::open(path)?;
                let kind = file.metadata()?.file_type();
                if kind.is_file() || kind.is_dir() { file } else { copy(&mut file)? }
            }
        };
        Ok(Self(Arc::new(file)))
    }

    /// Begins a pass.
    pub(super) fn pass(&self) -> Pass {
        Pass { file: Arc::clone(&self.0), at: 0 }
    }
}

impl Read for Pass {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn copy(source: &mut impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(source, &mut file)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::io::Write;

    use super::*;

    fn read(source: &Source) -> String {
        let mut text = String::new();
        source.pass().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_pass_begins_at_the_beginning_also_beside_another() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\ntwo\n").unwrap();
        let source = Source::open(file.path()).unwrap();
        let mut begun = source.pass();
        begun.read_exact(&mut [0; 3]).unwrap();
        assert_eq!((read(&source), read(&source)), ("one\ntwo\n".to_owned(), "one\ntwo\n".to_owned()));
        let mut rest = String::new();
        begun.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "\ntwo\n");
    }

    #[test]
    fn what_can_be_read_only_once_is_copied() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"one\n").unwrap();
        drop(writer);
        let source = Source(Arc::new(copy(&mut { reader }).unwrap()));
        assert_eq!((read(&source), read(&source)), ("one\n".to_owned(), "one\n".to_owned()));
    }

    #[test]
    fn what_is_no_file_is_the_systems_error() {
        assert!(Source::open(Path::new("/nowhere/history.jsonl")).is_err());
    }
}
