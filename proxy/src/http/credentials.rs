//! Which headers, and parameters of a query, say who a caller is: keys and tokens of services and gateways, what chooses an account
//! with them or names whom a gateway let in, and the user and the project that a caller names.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::form_urlencoded;

use crate::config::MemoryConfig;
use crate::error::ProxyError;

/// The headers by which callers, their projects and their users are told apart.
#[derive(Debug, Clone)]
pub(crate) struct CallerHeaders {
    /// Names a user of the caller.
    user: HeaderName,
    /// Names a project of the caller.
    project: HeaderName,
    /// What counts as a credential besides the headers that always do.
    more: Arc<[HeaderName]>,
}

impl CallerHeaders {
    /// As the configuration has it.
    pub(crate) fn new(config: &MemoryConfig) -> Self {
        Self {
            user: config.user_header.clone(),
            project: config.project_header.clone(),
            more: config.credential_headers.as_slice().into(),
        }
    }

    /// Whether a header of this name is a credential.
    pub(crate) fn is_credential(&self, name: &HeaderName) -> bool {
        ![&self.user, &self.project].contains(&name) && (is_credential(name.as_str()) || self.more.contains(name))
    }

    /// Whether a service may take a request because of a header of this name, whatever the others say.
    pub(crate) fn is_accepted_alone(&self, name: &HeaderName) -> bool {
        self.is_credential(name) && !ACCOUNTS.contains(&name.as_str()) && !PEOPLE.contains(&name.as_str())
    }

    /// The names of the credentials among `headers`, each once, in the order of their letters.
    pub(crate) fn credentials<'a>(&self, headers: &'a HeaderMap) -> Vec<&'a HeaderName> {
        let mut names: Vec<&HeaderName> = headers.keys().filter(|name| self.is_credential(name)).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        names
    }

    /// The header that names a user of the caller.
    pub(crate) fn user_header(&self) -> &HeaderName {
        &self.user
    }

    /// The header that names a project of the caller.
    pub(crate) fn project_header(&self) -> &HeaderName {
        &self.project
    }

    /// The bytes that name the caller's user; `None` when the header is missing or empty.
    ///
    /// # Errors
    /// When several lines of the header came, since only one of them can be meant.
    pub(crate) fn user<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a [u8]>, ProxyError> {
        user(headers, &self.user)
    }

    /// The bytes that name the caller's project; `None` when the header is missing or empty.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub(crate) fn project<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a [u8]>, ProxyError> {
        project(headers, &self.project)
    }
}

/// The bytes of the one user that `header` names; see [`CallerHeaders::user`].
///
/// # Errors
/// When several lines of the header came.
pub(crate) fn user<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, ProxyError> {
    only_line(headers, header).map_err(|header| ProxyError::SeveralUsers { header })
}

/// The bytes of the one project that `header` names; see [`CallerHeaders::project`].
///
/// # Errors
/// When several lines of the header came.
pub(crate) fn project<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, ProxyError> {
    only_line(headers, header).map_err(|header| ProxyError::SeveralProjects { header })
}

/// What the only line of a header says, `None` where it says nothing.
///
/// # Errors
/// The header's name, when it has several lines.
pub(crate) fn only_line<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a [u8]>, String> {
    let mut lines = headers.get_all(header).iter();
    let first = lines.next();
    match lines.next() {
        Some(_) => Err(header.to_string()),
        None => Ok(first.map(HeaderValue::as_bytes).filter(|line| !line.is_empty())),
    }
}

/// The credentials in a query, such as `subscription-key=…`, by the letters of their names; those of one name in their order.
pub(crate) fn in_query(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let credentials = pairs.filter(|(name, _)| is_credential(&name.to_ascii_lowercase()));
    let mut credentials: Vec<(String, String)> =
        credentials.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect();
    credentials.sort_by(|(one, _), (other, _)| one.cmp(other));
    credentials
}

/// Whether a parameter of a query, by its name, holds a key that services take from there.
pub(crate) fn is_key_in_query(name: &str) -> bool {
    let name = name.replace('_', "-");
    is_key(&name) || QUERY_KEYS.iter().any(|key| key.eq_ignore_ascii_case(&name))
}

