//! The caller's name as its token says it: a JWT that is verified here, or that the upstream will verify.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use jsonwebtoken::dangerous::insecure_decode_claims;

use super::claims::ClaimRules;
use super::key_set::KeySet;
use super::{Name, bearer, signatures};
use crate::config::Config;
use crate::error::StartError;
use crate::http::credentials::{CallerHeaders, in_query, only_line};
use crate::http::reloaded::{self, Reloaded};

/// Where tokens come, why they are believed, and what of them counts.
#[derive(Debug)]
pub(super) struct TokenSource {
    header: HeaderName,
    belief: Belief,
    rules: ClaimRules,
}

/// Why a token is believed.
#[derive(Debug)]
enum Belief {
    /// One of the keys in a file has signed it.
    File(Reloaded<KeySet>),
    /// It was signed with our secret.
    Secret(KeySet),
    /// The upstream will refuse it if it is forged.
    Upstream(CallerHeaders),
}

impl TokenSource {
    /// As the configuration has it; reads `identity.jwks_file`.
    ///
    /// # Errors
    /// When that cannot be read or holds no keys.
    pub(super) fn open(config: &Config) -> Result<Self, StartError> {
        signatures::provide();
        let identity = &config.identity;
        let needs = |needs| StartError::Identity { from: identity.from.label(), needs };
        let belief = match (&identity.jwks_file, &identity.secret) {
            (Some(path), _) => {
                let keys = Reloaded::open("the keys", [path.clone()], |[path]| reloaded::read(path, KeySet::parse));
                Belief::File(keys.map_err(|source| StartError::File {
                    key: "identity.jwks_file",
                    path: path.clone(),
                    source,
                    expected: "a JWKS, or public keys in PEM",
                })?)
            }
            (None, Some(secret)) => {
                let keys = KeySet::of_secret(secret.expose());
                Belief::Secret(keys.ok_or_else(|| needs("a secret in the variable of identity.secret_env"))?)
            }
            (None, None) if identity.verified_upstream => Belief::Upstream(CallerHeaders::new(&config.memory)),
            (None, None) => {
                return Err(needs("identity.jwks_file, identity.secret_env or identity.verified_upstream"));
            }
        };
        Ok(Self { header: identity.header_name(), belief, rules: ClaimRules::new(identity) })
    }

    /// Whether tokens are believed because the upstream verifies them.
    pub(super) fn is_on_trust(&self) -> bool {
        matches!(self.belief, Belief::Upstream(_))
    }

    /// Whose token a request brings at `now`, in seconds since 1970; `None` if it brings none that counts.
    pub(super) fn name(&self, headers: &HeaderMap, query: Option<&str>, now: i64) -> Option<Name> {
        let token = self.token(headers)?;
        let claims = match &self.belief {
            Belief::File(keys) => keys.latest().claims(token)?,
            Belief::Secret(keys) => keys.claims(token)?,
            Belief::Upstream(callers) if self.is_the_only_key(callers, headers, query) => {
                insecure_decode_claims(token).ok()?
            }
            Belief::Upstream(_) => return None,
        };
        self.rules.name(&claims, now)
    }

    fn token<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let line = only_line(headers, &self.header).ok().flatten()?;
        let token = match bearer(line) {
            None if self.header != AUTHORIZATION => line,
            token => token?,
        };
        std::str::from_utf8(token).ok()
    }

    /// With another key beside it the upstream may not look at the token at all.
    fn is_the_only_key(&self, callers: &CallerHeaders, headers: &HeaderMap, query: Option<&str>) -> bool {
        let is_another = |name: &&HeaderName| **name != self.header && callers.is_accepted_alone(name);
        in_query(query).is_empty() && !headers.keys().any(|name| is_another(&name))
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
