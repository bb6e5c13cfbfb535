//! A tiny chat service: it answers what it is told to and remembers the last prompt.
//!
//! It must not know the proxy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::BenchError;

/// The service on a port of its own; it ends when dropped.
#[derive(Debug)]
pub struct ScriptedUpstream {
    url: String,
    seen: Arc<Mutex<Seen>>,
    server: JoinHandle<()>,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who speaks, as the wire format says it.
    pub role: String,
    /// What is said; the texts of several parts stand on lines of their own.
    pub text: String,
}

/// What is answered, by the number of the request from 0.
type Replies = Arc<dyn Fn(usize) -> String + Send + Sync>;

#[derive(Debug, Default)]
struct Seen {
    requests: usize,
    last: Value,
    /// When the last request for each model came.
    arrived: HashMap<String, Instant>,
}

impl ScriptedUpstream {
    /// Listens on a free port of the loopback interface and answers `replies`, called with the number of the request
    /// from 0.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if there is none.
    pub async fn start(replies: impl Fn(usize) -> String + Send + Sync + 'static) -> Result<Self, BenchError> {
        let unusable = |error: std::io::Error| BenchError::Proxy(format!("no port for the scripted upstream: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let server = tokio::spawn(accept(listener, Arc::clone(&seen), Arc::new(replies)));
        Ok(Self {
            url: format!("http://{address}/v1"),
            seen,
            server,
        })
    }

    /// Its base URL, version included.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The texts of the messages of the last prompt that it received.
    #[must_use]
    pub fn last_prompt(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        messages_of(&seen.last).map(|message| message.text).collect()
    }

    /// When the first byte of the last request for a model came.
    #[must_use]
    pub fn arrived(&self, model: &str) -> Option<Instant> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.arrived.get(model).copied()
    }

    /// The messages of the last prompt that it received.
    #[must_use]
    pub fn last_messages(&self) -> Vec<Received> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        messages_of(&seen.last).collect()
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn messages_of(prompt: &Value) -> impl Iterator<Item = Received> + '_ {
    let messages = prompt["messages"].as_array().into_iter().flatten();
    messages.map(|message| Received {
        role: message["role"].as_str().unwrap_or_default().to_owned(),
        text: text_of(&message["content"]),
    })
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Seen>>, replies: Replies) {
    while let Ok((stream, _)) = listener.accept().await {
        let (seen, replies) = (Arc::clone(&seen), Arc::clone(&replies));
        let service = service_fn(move |request| answer(request, Arc::clone(&seen), Arc::clone(&replies)));
        // A connection that breaks is the proxy's to notice.
        tokio::spawn(async move {
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Seen>>,
    replies: Replies,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if request.method() != Method::POST || request.uri().path() != "/v1/chat/completions" {
        let body = json!({"error": {"message": "only chat completions are scripted", "type": "invalid_request_error"}});
        return Ok(respond(StatusCode::NOT_FOUND, &body));
    }
    let arrived = Instant::now();
    let body = request.into_body().collect().await?.to_bytes();
    let prompt: Value = serde_json::from_slice(&body).unwrap_or_default();
    let model = prompt["model"].clone();
    let number = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.requests += 1;
        seen.arrived
            .insert(model.as_str().unwrap_or_default().to_owned(), arrived);
        seen.last = prompt;
        seen.requests
    };
    let reply = replies(number - 1);
    let message = json!({"role": "assistant", "content": reply});
    let completion = json!({
        "id": format!("chatcmpl-scripted-{number}"),
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    });
    Ok(respond(StatusCode::OK, &completion))
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[tokio::test]
    async fn it_answers_what_it_is_told_to_and_remembers_the_last_prompt() {
        let upstream = ScriptedUpstream::start(|number| format!("reply {number}"))
            .await
            .unwrap();
        let client = reqwest::Client::new();
        let url = format!("{}/chat/completions", upstream.url());
        for (asked, reply) in [("one", "reply 0"), ("two", "reply 1")] {
            let body =
                json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": asked}]}]});
            let text = client
                .post(&url)
                .body(body.to_string())
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(answer["choices"][0]["message"]["content"], reply);
            assert_eq!(upstream.last_prompt(), [asked]);
            assert_eq!(upstream.last_messages()[0].role, "user");
            assert!(upstream.arrived("m").is_some() && upstream.arrived("other").is_none());
        }
        assert_eq!(client.get(upstream.url()).send().await.unwrap().status(), 404);
    }
}