/// A query without the keys that services take from it, and every other byte of it as it was; `None` where nothing else is there.
pub(crate) fn without_keys(query: &str) -> Option<String> {
    let holds_key =
        |pair: &&str| form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| is_key_in_query(&name));
    let kept: Vec<&str> = query.split('&').filter(|pair| !holds_key(pair)).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// What keys are called in a query besides as in a header, with a hyphen between words.
const QUERY_KEYS: [&str; 6] = ["key", "apikey", "subscription-key", "access-token", "auth-token", "token"];

/// Whether a protocol that a WebSocket may speak is in truth a key: a page in a browser can send it in no other way.
pub(crate) fn is_key_as_protocol(protocol: &str) -> bool {
    let begins = protocol.get(..PROTOCOL_KEY.len());
    begins.is_some_and(|begin| begin.eq_ignore_ascii_case(PROTOCOL_KEY))
}

const PROTOCOL_KEY: &str = "openai-insecure-api-key.";

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
pub(crate) static KEYS: [HeaderName; 8] = [
    AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("ocp-apim-subscription-key"),
    HeaderName::from_static("x-litellm-api-key"),
    HeaderName::from_static("x-portkey-api-key"),
    HeaderName::from_static("x-bf-vk"),
];

/// Headers that hold a key or its better half, though no word of their names says so.
const HOLDERS: [&str; 4] = ["x-bf-vk", "x-portkey-config", "cf-access-client-id", "x-ibm-client-id"];

/// Headers that choose an account with a key.
const ACCOUNTS: [&str; 4] = ["openai-organization", "openai-project", "chatgpt-account-id", "x-goog-user-project"];

/// Headers that name whom a gateway or an application let in who calls with one key for all: oauth2-proxy and Authelia, Amazon's load
/// balancer, Azure's App Service, Google's Identity-Aware Proxy, Cloudflare Access, Tailscale, Kong, Grafana, LiteLLM, Helicone,
/// Open WebUI. Whoever makes them up divides its own memory, since its credentials count as well.
const PEOPLE: [&str; 27] = [
    "remote-user",
    "x-remote-user",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-preferred-username",
    "x-authenticated-user",
    "x-authenticated-userid",
    "x-webauth-user",
    "x-amzn-oidc-identity",
    "x-ms-client-principal-id",
    "x-ms-client-principal-name",
    "x-goog-authenticated-user-id",
    "x-goog-authenticated-user-email",
    "cf-access-authenticated-user-email",
    "tailscale-user-login",
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-litellm-customer-id",
    "x-litellm-end-user-id",
    "helicone-user-id",
    "x-openwebui-user-id",
    "x-openwebui-user-email",
    "x-scope-orgid",
];

/// How a word of a header's name ends that holds a credential, as in `x-goog-api-key`, `helicone-auth`,
/// `cf-aig-authorization`, `x-amz-security-token`, `x-apikey` and `x-forwarded-client-cert`.
const ENDINGS: [&str; 10] = [
    "key",
    "token",
    "secret",
    "auth",
    "authorization",
    "authentication",
    "credential",
    "credentials",
    "password",
    "cert",
];

/// Words of names whose value is another one with every request, or is the same for all callers: `idempotency-key`,
/// `x-csrf-token`, `x-cache-key`, and what a browser adds by itself (`sec-websocket-key`).
const NOT_CALLERS: [&str; 5] = ["idempotency", "csrf", "xsrf", "cache", "sec"];

