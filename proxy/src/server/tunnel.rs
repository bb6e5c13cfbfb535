//! WebSockets: a connection that both sides agree to use otherwise is passed on in both directions, unread.

use std::sync::Arc;

use http::header::{CONNECTION, UPGRADE};
use http::{Method, Request, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{Shared, relay};
use crate::error::ProxyError;
use crate::http::RequestBody;
use crate::http::headers;
use crate::http::response::Body;
use crate::reason::Reason;
use crate::telemetry::metrics;
use crate::upstream::CallBody;

/// Whether a request wants its connection to become a WebSocket.
pub(crate) fn is_asked_for<B>(request: &Request<B>) -> bool {
    let lists =
        |name, wanted| headers::listed(request.headers(), name).any(|listed| listed.eq_ignore_ascii_case(wanted));
    request.method() == Method::GET && lists(&CONNECTION, "upgrade") && lists(&UPGRADE, "websocket")
}

/// Asks the upstream to make its connection a WebSocket, and joins the two if it does. Its answer is the caller's either way.
///
/// # Errors
/// When the upstream cannot be reached.
pub(crate) async fn tunnel(
    shared: &Arc<Shared>,
    path: &str,
    mut request: Request<RequestBody>,
) -> Result<Response<Body>, ProxyError> {
    let near = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let call = relay::call(shared, path, parts, CallBody::Stream(body));
    let (mut response, far) = shared.upstream.switch(call).await?;
    if let Some(far) = far {
        tokio::spawn(carry(near, far));
    }
    relay::tell(Reason::WebSocket, &mut response);
    Ok(response)
}

/// An open tunnel, which is counted until it is dropped.
struct Counted;

impl Counted {
    fn open() -> Self {
        metrics::tunnels(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::tunnels(-1.0);
    }
}

/// Passes on what comes on either side until both have ended, or one breaks.
async fn carry(near: OnUpgrade, far: OnUpgrade) {
    let _counted = Counted::open();
    match tokio::try_join!(near, far) {
        Ok((near, far)) => {
            let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
            match tokio::io::copy_bidirectional(&mut near, &mut far).await {
                Ok((sent, received)) => tracing::debug!(sent, received, "a tunnel ended"),
                Err(error) => tracing::debug!(error = %error, "a tunnel broke"),
            }
        }
        Err(error) => tracing::debug!(error = %error, "a tunnel was not made"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn asks(method: &str, connection: &str, upgrade: &str) -> bool {
        let request = Request::builder().method(method);
        let request = request.header("connection", connection).header("upgrade", upgrade);
        is_asked_for(&request.body(()).unwrap())
    }

    #[test]
    fn only_a_request_for_a_websocket_becomes_a_tunnel() {
        assert!(asks("GET", "Upgrade", "websocket"));
        assert!(asks("GET", "keep-alive, upgrade", "WebSocket"));
        assert!(!asks("GET", "keep-alive", "websocket"));
        assert!(!asks("POST", "Upgrade", "websocket"));
        // What Java's client sends with every request, and curl when it is told to.
        assert!(!asks("POST", "Upgrade, HTTP2-Settings", "h2c"));
        assert!(!asks("GET", "Upgrade, HTTP2-Settings", "h2c"));
    }
}
