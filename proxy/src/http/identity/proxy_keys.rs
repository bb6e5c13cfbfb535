//! Keys of this proxy's own: a file of their digests, each with the name of whoever has the key.

use std::collections::HashMap;

use http::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Name, bearer};
use crate::config::{IdentityConfig, IdentityFrom};
use crate::error::{ProxyError, StartError};
use crate::http::credentials::only_line;
use crate::http::reloaded::{self, Reloaded};

/// The keys that callers may have.
#[derive(Debug)]
pub(super) struct ProxyKeys(Reloaded<KeyList>);

impl ProxyKeys {
    /// Reads `identity.keys_file`.
    ///
    /// # Errors
    /// When it cannot be read or is no list of keys.
    pub(super) fn open(config: &IdentityConfig) -> Result<Self, StartError> {
        let missing = || StartError::Identity { from: config.from.label(), needs: "identity.keys_file" };
        let path = config.keys_file.as_deref().ok_or_else(missing)?;
        let opened = Reloaded::open("the keys", [path.to_owned()], |[path]| reloaded::read(path, KeyList::parse));
        opened.map(Self).map_err(|source| StartError::File {
            key: "identity.keys_file",
            path: path.to_owned(),
            source,
            expected: "a TOML or JSON file with keys, each with a name and the sha256 of the key",
        })
    }

    /// Whose key a request brings.
    ///
    /// # Errors
    /// [`ProxyError::UnknownKey`] when it brings none, or one that is not listed.
    pub(super) fn name(&self, headers: &HeaderMap) -> Result<Name, ProxyError> {
        let refused = |problem| ProxyError::UnknownKey { problem };
        let line = only_line(headers, &AUTHORIZATION).map_err(|_| refused("Authorization came several times"))?;
        let line = line.ok_or_else(|| refused("No key came"))?;
        let key = bearer(line).ok_or_else(|| refused("Authorization holds no bearer token"))?;
        let digest: [u8; 32] = Sha256::digest(key).into();
        let listed = self.0.latest();
        let name = listed.0.get(&digest).ok_or_else(|| refused("The key is not known here"))?;
        Ok(Name::new(IdentityFrom::ProxyKeys, vec![name.clone().into_bytes()]))
    }
}

/// The names by the SHA-256 of their keys.
#[derive(Debug)]
struct KeyList(HashMap<[u8; 32], String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    keys: Vec<WrittenKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    name: String,
    sha256: String,
}

impl KeyList {
    /// Reads a list in TOML or JSON. One name may have several keys, so that one can take the place of another.
    fn parse(text: &str) -> Result<Self, String> {
        // What the parsers say may show a line, which may hold a key by mistake.
        let Written { keys } = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| format!("line {} is not as expected", error.line()))?
        } else {
            toml::from_str(text).map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                format!("line {} is not as expected", before.matches('\n').count() + 1)
            })?
        };
        let mut names = HashMap::with_capacity(keys.len());
        for (index, WrittenKey { name, sha256 }) in keys.into_iter().enumerate() {
            if name.is_empty() {
                return Err(format!("keys[{index}].name is empty"));
            }
            let digest = digest(&sha256)
                .ok_or_else(|| format!("keys[{index}].sha256 (of {name:?}, not shown) is not 64 hexadecimal digits"))?;
            if names.insert(digest, name).is_some() {
                return Err(format!("keys[{index}].sha256 stands there before"));
            }
        }
        // A list may be empty, so that the last key can be taken out.
        Ok(Self(names))
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let bytes = digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit));
    bytes.collect::<Vec<u8>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::config::Config;

    /// SHA-256 of "abc" and of "".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const EMPTY: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

    fn listing(text: &str) -> ProxyKeys {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut config = Config::defaults().identity;
        config.keys_file = Some(file.path().to_owned());
        ProxyKeys::open(&config).unwrap()
    }

    fn authorized(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_listed_key_has_its_name_in_either_format_and_any_other_is_refused() {
        let toml =
            format!("[[keys]]\nname = \"ann\"\nsha256 = \"{ABC}\"\n\n[[keys]]\nname = \"ann\"\nsha256 = \"{EMPTY}\"\n");
        let json = format!(r#"{{"keys": [{{"name": "ann", "sha256": "{ABC}"}}]}}"#);
        for text in [toml, json] {
            let keys = listing(&text);
            let name = keys.name(&authorized(&["Bearer abc"])).unwrap();
            assert_eq!(name, Name::new(IdentityFrom::ProxyKeys, vec![b"ann".to_vec()]));
            for lines in [&[][..], &["Bearer abd"], &["abc"], &["Bearer"], &["Bearer abc", "Bearer abc"]] {
                let error = keys.name(&authorized(lines)).unwrap_err();
                assert_eq!(error.refusal().status, http::StatusCode::UNAUTHORIZED, "{lines:?}");
                assert!(!error.to_string().contains("ab"), "{error}");
            }
        }
    }

    #[test]
    fn the_last_key_can_be_taken_out() {
        assert!(KeyList::parse("keys = []").unwrap().0.is_empty());
    }

    #[test]
    fn a_list_that_is_none_is_refused_without_showing_what_may_be_a_key() {
        for (text, expected) in [
            ("", "line 1"),
            ("[[keys]]\nname = \"a\"\nsha256 = \"sk-hidden\"", "keys[0].sha256 (of \"a\", not shown)"),
            ("[[keys]]\nname = \"a\"\nkey = \"sk-hidden\"", "line"),
            ("[[keys]]\nname = sk-hidden", "line 2"),
            ("{\"keys\": \"sk-hidden\"}", "line 1"),
            (&format!("[[keys]]\nname = \"\"\nsha256 = \"{ABC}\""), "keys[0].name is empty"),
            (
                &format!("[[keys]]\nname = \"a\"\nsha256 = \"{ABC}\"\n[[keys]]\nname = \"b\"\nsha256 = \"{ABC}\""),
                "keys[1].sha256 stands there before",
            ),
        ] {
            let error = KeyList::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hidden"), "{text}: {error}");
        }
    }
}
