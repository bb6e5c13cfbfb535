//! Which headers say who a caller is: keys and tokens of services and gateways, what chooses an account with them, and the
//! user that a caller names.
//!
//! It must not know what callers are told apart for, nor whether a credential is good.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::config::MemoryConfig;
use crate::error::ProxyError;

/// The headers by which callers and their users are told apart.
#[derive(Debug, Clone)]
pub(crate) struct CallerHeaders {
    /// Names a user of the caller.
    user: HeaderName,
    /// What counts as a credential besides the headers that always do.
    more: Arc<[HeaderName]>,
}

impl CallerHeaders {
    /// As the configuration has it.
    pub(crate) fn new(config: &MemoryConfig) -> Self {
        Self { user: config.user_header.clone(), more: config.credential_headers.as_slice().into() }
    }

    /// Whether a header of this name is a credential.
    pub(crate) fn is_credential(&self, name: &HeaderName) -> bool {
        *name != self.user && (is_credential(name) || self.more.contains(name))
    }

    /// The names of the credentials among `headers`, each once, in the order of their letters.
    pub(crate) fn credentials<'a>(&self, headers: &'a HeaderMap) -> Vec<&'a HeaderName> {
        let mut names: Vec<&HeaderName> = headers.keys().filter(|name| self.is_credential(name)).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        names
    }

    /// The bytes that name the caller's user; `None` when the header is missing or empty.
    ///
    /// # Errors
    /// When several lines of the header came, since only one of them can be meant.
    pub(crate) fn user<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a [u8]>, ProxyError> {
        user(headers, &self.user)
    }
}

/// The bytes of the one user that `header` names; see [`CallerHeaders::user`].
///
/// # Errors
/// When several lines of the header came.
pub(crate) fn user<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, ProxyError> {
    let mut lines = headers.get_all(header).iter();
    let first = lines.next();
    if lines.next().is_some() {
        return Err(ProxyError::SeveralUsers { header: header.to_string() });
    }
    Ok(first.map(HeaderValue::as_bytes).filter(|user| !user.is_empty()))
}

/// Whether the caller brings a key with which a service or a gateway answers.
pub(crate) fn brings_key(headers: &HeaderMap) -> bool {
    KEYS.iter().any(|name| headers.contains_key(name))
}

/// Whether a header of this name, in any letters, holds such a key.
pub(crate) fn is_key(name: &str) -> bool {
    KEYS.iter().any(|key| key.as_str().eq_ignore_ascii_case(name))
}

/// The headers that services and gateways take keys from: OpenAI, Azure, Anthropic, Google, Azure's API management, and the
/// gateways LiteLLM, Portkey and Bifrost.
static KEYS: [HeaderName; 8] = [
    AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("ocp-apim-subscription-key"),
    HeaderName::from_static("x-litellm-api-key"),
    HeaderName::from_static("x-portkey-api-key"),
    HeaderName::from_static("x-bf-vk"),
];

/// Headers that choose an account or hold its keys, though no word of their names says so.
const ACCOUNTS: [&str; 7] = [
    "openai-organization",
    "openai-project",
    "chatgpt-account-id",
    "x-goog-user-project",
    "x-portkey-config",
    "x-bf-vk",
    "cf-access-client-id",
];

/// How a word of a header's name ends that holds a credential, as in `x-goog-api-key`, `helicone-auth`,
/// `cf-aig-authorization`, `x-amz-security-token` and `x-apikey`.
const ENDINGS: [&str; 9] =
    ["key", "token", "secret", "auth", "authorization", "authentication", "credential", "credentials", "password"];

/// Words of names whose value is another one with every request, or is the same for all callers: `idempotency-key`,
/// `x-csrf-token`, `x-cache-key`, and what a browser adds by itself (`sec-websocket-key`).
const NOT_CALLERS: [&str; 5] = ["idempotency", "csrf", "xsrf", "cache", "sec"];

