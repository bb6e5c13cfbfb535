//! Keys of this proxy's own: a file of their digests, each with the name of whoever has the key.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap};

use super::key_list::KeyList;
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
            expected: "a TOML or JSON file with keys, each with a name and the sha256 of the key, as `mainpoint keys add NAME` writes it",
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
        let listed = self.0.latest();
        let name = listed.name_of(key).ok_or_else(|| refused("The key is not known here"))?;
        Ok(Name::new(IdentityFrom::ProxyKeys, vec![name.as_bytes().to_vec()]))
    }

    /// The keys that are listed now.
    pub(super) fn listed(&self) -> Arc<KeyList> {
        self.0.latest()
    }
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
}
