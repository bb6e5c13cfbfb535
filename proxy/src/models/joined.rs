//! Several files, read as if they were one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Files one after the other. They must not change while they are read.
#[derive(Debug)]
pub(super) struct Joined {
    parts: Vec<Part>,
    /// Bytes of all parts.
    length: u64,
    /// Where the next byte is read.
    position: u64,
}

#[derive(Debug)]
struct Part {
    file: File,
    /// Where it begins in the whole.
    start: u64,
    length: u64,
}

impl Joined {
    /// Opens the files, in their order.
    pub(super) fn open(paths: impl Iterator<Item = PathBuf>) -> io::Result<Self> {
        let mut parts = Vec::new();
        let mut start = 0;
        for path in paths {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            parts.push(Part { file, start, length });
            start += length;
        }
        Ok(Self { parts, length: start, position: 0 })
    }
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let position = self.position;
        let part = self.parts.iter_mut().find(|part| (part.start..part.start + part.length).contains(&position));
        let Some(part) = part else { return Ok(0) };
        part.file.seek(SeekFrom::Start(position - part.start))?;
        let count = part.file.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.length.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn a_seek() -> impl Strategy<Value = SeekFrom> {
        prop_oneof![
            (0_u64..80).prop_map(SeekFrom::Start),
            (-80_i64..20).prop_map(SeekFrom::End),
            (-80_i64..80).prop_map(SeekFrom::Current),
        ]
    }

    proptest! {
        #[test]
        fn parts_are_read_like_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5),
            steps in prop::collection::vec((a_seek(), 0_u64..30), 1..8),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let paths: Vec<PathBuf> = (0..parts.len()).map(|part| directory.path().join(part.to_string())).collect();
            for (path, part) in paths.iter().zip(&parts) {
                std::fs::write(path, part).unwrap();
            }
            let mut joined = Joined::open(paths.into_iter()).unwrap();
            let mut whole = Cursor::new(parts.concat());
            for (seek, count) in steps {
                let (found, expected) = (joined.seek(seek), whole.seek(seek));
                prop_assert_eq!(found.ok(), expected.ok());
                let (mut read, mut wanted) = (Vec::new(), Vec::new());
                joined.by_ref().take(count).read_to_end(&mut read).unwrap();
                whole.by_ref().take(count).read_to_end(&mut wanted).unwrap();
                prop_assert_eq!(read, wanted);
            }
        }
    }
}
