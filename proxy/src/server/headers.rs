//! Which headers end at this hop and which travel on.
//!
//! It must not know bodies or routes. Every other header passes untouched, multiple values and their order included.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};

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
    let listed = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok());
    let ending = headers.keys().filter(|name| ends_here(name)).cloned();
    for name in listed.chain(ending).collect::<Vec<_>>() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use http::HeaderValue;

    use super::*;

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
        let mut headers = headers(&[
            ("x-tag", "b"),
            ("x-tag", "a"),
            ("host", "localhost"),
            ("content-length", "3"),
        ]);
        strip_for_upstream(&mut headers);
        let values: Vec<_> = headers
            .get_all("x-tag")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
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
