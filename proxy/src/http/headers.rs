//! Which headers end at this hop and which travel on, and the names of mainpoint's own.
//!
//! Every other header passes untouched, multiple values and their order included.

use http::Version;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, TE, TRANSFER_ENCODING, UPGRADE,
};

use super::credentials::{KEYS, is_key_as_protocol, without_keys};
use crate::config::{Config, IdentityFrom};

/// Most lines of headers that a request or an answer may have over HTTP/1.
pub(crate) const MOST_LINES: usize = 1000;
/// Most bytes of a connection of HTTP/1 that wait to be read, or to be written, so that a head is no longer; and of a stream of HTTP/2
/// that wait to be written.
pub(crate) const BUFFER_BYTES: usize = 128 << 10;

/// On a request: lowers the mode for it.
pub(crate) const MODE_NAME: &str = "x-mainpoint-mode";
/// On a request: whose turns are recalled for it.
pub(crate) const RECALL_NAME: &str = "x-mainpoint-recall";
/// On a request: whether it and its answer are stored.
pub(crate) const STORE_NAME: &str = "x-mainpoint-store";
/// On an answer: what became of the request, and why the memory did not apply.
pub(crate) const OUTCOME: HeaderName = HeaderName::from_static("x-mainpoint");
/// On an answer: the tokens of the prompt as it came.
pub(crate) const TOKENS_IN: HeaderName = HeaderName::from_static("x-mainpoint-tokens-in");
/// On an answer: the tokens of the prompt as it was forwarded.
pub(crate) const TOKENS_FORWARDED: HeaderName = HeaderName::from_static("x-mainpoint-tokens-forwarded");
/// On an answer: how many memories were put into the prompt.
pub(crate) const MEMORIES: HeaderName = HeaderName::from_static("x-mainpoint-memories");
/// On an answer: the id of the request's receipt.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-mainpoint-request-id");

/// What pages of other origins may read of an answer.
pub(crate) static TOLD: [HeaderName; 5] = [OUTCOME, TOKENS_IN, TOKENS_FORWARDED, MEMORIES, REQUEST_ID];

/// The headers of requests that are meant for mainpoint alone: those that begin as its own do, and others that the configuration
/// names.
#[derive(Debug, Clone)]
pub(crate) struct OwnHeaders {
    names: Vec<HeaderName>,
    /// Whether callers have keys of this proxy.
    has_keys: bool,
}

impl OwnHeaders {
    /// As the configuration has it. Where callers have keys of this proxy, none of their keys is for anybody else.
    pub(crate) fn new(config: &Config) -> Self {
        let mut names = vec![config.memory.user_header.clone(), config.memory.project_header.clone()];
        match config.identity.from {
            IdentityFrom::Header => names.push(config.identity.header_name()),
            IdentityFrom::ProxyKeys => names.extend_from_slice(&KEYS),
            IdentityFrom::Credentials | IdentityFrom::Jwt => {}
        }
        Self { names, has_keys: config.identity.from == IdentityFrom::ProxyKeys }
    }

    /// Whether a header of this name, in any letters, is among them.
    pub(crate) fn hold(&self, name: &str) -> bool {
        let begins = name.get(..PREFIX.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX));
        begins || self.names.iter().any(|own| own.as_str().eq_ignore_ascii_case(name))
    }

    /// The query of a request for whatever answers it: a key of this proxy ends here in a query, too, and nothing else does.
    pub(crate) fn query(&self, query: Option<&str>) -> Option<String> {
        if self.has_keys { query.and_then(without_keys) } else { query.map(str::to_owned) }
    }

    /// Prepares the headers of a request that came by `version` for whatever answers it: what is meant for mainpoint ends here.
    pub(crate) fn strip(&self, headers: &mut HeaderMap, version: Version) {
        let own = headers.keys().filter(|name| self.hold(name.as_str())).cloned();
        for name in own.collect::<Vec<_>>() {
            headers.remove(name);
        }
        if self.has_keys {
            take_key_protocols(headers);
        }
        // HTTP/2 may send every cookie by itself; HTTP/1 knows one header only (RFC 9113, section 8.2.3).
        if version == Version::HTTP_2 && headers.get_all(COOKIE).iter().nth(1).is_some() {
            join_cookies(headers);
        }
    }
}