/// Cookies are no credential here: load balancers, bot filters and analytics change them all the time, and each change would
/// begin an empty memory. Who logs callers in by a cookie names `cookie` in `memory.credential_headers`. The same holds for the
/// assertions that some gateways add and write anew every few minutes (`x-goog-iap-jwt-assertion`): the name beside them stays.
fn is_credential(name: &str) -> bool {
    if HOLDERS.contains(&name) || ACCOUNTS.contains(&name) || PEOPLE.contains(&name) {
        return true;
    }
    let words = || name.split(['-', '_', '.']);
    let holds = |word: &str| ENDINGS.iter().any(|ending| word.ends_with(ending));
    words().any(holds) && !words().any(|word| NOT_CALLERS.contains(&word))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

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
            "x-forwarded-client-cert",
            "x-arr-clientcert",
            "x-ibm-client-id",
            "x-forwarded-user",
            "x-auth-request-email",
            "x-amzn-oidc-identity",
            "x-ms-client-principal-id",
            "x-goog-authenticated-user-id",
            "x-openwebui-user-id",
            "x-litellm-end-user-id",
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
            "x-goog-iap-jwt-assertion",
            "cf-access-jwt-assertion",
            "dpop",
            "x-mainpoint-mode",
            "x-mainpoint-user",
            "x-mainpoint-project",
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
        config.project_header = HeaderName::from_static("x-project-key");
        let callers = CallerHeaders::new(&config);
        assert!(!callers.is_credential(&config.user_header) && !callers.is_credential(&config.project_header));
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
        headers.append("x-mainpoint-project", HeaderValue::from_static("garden"));
        assert_eq!(callers.project(&headers).unwrap(), Some(&b"garden"[..]));
        headers.append("x-mainpoint-project", HeaderValue::from_static(""));
        assert_eq!(callers.project(&headers).unwrap_err().param(), Some("x-mainpoint-project"));
    }

    #[test]
    fn what_chooses_an_account_or_names_a_person_opens_nothing_alone_and_a_key_does() {
        let callers = callers(&["cookie"]);
        for name in ["authorization", "api-key", "x-bf-vk", "x-portkey-config", "cookie", "x-forwarded-client-cert"] {
            assert!(callers.is_accepted_alone(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["openai-organization", "x-forwarded-user", "accept", "x-mainpoint-user"] {
            assert!(!callers.is_accepted_alone(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn keys_are_taken_out_of_a_query_and_every_other_byte_of_it_stays() {
        for (query, left) in [
            ("", Some("")),
            ("api-version=1&stream", Some("api-version=1&stream")),
            ("api-key=a&b=%7e+%20&&c", Some("b=%7e+%20&&c")),
            ("b=1&API_KEY=a&pageToken=p&key=d", Some("b=1&pageToken=p")),
            ("b&%61pi-key=a&subscription-key", Some("b")),
            ("token=a&b=%7E&Access_Token=c&max_tokens=3", Some("b=%7E&max_tokens=3")),
            ("x-goog-api-key=a&key=b", None),
        ] {
            assert_eq!(without_keys(query).as_deref(), left, "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_key_is_passed_on_as_it_came(
            pairs in prop::collection::vec("[a-jl-z%+=;]{0,12}", 1..6), at in any::<prop::sample::Index>(), key in "[a-z0-9%]{0,9}",
        ) {
            let query = pairs.join("&");
            prop_assert_eq!(without_keys(&query), Some(query.clone()));
            let mut with_key = pairs;
            with_key.insert(at.index(with_key.len() + 1), format!("api-key={key}"));
            prop_assert_eq!(without_keys(&with_key.join("&")), Some(query));
        }
    }

    #[test]
    fn whatever_is_taken_out_of_a_query_as_a_key_is_a_credential_there() {
        for key in KEYS.iter().map(HeaderName::as_str).chain(QUERY_KEYS) {
            assert!(is_key_in_query(key) && is_credential(key), "{key}");
        }
        for name in ["pageToken", "after", "page_token", "session_key", "max_tokens"] {
            assert!(!is_key_in_query(name), "{name}");
        }
    }

    #[test]
    fn a_protocol_is_a_key_by_how_it_begins() {
        for protocol in ["openai-insecure-api-key.sk-a", "OpenAI-Insecure-API-Key.sk-a", "openai-insecure-api-key."] {
            assert!(is_key_as_protocol(protocol), "{protocol}");
        }
        for protocol in ["realtime", "openai-beta.realtime-v1", "openai-insecure-api-key", "", "ö"] {
            assert!(!is_key_as_protocol(protocol), "{protocol}");
        }
    }

    #[test]
    fn the_keys_of_a_query_count_and_nothing_else_of_it() {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(in_query(None), []);
        assert_eq!(in_query(Some("api-version=2024-10-21&stream=true")), []);
        let found = in_query(Some("subscription-key=b%20c&api-version=1&Key=a&key=d"));
        assert_eq!(found, owned(&[("key", "a"), ("key", "d"), ("subscription-key", "b c")]));
    }
}
