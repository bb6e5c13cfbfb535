//! Who operates the proxy: whoever brings the admin token, and where others cannot connect, every program of this machine.

use http::header::{AUTHORIZATION, HeaderMap};

use crate::config::ServerConfig;
use crate::error::ProxyError;

/// Whether the request with these headers brings the admin token.
pub(super) fn is_admin(server: &ServerConfig, headers: &HeaderMap) -> bool {
    server.admin_token.as_ref().is_some_and(|token| brings(headers, token.expose()))
}

/// Makes sure that the request with these headers brings the admin token.
///
/// # Errors
/// [`ProxyError::Forbidden`].
pub(super) fn ensure_admin(server: &ServerConfig, headers: &HeaderMap) -> Result<(), ProxyError> {
    if is_admin(server, headers) {
        return Ok(());
    }
    Err(ProxyError::Forbidden {
        message: "This needs the admin token (server.admin_token_env) as a bearer token in the Authorization header."
            .into(),
        param: Some("authorization"),
    })
}

/// Makes sure that the request with these headers is the operator's. Where only this machine can connect each one is.
///
/// # Errors
/// [`ProxyError::Forbidden`].
pub(super) fn ensure_operator(server: &ServerConfig, headers: &HeaderMap) -> Result<(), ProxyError> {
    if server.is_local() { Ok(()) } else { ensure_admin(server, headers) }
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
    use crate::config::Config;
    use crate::secret::Secret;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_whole_token_as_the_only_bearer_token_is_the_admins() {
        let with = |lines: &[&str]| brings(&headers(lines), "s3cret");
        assert!(with(&["Bearer s3cret"]) && with(&["bearer  s3cret"]));
        for lines in [&[][..], &["s3cret"], &["Bearer s3cre"], &["Bearer s3cret2"], &["Basic s3cret"], &["Bearer "]] {
            assert!(!with(lines), "{lines:?}");
        }
        assert!(!with(&["Bearer s3cret", "Bearer s3cret"]));
    }

    #[test]
    fn the_operator_needs_the_token_where_others_can_connect() {
        let mut server = Config::defaults().server;
        server.admin_token = Some(Secret::new("s3cret".to_owned()));
        for (listen, without) in [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("10.1.2.3:1", false)]
        {
            server.listen = listen.parse().unwrap();
            assert_eq!(ensure_operator(&server, &headers(&[])).is_ok(), without, "{listen}");
            assert!(ensure_operator(&server, &headers(&["Bearer s3cret"])).is_ok(), "{listen}");
        }
    }
}
