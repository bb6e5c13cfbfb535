//! The hosts that requests ask for, and which of them nobody else can have given to this machine.

use std::net::IpAddr;

use http::Uri;
use http::header::{HOST, HeaderMap};
use http::uri::Authority;

/// The host that a request asks for, in small letters, if that is a name that anybody could have registered and made lead here: neither
/// an address nor a name without dots. What cannot be read counts as one.
pub(crate) fn public_name(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let asked = match headers.get(HOST) {
        Some(line) => {
            let readable = line.to_str().ok().and_then(|line| line.parse::<Authority>().ok());
            match readable {
                Some(authority) => authority.host().to_owned(),
                None => return Some(String::from_utf8_lossy(line.as_bytes()).into_owned()),
            }
        }
        None => uri.host()?.to_owned(),
    };
    let host = asked.trim_matches(['[', ']', '.']).to_ascii_lowercase();
    let is_public = host.contains('.') && !host.ends_with(".localhost") && host.parse::<IpAddr>().is_err();
    is_public.then_some(host)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use http::HeaderValue;

    use super::*;

    fn of_header(host: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_bytes(host).unwrap());
        public_name(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn addresses_and_names_without_dots_are_no_public_names() {
        for host in [
            "127.0.0.1:8787",
            "[::1]:8787",
            "192.168.0.7",
            "localhost:8787",
            "LOCALHOST.",
            "mainpoint:1",
            "a.localhost",
        ] {
            assert_eq!(of_header(host.as_bytes()), None, "{host}");
        }
        assert_eq!(public_name(&HeaderMap::new(), &Uri::from_static("/")), None);
    }

    #[test]
    fn a_public_name_is_read_from_the_header_or_the_address_and_what_cannot_be_read_is_one() {
        for (host, name) in [
            (&b"app.example:8787"[..], "app.example"),
            (b"App.Example.", "app.example"),
            (b"localhost.evil.example", "localhost.evil.example"),
            (b"127.0.0.1.evil.example", "127.0.0.1.evil.example"),
            (b"a\"b.evil.example", "a\"b.evil.example"),
            (b"\xff", "\u{fffd}"),
            (b"", ""),
        ] {
            assert_eq!(of_header(host).as_deref(), Some(name));
        }
        let of_http2 = Uri::from_static("http://app.example:8787/mainpoint/v1/stats");
        assert_eq!(public_name(&HeaderMap::new(), &of_http2).as_deref(), Some("app.example"));
    }
}
