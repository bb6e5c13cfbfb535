//! The remote upstream: any OpenAI-compatible base URL.
//!
//! It changes no byte of a body and follows no redirect.

mod connector;
mod failure;
mod heard;
mod movement;
mod opened;
pub(crate) mod target;
mod upload;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use self::connector::Connector;
use self::failure::Failure;
use self::movement::{Movement, moving};
use self::target::{Base, is_loopback};
use self::upload::Upload;
use super::{Call, CallBody};
use crate::config::UpstreamConfig;
use crate::error::{ProxyError, StartError};
use crate::http::response::Body;
use crate::http::{credentials, headers};
use crate::secret::Secret;
use crate::telemetry::metrics;

/// A client bound to one base URL.
#[derive(Debug)]
pub(crate) struct Remote {
    client: Client,
    /// Opens a connection for every request: for what has to be sent again because a connection had been kept for too long.
    unpooled: Client,
    /// The same, and speaks HTTP/1.1 alone: a connection of HTTP/2 cannot become a WebSocket.
    switching: Client,
    idle_timeout: Duration,
    /// Without credentials or a query, which the configuration refuses.
    base: Base,
    /// Sent when the caller brings no credentials of its own. Marked sensitive, so that it is never shown.
    key: Option<HeaderValue>,
    /// What the system's proxy wants to see, if requests pass it unencrypted.
    proxy_key: Option<HeaderValue>,
}

type Client = legacy::Client<Connector, Body>;

/// A request such that it can be sent more than once.
struct OutgoingRequest {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    upload: Upload,
    movement: Arc<Movement>,
}

impl Remote {
    /// Prepares the client; no connection is opened.
    ///
    /// The system's proxy settings (`HTTPS_PROXY`, `NO_PROXY`, …) hold for a remote host and never for loopback.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the configured key cannot be put into a header.
    pub(crate) fn new(base: &Url, config: &UpstreamConfig) -> Result<Self, StartError> {
        let connecting = || connecting(base, config);
        Ok(Self {
            client: client(connecting(), usize::MAX)?,
            unpooled: client(connecting(), 0)?,
            switching: client(connecting().http1_only(), 0)?,
            idle_timeout: config.idle_timeout,
            base: Base::new(base)?,
            key: config.api_key.as_ref().map(bearer).transpose()?,
            proxy_key: proxy_key(base),
        })
    }

    /// Sends `call` and hands back the answer as it comes. A request that was sent on a connection which the upstream had
    /// closed by then is sent again, once, on a new one.
    ///
    /// # Errors
    /// When the upstream cannot be reached, or nothing moves in either direction for longer than allowed.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Body>, ProxyError> {
        let request = self.outgoing(call)?;
        let answer = match request.attempt(&self.client).await {
            Err(failure) if failure.may_be_repeated() && request.upload.can_be_repeated() => {
                tracing::debug!(failure = ?failure, "a kept-alive connection had been closed; the request is sent again");
                metrics::upstream_retry();
                request.attempt(&self.unpooled).await
            }
            answered => answered,
        };
        let answer = answer.and_then(unswitched).map_err(Failure::told)?;
        Ok(request.passed_on(answer))
    }

    /// Sends `call`, which asks to speak another protocol, and hands back the connection with the answer if that is agreed to.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn switch(&self, call: Call) -> Result<(Response<Body>, Option<OnUpgrade>), ProxyError> {
        let wanted = call.headers.get(UPGRADE).cloned();
        let mut request = self.outgoing(call)?;
        name_protocol(&mut request.headers, wanted);
        let mut answer = request.attempt(&self.switching).await.map_err(Failure::told)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok((request.passed_on(answer), None));
        }
        let connection = hyper::upgrade::on(&mut answer);
        let agreed = answer.headers().get(UPGRADE).cloned();
        let mut answer = request.passed_on(answer);
        name_protocol(answer.headers_mut(), agreed);
        Ok((answer, Some(connection)))
    }

    fn outgoing(&self, call: Call) -> Result<OutgoingRequest, ProxyError> {
        let target = self.base.target(&call.path, call.query.as_deref())?;
        let mut headers = call.headers;
        let announced = headers.get(CONTENT_LENGTH).cloned();
        headers::strip_for_upstream(&mut headers);
        self.add_key(&mut headers);
        if let Some(key) = &self.proxy_key {
            headers.insert(PROXY_AUTHORIZATION, key.clone());
        }
        let in_memory = match &call.body {
            CallBody::Whole(bytes) => bytes.len(),
            CallBody::Stream(_) => 0,
        };
        let movement = Movement::begin(self.idle_timeout, in_memory);
        let upload = Upload::new(call.body, &movement);
        // Where the length is known the upstream need not be sent chunks, and of no body it is told, as some insist on it.
        if let Some(length) = announced.filter(|length| matches!(upload, Upload::Coming(_)) || length == "0") {
            headers.insert(CONTENT_LENGTH, length);
        }
        Ok(OutgoingRequest { method: call.method, target, headers, upload, movement })
    }

    /// The caller's own credentials are always preferred, in whichever header they come.
    fn add_key(&self, headers: &mut HeaderMap) {
        let own = credentials::brings_key(headers) || brings_key_as_protocol(headers);
        if let (false, Some(key)) = (own, &self.key) {
            headers.insert(AUTHORIZATION, key.clone());
        }
    }
}

