//! What a client got back from the proxy: status, headers and the exact bytes of the body.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::sse;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers as they arrived.
    pub headers: HeaderMap,
    /// The body without transfer encoding.
    pub body: Bytes,
}

impl Answer {
    /// Reads `response` to its end.
    ///
    /// # Panics
    /// When the body breaks off.
    pub async fn from_response(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("the answer's body arrives completely");
        Self { status, headers, body }
    }

    /// The value of a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of a header that holds a whole number.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        let text = self.header(name);
        text.parse()
            .unwrap_or_else(|_| panic!("header {name} holds {text:?}, not a number; headers: {:?}", self.headers))
    }

    /// What the proxy did with the prompt: `passthrough`, `rewritten` or `failed-open`.
    #[must_use]
    pub fn outcome(&self) -> &str {
        let told = self.header("x-mainpoint");
        told.split(';').next().unwrap_or_default()
    }

    /// Why the memory did not apply; empty when it did.
    #[must_use]
    pub fn reason(&self) -> &str {
        let told = self.header("x-mainpoint");
        told.split_once("; reason=").map_or("", |(_, reason)| reason)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the body {:?}", self.text()))
    }

    /// The text of a chat completion, streamed or not.
    ///
    /// # Panics
    /// When the body is neither.
    #[must_use]
    pub fn reply(&self) -> String {
        if self.header("content-type").starts_with("text/event-stream") {
            return sse::assembled_text(&self.body);
        }
        let json = self.json();
        let content = json["choices"][0]["message"]["content"].as_str();
        content.unwrap_or_else(|| panic!("no chat completion in {}", self.text())).to_owned()
    }

    /// The `error` object of OpenAI's error envelope.
    ///
    /// # Panics
    /// When the body is not an envelope with every member.
    pub fn error(&self) -> Value {
        let error = self.json()["error"].clone();
        for member in ["message", "type", "param", "code"] {
            assert!(error.get(member).is_some(), "the error envelope lacks {member}: {}", self.text());
        }
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "the error says nothing: {error}");
        error
    }
}
