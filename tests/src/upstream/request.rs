//! A request as the scripted upstream received it.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::reply::Reply;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
    /// When its head had come.
    pub arrived: Instant,
}

impl RecordedRequest {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the forwarded body {text:?}"))
    }

    /// Whether the body contains exactly these bytes.
    #[must_use]
    pub fn contains(&self, bytes: impl AsRef<[u8]>) -> bool {
        let wanted = bytes.as_ref();
        self.body.windows(wanted.len()).any(|window| window == wanted)
    }

    /// A chat completion with this text, streamed when the request asks for it.
    #[must_use]
    pub fn said(&self, text: &str) -> Reply {
        let request = serde_json::from_slice::<Value>(&self.body);
        if request.is_ok_and(|request| request["stream"] == true) { Reply::stream(text) } else { Reply::chat(text) }
    }

    /// The value of a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