/// Cookies are no credential here: load balancers, bot filters and analytics change them all the time, and each change would
/// begin an empty memory. Who logs callers in by a cookie names `cookie` in `memory.credential_headers`.
fn is_credential(name: &HeaderName) -> bool {
    let name = name.as_str();
    if ACCOUNTS.contains(&name) {
        return true;
    }
    let words = || name.split(['-', '_', '.']);
    let holds = |word: &str| ENDINGS.iter().any(|ending| word.ends_with(ending));
    words().any(holds) && !words().any(|word| NOT_CALLERS.contains(&word))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::config::Config;

    fn callers(more: &[&'static str]) -> CallerHeaders {
        let mut config = Config::defaults().memory;
        config.credential_headers = more.iter().map(|name| HeaderName::from_static(name)).collect();
        CallerHeaders::new(&config)
    }

    #[test]
    fn the_headers_that_services_and_gateways_take_credentials_from_count() {
        let callers = callers(&[]);
        for name in [
            "authorization",
            "proxy-authorization",
            "api-key",
            "x-api-key",
            "x-goog-api-key",
            "x-goog-user-project",
            "ocp-apim-subscription-key",
            "cf-aig-authorization",
            "cf-access-client-id",
            "cf-access-client-secret",
            "helicone-auth",
            "x-portkey-api-key",
            "x-portkey-virtual-key",
            "x-portkey-config",
            "x-litellm-api-key",
            "x-bf-vk",
            "x-kong-api-key",
            "x-functions-key",
            "x-rapidapi-key",
            "x-model-authorization",
            "x-forwarded-authorization",
            "x-auth-token",
            "x-access-token",
            "x-session-token",
            "x-amz-security-token",
            "x-apikey",
            "apikey",
            "api_key",
            "dd-api-key",
            "dd-application-key",
            "openai-organization",
            "openai-project",
            "chatgpt-account-id",
        ] {
            assert!(callers.is_credential(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn what_changes_with_every_request_and_what_every_client_sends_does_not() {
        let callers = callers(&[]);
        for name in [
            "host",
            "accept",
            "user-agent",
            "content-type",
            "content-length",
            "cookie",
            "idempotency-key",
            "x-idempotency-key",
            "x-csrf-token",
            "sec-websocket-key",
            "x-cache-key",
            "x-request-id",
            "x-session-id",
            "session_id",
            "x-stainless-retry-count",
            "openai-beta",
            "anthropic-version",
            "x-title",
            "http-referer",
            "traceparent",
            "x-forwarded-for",
            "x-mainpoint-mode",
            "x-mainpoint-user",
        ] {
            assert!(!callers.is_credential(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn configured_headers_count_too_and_the_users_header_is_none() {
        let mut headers = HeaderMap::new();
        for name in ["x-team", "cookie", "authorization", "accept"] {
            headers.append(name, HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
        }
        assert_eq!(callers(&["x-team", "cookie"]).credentials(&headers), ["authorization", "cookie", "x-team"]);
        assert_eq!(callers(&[]).credentials(&headers), ["authorization"]);
        let mut config = Config::defaults().memory;
        config.user_header = HeaderName::from_static("x-user-token");
        assert!(!CallerHeaders::new(&config).is_credential(&config.user_header));
    }

    #[test]
    fn one_user_is_named_by_its_bytes_an_empty_header_names_none_and_two_are_an_error() {
        let callers = callers(&[]);
        let mut headers = HeaderMap::new();
        assert_eq!(callers.user(&headers).unwrap(), None);
        headers.insert("x-mainpoint-user", HeaderValue::from_static(""));
        assert_eq!(callers.user(&headers).unwrap(), None);
        headers.insert("x-mainpoint-user", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(callers.user(&headers).unwrap(), Some(&b"\xff\xfe"[..]));
        headers.append("x-mainpoint-user", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        let error = callers.user(&headers).unwrap_err();
        assert_eq!(error.param(), Some("x-mainpoint-user"));
        assert_eq!(error.refusal().status, http::StatusCode::BAD_REQUEST);
    }
}