const PREFIX: &str = "x-mainpoint";

fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(mut joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        joined.set_sensitive(true);
        headers.insert(COOKIE, joined);
    }
}

/// Takes keys out of the protocols that a WebSocket may speak. What names none stays as it was written.
fn take_key_protocols(headers: &mut HeaderMap) {
    let is_key = |protocol: &[u8]| str::from_utf8(protocol.trim_ascii()).is_ok_and(is_key_as_protocol);
    let lines: Vec<HeaderValue> = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().cloned().collect();
    let holds_key = |line: &HeaderValue| line.as_bytes().split(|byte| *byte == b',').any(is_key);
    if !lines.iter().any(holds_key) {
        return;
    }
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    for line in lines {
        if !holds_key(&line) {
            headers.append(SEC_WEBSOCKET_PROTOCOL, line);
            continue;
        }
        let kept: Vec<&[u8]> =
            line.as_bytes().split(|byte| *byte == b',').filter(|protocol| !is_key(protocol)).collect();
        let left = kept.join(&b","[..]);
        // The spaces before the first protocol belong to the list that it no longer stands in.
        if let Some(left) = HeaderValue::from_bytes(left.trim_ascii()).ok().filter(|left| !left.is_empty()) {
            headers.append(SEC_WEBSOCKET_PROTOCOL, left);
        }
    }
}

/// Removes what belongs to one connection only (RFC 9110, sections 7.6.1 and 11.7), including the names that
/// `Connection` lists.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    strip(headers, |name| HOP_BY_HOP.contains(name));
}

/// Prepares a request's headers for the upstream. Host and framing are written anew by the client that sends it.
pub(crate) fn strip_for_upstream(headers: &mut HeaderMap) {
    strip(headers, |name| HOP_BY_HOP.contains(name) || WRITTEN_ANEW.contains(name));
}

static HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

static WRITTEN_ANEW: [HeaderName; 3] = [HOST, CONTENT_LENGTH, EXPECT];

