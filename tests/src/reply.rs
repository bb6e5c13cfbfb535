//! What the scripted upstream answers: bytes, pauses that end when the test says so, and broken connections.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;

/// A barrier: closed until a test opens it, then open for ever.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits until the gate is open.
    pub async fn passed(&self) {
        // The semaphore never has a permit, so this ends when it is closed, that is when the gate opens.
        let _ = self.0.acquire().await;
    }
}

/// One answer of the scripted upstream.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status; `None` drops the connection before any byte.
    pub status: Option<StatusCode>,
    /// Headers besides those of the transfer.
    pub headers: HeaderMap,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
}

/// One step of an answer's body.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends these bytes as one frame.
    Send(Bytes),
    /// Waits before going on.
    Wait(Gate),
    /// Lets time pass before going on.
    Pause(Duration),
    /// Breaks the connection off.
    Cut,
}

impl Reply {
    /// An answer without body.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self { status: Some(status), headers: HeaderMap::new(), steps: Vec::new() }
    }

    /// What OpenAI's service answers to a request that breaks a rule.
    #[must_use]
    pub fn refusal(reason: &str) -> Self {
        let envelope =
            json!({"error": {"message": reason, "type": "invalid_request_error", "param": null, "code": null}});
        Self::status(StatusCode::BAD_REQUEST).header("content-type", "application/json").then(envelope.to_string())
    }

    /// An answer of exactly these bytes.
    #[must_use]
    pub fn bytes(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::status(StatusCode::OK).header("content-type", content_type).then(body)
    }

    /// A chat completion.
    #[must_use]
    pub fn chat(text: &str) -> Self {
        let completion = json!({
            "id": "chatcmpl-scripted", "object": "chat.completion", "created": 1_764_000_000, "model": "scripted",
            "choices": [{
                "index": 0, "finish_reason": "stop", "logprobs": null,
                "message": {"role": "assistant", "content": text, "refusal": null},
            }],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        });
        Self::bytes("application/json", completion.to_string())
    }

    /// A streamed chat completion: one event for each word, usage, `[DONE]`.
    #[must_use]
    pub fn stream(text: &str) -> Self {
        let mut reply = Self::events();
        let mut deltas = vec![json!({"role": "assistant", "content": ""})];
        deltas.extend(text.split_inclusive(' ').map(|word| json!({"content": word})));
        for delta in deltas {
            reply = reply.event(&chunk(&json!([{"index": 0, "delta": delta, "finish_reason": null}])));
        }
        reply.event(&chunk(&json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]))).event("[DONE]")
    }

    /// The start of a stream of server-sent events.
    #[must_use]
    pub fn events() -> Self {
        Self::status(StatusCode::OK).header("content-type", "text/event-stream")
    }

    /// An error in OpenAI's envelope.
    #[must_use]
    pub fn error(status: StatusCode, message: &str) -> Self {
        let body = json!({"error": {"message": message, "type": "scripted", "param": null, "code": null}});
        Self { status: Some(status), ..Self::bytes("application/json", body.to_string()) }
    }

    /// Takes the request and drops the connection without a byte of answer.
    #[must_use]
    pub fn hang_up() -> Self {
        Self { status: None, headers: HeaderMap::new(), steps: Vec::new() }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When name or value are not legal.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("a legal header name");
        self.headers.append(name, HeaderValue::try_from(value).expect("a legal header value"));
        self
    }

    /// Sends `body` as one more frame.
    #[must_use]
    pub fn then(mut self, body: impl Into<Bytes>) -> Self {
        self.steps.push(Step::Send(body.into()));
        self
    }

    /// Sends one server-sent event.
    #[must_use]
    pub fn event(self, data: &str) -> Self {
        self.then(format!("data: {data}\n\n"))
    }

    /// Waits until `gate` is open.
    #[must_use]
    pub fn then_wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// Sends nothing of this answer before `gate` is open.
    #[must_use]
    pub fn held_back(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    /// Lets time pass before each frame, so that many answers are on their way at any moment.
    #[must_use]
    pub fn paced(mut self, pause: Duration) -> Self {
        self.steps = (self.steps.into_iter()).flat_map(|step| [Step::Pause(pause), step]).collect();
        self
    }

    /// Breaks the connection off.
    #[must_use]
    pub fn then_cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }

    /// The same bytes, each one in a frame of its own.
    #[must_use]
    pub fn byte_by_byte(mut self) -> Self {
        let split = |step| match step {
            Step::Send(body) => body.iter().map(|byte| Step::Send(Bytes::copy_from_slice(&[*byte]))).collect(),
            other => vec![other],
        };
        self.steps = self.steps.into_iter().flat_map(split).collect();
        self
    }

    /// The body's bytes, as far as they are sent.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let sent = self.steps.iter().filter_map(|step| if let Step::Send(body) = step { Some(body) } else { None });
        sent.flatten().copied().collect()
    }
}

/// The JSON text of one chunk of a streamed chat completion with these choices.
#[must_use]
pub fn chunk(choices: &serde_json::Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "scripted",
        "choices": choices,
    });
    chunk.to_string()
}

/// How a body ends that is broken off on purpose.
pub(crate) type BrokenOff = std::io::Error;

/// Satisfies the signature of a body that cannot break off.
pub(crate) fn never(impossible: Infallible) -> BrokenOff {
    match impossible {}
}
