//! Where a request goes: the base URL with the caller's own path and query behind it, character by character.
//!
//! The crate `url` would write some characters another way, so URLs are not made with it.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use url::{Host, Url};

use crate::error::{ProxyError, StartError};

/// A base URL in its parts.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Begins with a slash or is empty, and does not end in one.
    path: String,
}

impl Base {
    /// Takes a URL with a host apart.
    ///
    /// # Errors
    /// [`StartError::Upstream`] when it is none that requests can be sent to.
    pub(crate) fn new(url: &Url) -> Result<Self, StartError> {
        let refused = || StartError::Upstream { url: url.to_string() };
        let host = url.host_str().ok_or_else(refused)?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            scheme: Scheme::try_from(url.scheme()).map_err(|_| refused())?,
            authority: Authority::try_from(authority).map_err(|_| refused())?,
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The URI of `path`, which is empty or begins with a slash, and a query without its question mark.
    ///
    /// # Errors
    /// When it is longer than a URI may be.
    pub(crate) fn target(&self, path: &str, query: Option<&str>) -> Result<Uri, ProxyError> {
        let mut text = String::with_capacity(self.path.len() + path.len() + query.map_or(1, str::len) + 1);
        text.push_str(&self.path);
        text.push_str(path);
        if text.is_empty() {
            text.push('/');
        }
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(text).map_err(|_| ProxyError::UrlTooLong)?);
        Uri::from_parts(parts).map_err(|_| ProxyError::UrlTooLong)
    }
}

/// Whether a URL names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

    use super::*;

    fn base(url: &str) -> Base {
        Base::new(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn the_path_after_the_base_path_is_put_behind_the_base_url() {
        let base = base("http://127.0.0.1:9/openai/v1");
        let target = |path, query| base.target(path, query).unwrap().to_string();
        assert_eq!(target("/models", Some("a=1&b=%20")), "http://127.0.0.1:9/openai/v1/models?a=1&b=%20");
        assert_eq!(target("/files/a%2Fb", None), "http://127.0.0.1:9/openai/v1/files/a%2Fb");
        assert_eq!(target("", None), "http://127.0.0.1:9/openai/v1");
        assert_eq!(target("//chat/completions/", None), "http://127.0.0.1:9/openai/v1//chat/completions/");
    }

    #[test]
    fn a_base_without_a_path_or_of_another_kind_of_host_is_kept() {
        for (url, path, expected) in [
            ("https://api.example.com", "", "https://api.example.com/"),
            ("https://api.example.com", "/models", "https://api.example.com/models"),
            ("http://[::1]:8080/v1", "/models", "http://[::1]:8080/v1/models"),
            ("https://bücher.example/v1", "/a", "https://xn--bcher-kva.example/v1/a"),
        ] {
            assert_eq!(base(url).target(path, None).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_url_that_is_too_long_is_refused() {
        let error = base("http://127.0.0.1/v1").target(&"/a".repeat(40_000), None).unwrap_err();
        assert_eq!(error.refusal().status, 414);
    }

    proptest! {
        /// Everything that RFC 3986 allows, and what clients send although it does not.
        #[test]
        fn path_and_query_go_on_as_they_were_written(
            path in "(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|[{}|^\"\\[\\]\\\\é]){0,12}){1,4}",
            query in prop::option::of("([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2}|[{}|^`\\[\\]\\\\é漢]){0,40}"),
        ) {
            let written = query.as_ref().map_or(path.clone(), |query| format!("{path}?{query}"));
            let target = base("http://127.0.0.1:9/v1").target(&path, query.as_deref()).unwrap();
            let sent = target.path_and_query().unwrap().as_str();
            prop_assert_eq!(sent, format!("/v1{written}"));
        }
    }
}
