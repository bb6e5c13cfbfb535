//! An example: a folder of `tests/examples` with a request, and with what the upstream receives for it.
//!
//! `config.toml` holds the lines of the section `[memory]`, `request.json` is sent as it stands, and `forwarded.json`
//! is what has to arrive. What differs from run to run is masked: see [`masked`].

use std::path::{Path, PathBuf};

use crate::checkout;
use crate::difference::difference;
use crate::proxy::ProxyBuilder;

/// Set to anything but nothing, it has every `forwarded.json` written anew.
pub const UPDATE: &str = "MAINPOINT_UPDATE_EXAMPLES";

/// What differs from run to run, every digit a 0: the number of a block, as it stands in JSON, and a time.
const NUMBER: &str = "#000000000\\n";
const DAY: &str = "[day]";

/// An example.
#[derive(Debug, Clone)]
pub struct Example {
    folder: PathBuf,
}

/// The folder of all examples.
#[must_use]
pub fn folder() -> PathBuf {
    checkout::root().join("tests/examples")
}

impl Example {
    /// The example in the folder of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { folder: folder().join(name) }
    }

    /// What is sent.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn request(&self) -> String {
        read(&self.folder.join("request.json"))
    }

    /// The same proxy with the example's settings of the memory.
    ///
    /// # Panics
    /// When the file cannot be read, or begins with another section.
    #[must_use]
    pub fn configured(&self, proxy: ProxyBuilder) -> ProxyBuilder {
        let text = read(&self.folder.join("config.toml"));
        let settings = text.strip_prefix("[memory]\n").expect("the section [memory] and no other");
        settings.lines().fold(proxy, |proxy, line| proxy.setting("memory", line))
    }

    /// Makes sure that `body` is what the example says, or writes it down where [`UPDATE`] says so.
    ///
    /// # Panics
    /// When it is something else; the message shows the difference.
    pub fn assert_forwarded(&self, body: &[u8]) {
        let forwarded = masked(std::str::from_utf8(body).expect("a request in UTF-8"));
        let file = self.folder.join("forwarded.json");
        if std::env::var_os(UPDATE).is_some_and(|value| !value.is_empty()) {
            std::fs::write(&file, &forwarded).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            return;
        }
        let expected = read(&file);
        assert!(
            forwarded == expected,
            "another request was forwarded than {} says (- the file, + what was forwarded; {UPDATE}=1 writes it anew):\n{}",
            file.display(),
            difference(&broken(&expected), &broken(&forwarded))
        );
    }
}

/// The text without what differs from run to run: zeros for the digits of the numbers of blocks, which are keyed hashes, and
/// `[day]` for the days on which something was said.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (written, length) = if is_number(rest) {
            (NUMBER, NUMBER.len())
        } else if let Some(length) = day(rest) {
            (DAY, length)
        } else {
            (&rest[..character.len_utf8()], character.len_utf8())
        };
        masked.push_str(written);
        rest = &rest[length..];
    }
    masked
}

/// Whether a text begins with the number of a block.
fn is_number(text: &str) -> bool {
    let same = |(mask, byte): (u8, u8)| mask == byte || mask == b'0' && byte.is_ascii_digit();
    text.len() >= NUMBER.len() && NUMBER.bytes().zip(text.bytes()).all(same)
}

/// The length of a day such as `[28 November 2026]` at the beginning of a text.
fn day(text: &str) -> Option<usize> {
    let (inside, _) = text.strip_prefix('[')?.split_once(']')?;
    let parts: Vec<&str> = inside.split(' ').collect();
    let [day, month, year] = parts[..] else { return None };
    let is_day = [day, year].iter().all(|digits| digits.parse::<u16>().is_ok());
    (is_day && year.len() == 4 && month.chars().all(char::is_alphabetic)).then_some(inside.len() + 2)
}

/// JSON with a line of its own for every line of its texts, to be compared.
fn broken(json: &str) -> String {
    json.replace("\\n", "\\n\n")
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn numbers_of_blocks_and_days_are_masked_and_nothing_else_is() {
        assert_eq!(
            masked("é #123456789\\n[28 November 2026]\\n[1 May 2026] #1234567890\\n 28 November 2026 [1 2 3]"),
            "é #000000000\\n[day]\\n[day] #1234567890\\n 28 November 2026 [1 2 3]"
        );
    }
}