/// Removes the headers that `ends_here` names and those that `Connection` lists. Most messages have few of either, so
/// the headers that are there are looked through, not the names that might be.
fn strip(headers: &mut HeaderMap, ends_here: impl Fn(&HeaderName) -> bool) {
    let named = listed(headers, &CONNECTION).filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let ending = headers.keys().filter(|name| ends_here(name)).cloned();
    for name in named.chain(ending).collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// What a header that is a list names, in all its lines.
pub(crate) fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn own(change: impl FnOnce(&mut Config)) -> OwnHeaders {
        let mut config = Config::defaults();
        change(&mut config);
        OwnHeaders::new(&config)
    }

    #[test]
    fn what_is_meant_for_mainpoint_ends_here() {
        let mut headers = headers(&[
            ("x-mainpoint", "1"),
            ("x-mainpoint-mode", "off"),
            ("x-mainpoint-anything-new", "1"),
            ("x-tenant", "ann"),
            ("x-agent", "garden"),
            ("x-tenants", "stays"),
            ("x-main", "stays"),
        ]);
        let own = own(|config| {
            config.memory.user_header = HeaderName::from_static("x-tenant");
            config.memory.project_header = HeaderName::from_static("x-agent");
        });
        own.strip(&mut headers, Version::HTTP_11);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-main", "x-tenants"]);
    }

    #[test]
    fn a_gateways_header_ends_here_and_so_do_keys_of_this_proxy_where_there_are_any() {
        let came =
            [("authorization", "Bearer a"), ("api-key", "b"), ("x-authenticated-user", "ann"), ("accept", "*/*")];
        for (from, expected) in [
            (IdentityFrom::Credentials, &["accept", "api-key", "authorization", "x-authenticated-user"][..]),
            (IdentityFrom::Jwt, &["accept", "api-key", "authorization", "x-authenticated-user"]),
            (IdentityFrom::Header, &["accept", "api-key", "authorization"]),
            (IdentityFrom::ProxyKeys, &["accept", "x-authenticated-user"]),
        ] {
            let mut headers = headers(&came);
            own(|config| config.identity.from = from).strip(&mut headers, Version::HTTP_11);
            let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            left.sort_unstable();
            assert_eq!(left, expected, "{from:?}");
        }
    }

    #[test]
    fn keys_in_a_query_end_here_where_they_are_keys_of_this_proxy() {
        for (from, left) in [(IdentityFrom::Credentials, "a=1&api-key=b"), (IdentityFrom::ProxyKeys, "a=1")] {
            let own = own(|config| config.identity.from = from);
            assert_eq!(own.query(Some("a=1&api-key=b")).as_deref(), Some(left), "{from:?}");
            assert_eq!(own.query(None), None);
        }
    }

    #[test]
    fn keys_among_the_protocols_of_a_websocket_end_here_where_they_are_keys_of_this_proxy() {
        for (came, left) in [
            (
                &["realtime, openai-insecure-api-key.mp-a, openai-beta.realtime-v1"][..],
                &["realtime, openai-beta.realtime-v1"][..],
            ),
            (&["openai-insecure-api-key.mp-a,  x ,y"], &["x ,y"]),
            (&["realtime", "openai-insecure-api-key.mp-a", "x,, y"], &["realtime", "x,, y"]),
            (&["openai-insecure-api-key.mp-a"], &[]),
            (&[" a ,b"], &[" a ,b"]),
        ] {
            let pairs: Vec<_> = came.iter().map(|line| ("sec-websocket-protocol", *line)).collect();
            for (from, expected) in [(IdentityFrom::ProxyKeys, left), (IdentityFrom::Credentials, came)] {
                let mut headers = headers(&pairs);
                own(|config| config.identity.from = from).strip(&mut headers, Version::HTTP_11);
                let found: Vec<_> = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().collect();
                assert_eq!(found, expected, "{from:?} {came:?}");
            }
        }
    }

    #[test]
    fn the_cookies_of_http_2_become_one_and_those_of_http_1_stay() {
        let cookies = [("cookie", "a=1"), ("cookie", "b=2, 3; c=4")];
        let mut second = headers(&cookies);
        own(|_| {}).strip(&mut second, Version::HTTP_2);
        let values: Vec<_> = second.get_all(COOKIE).iter().collect();
        assert_eq!(values, ["a=1; b=2, 3; c=4"]);
        let mut first = headers(&cookies);
        own(|_| {}).strip(&mut first, Version::HTTP_11);
        assert_eq!(first.get_all(COOKIE).iter().count(), 2);
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_headers_that_connection_names_are_removed_with_it() {
        let mut headers = headers(&[
            ("connection", "close, X-Private"),
            ("connection", "x-second"),
            ("x-private", "1"),
            ("x-second", "2"),
            ("x-third", "3"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers.get("x-third").unwrap(), "3");
    }

    #[test]
    fn several_values_of_one_header_travel_on_in_order() {
        let mut headers = headers(&[("x-tag", "b"), ("x-tag", "a"), ("host", "localhost"), ("content-length", "3")]);
        strip_for_upstream(&mut headers);
        let values: Vec<_> = headers.get_all("x-tag").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values, ["b", "a"]);
        assert_eq!(headers.keys_len(), 1);
    }

    #[test]
    fn authorization_travels_on_and_proxy_authorization_does_not() {
        let mut headers = headers(&[("authorization", "Bearer a"), ("proxy-authorization", "Basic b")]);
        strip_for_upstream(&mut headers);
        assert_eq!(headers.get("authorization").unwrap(), "Bearer a");
        assert!(headers.get("proxy-authorization").is_none());
    }
}
