//! The remote upstream: any OpenAI-compatible base URL.
//!
//! It must not know what a chat is. It changes no byte of a body and follows no redirect.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Response, Version};
use http_body_util::BodyExt;
use lru::LruCache;
use url::{Host, Url};

use super::{Call, CallBody};
use crate::config::{Secret, UpstreamConfig};
use crate::error::{ProxyError, StartError};
use crate::server::headers;
use crate::server::reply::Body;

/// A client bound to one base URL.
#[derive(Debug)]
pub(crate) struct Remote {
    client: reqwest::Client,
    /// Without credentials or a query, which the configuration refuses.
    base: Url,
    /// Where the paths lie that were asked for last: most requests are for one or two, and a URL takes long to parse.
    targets: Mutex<LruCache<String, Url>>,
    /// Sent when the caller brings no credentials of its own. Marked sensitive, so that it is never shown.
    key: Option<HeaderValue>,
}

impl Remote {
    /// Prepares the client; no connection is opened.
    ///
    /// The system's proxy settings (`HTTPS_PROXY`, `NO_PROXY`, …) hold for a remote host and never for loopback.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the configured key cannot be put into a header.
    pub(crate) fn new(base: &Url, config: &UpstreamConfig) -> Result<Self, StartError> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .read_timeout(config.idle_timeout)
            .tcp_nodelay(true)
            // LanceDB switches reqwest's decoders on for the whole build; what is relayed stays as it came.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        if is_loopback(base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| StartError::Client { source })?;
        let key = config.api_key.as_ref().map(bearer).transpose()?;
        Ok(Self {
            client,
            base: base.clone(),
            targets: Mutex::new(LruCache::new(TARGETS)),
            key,
        })
    }

    /// Sends `call` and hands back the answer as it comes.
    ///
    /// # Errors
    /// When the upstream cannot be reached or stays silent for longer than allowed.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Body>, ProxyError> {
        let url = self.target(&call.path, call.query.as_deref());
        let mut request_headers = call.headers;
        let announced = request_headers.get(http::header::CONTENT_LENGTH).cloned();
        headers::strip_for_upstream(&mut request_headers);
        self.add_key(&mut request_headers);
        let body = match call.body {
            CallBody::Whole(bytes) => Some(reqwest::Body::from(bytes)),
            CallBody::Stream(body) if http_body::Body::is_end_stream(&body) => None,
            CallBody::Stream(body) => {
                // The length is known, so the upstream need not be sent chunks.
                if let Some(length) = announced {
                    request_headers.insert(http::header::CONTENT_LENGTH, length);
                }
                Some(reqwest::Body::wrap(body))
            }
        };
        let mut request = reqwest::Request::new(call.method, url);
        *request.headers_mut() = request_headers;
        *request.body_mut() = body;
        let answer = self.client.execute(request).await.map_err(unanswered)?;
        let (mut parts, body) = Response::<reqwest::Body>::from(answer).into_parts();
        headers::strip_hop_by_hop(&mut parts.headers);
        parts.version = Version::default();
        parts.extensions.clear();
        Ok(Response::from_parts(parts, body.map_err(Into::into).boxed_unsync()))
    }

    fn target(&self, path: &str, query: Option<&str>) -> Url {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut url = match targets.get(path) {
            Some(url) => url.clone(),
            None => {
                let mut url = self.base.clone();
                url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
                targets.push(path.to_owned(), url.clone());
                url
            }
        };
        drop(targets);
        if query.is_some() {
            url.set_query(query);
        }
        url
    }

    /// The caller's own credentials are always preferred, in whichever header they come.
    fn add_key(&self, headers: &mut HeaderMap) {
        let own = CREDENTIALS.iter().any(|name| headers.contains_key(name));
        if let (false, Some(key)) = (own, &self.key) {
            headers.insert(AUTHORIZATION, key.clone());
        }
    }
}

const TARGETS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// The headers that OpenAI-compatible servers take credentials from.
pub(crate) static CREDENTIALS: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
];

fn bearer(key: &Secret) -> Result<HeaderValue, StartError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| StartError::ApiKey)?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// The client is told the kind of failure; the address stays in the log.
fn unanswered(error: reqwest::Error) -> ProxyError {
    let error = error.without_url();
    if error.is_timeout() && !error.is_connect() {
        return ProxyError::UpstreamTimeout {
            source: Box::new(error),
        };
    }
    let reason = if error.is_timeout() {
        "connecting took too long"
    } else if error.is_connect() {
        "the connection was refused or could not be made"
    } else {
        "the connection broke before an answer came"
    };
    ProxyError::UpstreamUnreachable {
        reason: reason.to_owned(),
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::time::Duration;

    use super::*;

    fn remote(base: &str, key: Option<&str>) -> Remote {
        let url = Url::parse(base).unwrap();
        let config = UpstreamConfig {
            url: Some(url.clone()),
            api_key: key.map(|key| Secret::new(key.to_owned())),
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
        };
        Remote::new(&url, &config).unwrap()
    }

    #[test]
    fn the_path_after_the_base_path_is_put_behind_the_base_url() {
        let remote = remote("http://127.0.0.1:9/openai/v1", None);
        assert_eq!(
            remote.target("/models", Some("a=1&b=%20")).as_str(),
            "http://127.0.0.1:9/openai/v1/models?a=1&b=%20"
        );
        assert_eq!(
            remote.target("/files/a%2Fb", None).as_str(),
            "http://127.0.0.1:9/openai/v1/files/a%2Fb"
        );
        assert_eq!(remote.target("", None).as_str(), "http://127.0.0.1:9/openai/v1");
    }

    #[test]
    fn the_query_of_one_request_is_not_that_of_the_next() {
        let remote = remote("http://127.0.0.1:9/v1", None);
        for (query, expected) in [
            (Some("a=1"), "http://127.0.0.1:9/v1/models?a=1"),
            (None, "http://127.0.0.1:9/v1/models"),
            (Some("b=2"), "http://127.0.0.1:9/v1/models?b=2"),
        ] {
            assert_eq!(remote.target("/models", query).as_str(), expected);
        }
    }

    #[test]
    fn the_configured_key_is_sent_only_when_the_caller_brings_none_and_is_never_shown() {
        let remote = remote("http://127.0.0.1:9/v1", Some("sk-hidden"));
        let mut headers = HeaderMap::new();
        remote.add_key(&mut headers);
        assert_eq!(headers.get(AUTHORIZATION).unwrap(), "Bearer sk-hidden");
        assert!(!format!("{headers:?} {remote:?}").contains("sk-hidden"));
        let mut own = HeaderMap::new();
        own.insert(AUTHORIZATION, HeaderValue::from_static("Bearer own"));
        remote.add_key(&mut own);
        assert_eq!(own.get(AUTHORIZATION).unwrap(), "Bearer own");
    }

    #[test]
    fn only_loopback_bypasses_the_systems_proxy() {
        for (url, expected) in [
            ("http://localhost:1/v1", true),
            ("http://127.0.0.2:1/v1", true),
            ("http://[::1]:1/v1", true),
            ("https://api.openai.com/v1", false),
            ("http://10.0.0.1/v1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
