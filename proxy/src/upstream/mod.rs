//! Where requests go: a remote OpenAI-compatible server, or the chat model in this process.

pub(crate) mod cut;
pub(crate) mod embedded;
pub(crate) mod remote;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use hyper::upgrade::OnUpgrade;

use crate::error::ProxyError;
use crate::http::RequestBody;
use crate::http::response::Body;

/// The configured upstream.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// A server somewhere else.
    Remote(Box<remote::Remote>),
    /// The chat model in this process.
    Embedded(embedded::Embedded),
}

/// A request on its way to the upstream.
#[derive(Debug)]
pub(crate) struct Call {
    /// The caller's method.
    pub(crate) method: Method,
    /// The path after the base path: empty, or beginning with a slash.
    pub(crate) path: String,
    /// The caller's query, without the question mark.
    pub(crate) query: Option<String>,
    /// The caller's headers, not yet stripped.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: CallBody,
}

/// A request's body.
#[derive(Debug)]
pub(crate) enum CallBody {
    /// There as a whole.
    Whole(Bytes),
    /// Still coming from the client.
    Stream(RequestBody),
}

impl Upstream {
    /// Sends `call`. Dropping the future or the answer's body cancels it.
    ///
    /// # Errors
    /// When no answer comes. An answer that is an error is an answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Body>, ProxyError> {
        match self {
            Self::Remote(remote) => remote.send(call).await,
            Self::Embedded(embedded) => embedded.send(call).await,
        }
    }

    /// Sends `call`, which asks to speak another protocol, and hands back the connection with the answer if that is agreed to.
    ///
    /// # Errors
    /// When no answer comes.
    pub(crate) async fn switch(&self, call: Call) -> Result<(Response<Body>, Option<OnUpgrade>), ProxyError> {
        match self {
            Self::Remote(remote) => remote.switch(call).await,
            Self::Embedded(embedded) => Ok((embedded.send(call).await?, None)),
        }
    }
}
