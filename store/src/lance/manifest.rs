//! The manifest of a LanceDB table, as far as it says whether it is whole and who wrote it.
//!
//! Responsible for: telling a manifest that was cut short, zeroed or written over from one that only this version
//! cannot read.
//!
//! Lance itself answers a torn manifest and one of a newer version with errors of many kinds. The first must be moved aside,
//! the second must never be, so the frame around the protobuf message and the message's own fields are walked through here.
//!
//! ```text
//! … index section, transaction …  u32 length  message  u64 position of the length  u16 major  u16 minor  "LANC"
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a look at a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manifest {
    /// Provably not what was written: a part of it is not there.
    Torn,
    /// Whole; `written_by` names the library that wrote it and its version.
    Whole {
        /// Such as `lance 14.0.2`.
        written_by: String,
    },
}

/// Every manifest ends with these bytes.
const MAGIC: &[u8; 4] = b"LANC";
/// Position, major and minor version, and the magic bytes.
const FOOTER: usize = 16;
const LENGTH: usize = 4;
/// The message's field with the writer's name and version.
const WRITER: u64 = 13;

/// Reads a manifest.
///
/// # Errors
/// What the operating system said.
pub(crate) fn read(path: &Path) -> io::Result<Manifest> {
    Ok(parse(&fs::read(path)?))
}

/// The manifests of a table with their versions, newest first; empty where there is no such directory.
///
/// # Errors
/// What the operating system said.
pub(crate) fn list(table: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(table.join("_versions")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(version) = version_of(&path) {
            found.push((version, path));
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    Ok(found)
}

/// Lance names manifests `{u64::MAX - version}.manifest` with 20 digits, in older tables `{version}.manifest`.
fn version_of(path: &Path) -> Option<u64> {
    let number = path.file_name()?.to_str()?.strip_suffix(".manifest")?;
    let value: u64 = number.parse().ok()?;
    Some(if number.len() == 20 { u64::MAX - value } else { value })
}

/// What the bytes of a manifest say.
pub(crate) fn parse(bytes: &[u8]) -> Manifest {
    match message(bytes).and_then(written_by) {
        Some(written_by) => Manifest::Whole { written_by },
        None => Manifest::Torn,
    }
}

/// The protobuf message in its frame.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let body = bytes.len().checked_sub(FOOTER)?;
    let (body, footer) = bytes.split_at(body);
    if !footer.ends_with(MAGIC) {
        return None;
    }
    let position = usize::try_from(u64::from_le_bytes(footer.get(..8)?.try_into().ok()?)).ok()?;
    let (length, message) = body.get(position..)?.split_at_checked(LENGTH)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    (length == message.len() && length > 0).then_some(message)
}

/// Who wrote the message, by walking all of its fields; `None` where they do not follow each other to its end.
fn written_by(message: &[u8]) -> Option<String> {
    let mut writer = "an unnamed writer".to_owned();
    let mut fields = Fields(message);
    while !fields.0.is_empty() {
        let (number, content) = fields.next()?;
        if number == WRITER {
            let mut words = Vec::new();
            let mut named = Fields(content?);
            while !named.0.is_empty() {
                let (_, content) = named.next()?;
                words.push(std::str::from_utf8(content?).ok()?);
            }
            writer = words.join(" ");
        }
    }
    Some(writer)
}

/// What is left of a protobuf message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field's number, and its bytes where it has a length.
    fn next(&mut self) -> Option<(u64, Option<&'a [u8]>)> {
        let tag = self.number()?;
        let number = tag >> 3;
        if number == 0 {
            return None;
        }
        let content = match tag & 7 {
            0 => {
                self.number()?;
                None
            }
            1 => {
                self.take(8)?;
                None
            }
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Some(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                None
            }
            _ => return None,
        };
        Some((number, content))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    /// A manifest with two fields and its writer, behind `before` other bytes.
    fn manifest(before: usize) -> Vec<u8> {
        let writer = [&[0x0a, 5][..], b"lance", &[0x12, 6], b"15.1.0"].concat();
        let message =
            [&[0x18, 0x96, 0x01][..], &[0x6a, u8::try_from(writer.len()).unwrap()], &writer, &[0x48, 0x00]].concat();
        let length = u32::try_from(message.len()).unwrap().to_le_bytes();
        [&vec![7; before][..], &length, &message, &(before as u64).to_le_bytes(), &[0, 0, 2, 0], MAGIC].concat()
    }

    #[test]
    fn a_whole_manifest_names_its_writer() {
        for before in [0, 1, 300] {
            let whole = Manifest::Whole { written_by: "lance 15.1.0".to_owned() };
            assert_eq!(parse(&manifest(before)), whole);
        }
    }

    #[test]
    fn a_newer_version_of_the_file_format_is_no_damage() {
        let mut newer = manifest(20);
        let minor = newer.len() - 6;
        newer[minor] = 9;
        assert!(matches!(parse(&newer), Manifest::Whole { .. }));
    }

    #[test]
    fn versions_are_read_from_both_ways_of_naming() {
        let version = |name: &str| version_of(Path::new(name));
        assert_eq!(version("18446744073709551610.manifest"), Some(5));
        assert_eq!(version("7.manifest"), Some(7));
        assert_eq!(version("latest_version_hint.json"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_cut_off_or_zeroed_is_torn(before in 0_usize..40, cut in 0_usize..200, keep in any::<bool>()) {
            let whole = manifest(before);
            let cut = cut % whole.len();
            let mut torn = whole[..cut].to_vec();
            if keep {
                torn.resize(whole.len(), 0);
            }
            prop_assert_eq!(parse(&torn), Manifest::Torn);
        }

        #[test]
        fn no_bytes_at_all_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let framed = [&bytes[..], &0_u64.to_le_bytes(), &[0, 0, 1, 0], MAGIC].concat();
            let _ = parse(&framed);
        }
    }
}