impl OutgoingRequest {
    /// Sends the request with `client` and waits for the head of its answer.
    async fn attempt(&self, client: &Client) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::new(self.upload.attempt());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        request.headers_mut().clone_from(&self.headers);
        let movement = Arc::clone(&self.movement);
        // An upstream that says that it is at work is not silent.
        hyper::ext::on_informational(&mut request, move |_| movement.came());
        let begun = Instant::now();
        tokio::select! {
            biased;
            (answer, opened) = opened::noting(client.request(request)) => {
                self.movement.came();
                answer.map_err(|error| Failure::Broken {
                    error,
                    was_kept: !opened,
                    after: begun.elapsed(),
                })
            }
            silence = self.movement.silence() => Err(Failure::Silent(silence)),
        }
    }

    /// The answer without what belongs to its connection.
    fn passed_on(self, answer: Response<Incoming>) -> Response<Body> {
        let (mut parts, body) = answer.into_parts();
        if parts.headers.contains_key(TRANSFER_ENCODING) {
            // How long the body is says the encoding alone (RFC 9112, section 6.3).
            parts.headers.remove(CONTENT_LENGTH);
        }
        headers::strip_hop_by_hop(&mut parts.headers);
        parts.version = Version::default();
        parts.extensions.clear();
        Response::from_parts(parts, moving(body, self.movement))
    }
}

/// An answer in HTTP, whose head is no invitation to speak something else, as a request that asks for nothing else gets it.
fn unswitched(answer: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS { Err(Failure::Switched) } else { Ok(answer) }
}

fn connecting(base: &Url, config: &UpstreamConfig) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().connect_timeout(config.connect_timeout).tcp_nodelay(true);
    if is_loopback(base) { builder.no_proxy() } else { builder }
}

fn client(connecting: reqwest::ClientBuilder, most_idle: usize) -> Result<Client, StartError> {
    let connector = Connector::new(connecting).map_err(|source| StartError::Client { source })?;
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_max_idle_per_host(most_idle).http1_max_headers(headers::MOST_LINES);
    builder.http1_max_buf_size(headers::BUFFER_BYTES);
    builder.http2_max_header_list_size(LARGEST_HEAD);
    Ok(builder.build(connector))
}

/// Most bytes of an answer's head over HTTP/2: as many as hyper takes over HTTP/1.
const LARGEST_HEAD: u32 = 128 << 10;

/// What the system's proxy for `base` wants to see in every request. Encrypted ones pass it in a tunnel, which the connector opens.
fn proxy_key(base: &Url) -> Option<HeaderValue> {
    if base.scheme() != "http" || is_loopback(base) {
        return None;
    }
    let target = base.as_str().parse().ok()?;
    Matcher::from_system().intercept(&target)?.basic_auth().cloned()
}

/// Names the protocol that a connection is to speak.
fn name_protocol(headers: &mut HeaderMap, protocol: Option<HeaderValue>) {
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

/// A page in a browser can send no header with a WebSocket, so its key is among the protocols.
fn brings_key_as_protocol(headers: &HeaderMap) -> bool {
    headers::listed(headers, &SEC_WEBSOCKET_PROTOCOL).any(credentials::is_key_as_protocol)
}

fn bearer(key: &Secret) -> Result<HeaderValue, StartError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| StartError::ApiKey)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
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
    fn the_configured_key_is_sent_only_when_the_caller_brings_none_and_is_never_shown() {
        let remote = remote("http://127.0.0.1:9/v1", Some("sk-hidden"));
        let mut headers = HeaderMap::new();
        remote.add_key(&mut headers);
        assert_eq!(headers.get(AUTHORIZATION).unwrap(), "Bearer sk-hidden");
        assert!(!format!("{headers:?} {remote:?}").contains("sk-hidden"));
        for name in ["authorization", "api-key", "x-goog-api-key", "x-litellm-api-key"] {
            let mut own = HeaderMap::new();
            own.insert(name, HeaderValue::from_static("own"));
            remote.add_key(&mut own);
            assert_eq!(own.len(), 1, "{name}");
            assert_eq!(own.get(name).unwrap(), "own");
        }
        let mut account = HeaderMap::new();
        account.insert("openai-organization", HeaderValue::from_static("org-1"));
        remote.add_key(&mut account);
        assert_eq!(account.get(AUTHORIZATION).unwrap(), "Bearer sk-hidden");
        let mut page = HeaderMap::new();
        let offered = HeaderValue::from_static("realtime, openai-insecure-api-key.sk-page, openai-beta.realtime-v1");
        page.insert(SEC_WEBSOCKET_PROTOCOL, offered);
        remote.add_key(&mut page);
        assert!(!page.contains_key(AUTHORIZATION), "a page brings its key in another way");
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
