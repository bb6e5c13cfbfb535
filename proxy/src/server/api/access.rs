//! Whose memory a request may reach: a caller's own, or, with the admin token, any.
//!
//! It must not know what is done with the memory.

use http::header::{AUTHORIZATION, HeaderMap};
use mainpoint_store::Scope;

use super::query::shown;
use crate::config::ServerConfig;
use crate::error::{MemoryError, ProxyError};
use crate::prompt::Planner;

/// Who asks.
pub(super) struct Access<'a> {
    planner: &'a Planner,
    headers: &'a HeaderMap,
    is_admin: bool,
}

impl<'a> Access<'a> {
    /// The caller with these headers.
    pub(super) fn new(planner: &'a Planner, config: &ServerConfig, headers: &'a HeaderMap) -> Self {
        let is_admin = config.admin_token.as_ref().is_some_and(|token| brings(headers, token.expose()));
        Self { planner, headers, is_admin }
    }

    /// The scope that is meant, by its name where one is given.
    ///
    /// # Errors
    /// When a scope is named by somebody else than the admin, or none is by the admin; and when the headers name several users.
    pub(super) fn scope(&self, named: Option<&str>) -> Result<Scope, ProxyError> {
        match (self.is_admin, named) {
            (true, Some(name)) => Scope::new(name).map_err(|_| invalid(shown(name))),
            (true, None) => Err(invalid("missing".to_owned())),
            (false, Some(_)) => Err(ProxyError::Forbidden {
                message: "scope may be given with the admin token alone (server.admin_token_env); without it, it is the \
                    caller's own, by its key and its user's header.",
                param: Some("scope"),
            }),
            (false, None) => {
                let preparation = &self.planner.preparation;
                let user = preparation.callers.user(self.headers)?;
                let scope = preparation.keys.scope(&preparation.callers, self.headers, user);
                Ok(scope.map_err(MemoryError::from)?)
            }
        }
    }

    /// Makes sure that every memory may be reached.
    ///
    /// # Errors
    /// [`ProxyError::Forbidden`].
    pub(super) fn ensure_admin(&self) -> Result<(), ProxyError> {
        if self.is_admin {
            return Ok(());
        }
        Err(ProxyError::Forbidden {
            message: "This needs the admin token (server.admin_token_env) as a bearer token in the Authorization header.",
            param: Some("authorization"),
        })
    }
}

fn invalid(value: String) -> ProxyError {
    let allowed = "the name of a scope, as GET /mainpoint/v1/scopes lists them".to_owned();
    ProxyError::InvalidParameter { name: "scope".to_owned(), value, allowed }
}

/// Whether the token is the request's bearer token. Hashes are compared, which takes as long wherever they differ.
fn brings(headers: &HeaderMap, token: &str) -> bool {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let brought = line.to_str().ok().and_then(|line| line.split_once(' '));
    let brought = brought.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    brought.is_some_and(|brought| blake3::hash(brought.as_bytes()) == blake3::hash(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn only_the_whole_token_as_the_only_bearer_token_is_the_admins() {
        let with = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line| {
                headers.append(AUTHORIZATION, line.parse().unwrap());
            });
            brings(&headers, "s3cret")
        };
        assert!(with(&["Bearer s3cret"]) && with(&["bearer  s3cret"]));
        for lines in [&[][..], &["s3cret"], &["Bearer s3cre"], &["Bearer s3cret2"], &["Basic s3cret"], &["Bearer "]] {
            assert!(!with(lines), "{lines:?}");
        }
        assert!(!with(&["Bearer s3cret", "Bearer s3cret"]));
    }
}
