//! The service behind the program: it repeats what it was asked, at once or word by word.
//!
//! It must not know the proxy. The same question always gets the same answer, so that a client can tell whether it has seen the
//! whole of it, and a question that is sent again does not begin another branch.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::BenchError;

/// The service on a port of its own; it ends when dropped.
#[derive(Debug)]
pub(super) struct Service {
    url: String,
    server: JoinHandle<()>,
}

/// Between two words of a stream, so that many streams are on their way at any moment.
const PAUSE: Duration = Duration::from_millis(2);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What is answered to a question.
pub(super) fn reply_to(question: &str) -> String {
    format!("I have written this down: {question}")
}

impl Service {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if there is none.
    pub(super) async fn start() -> Result<Self, BenchError> {
        let unusable = |error: std::io::Error| BenchError::Proxy(format!("no port for the service behind it: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        Ok(Self {
            url: format!("http://{address}/v1"),
            server: tokio::spawn(accept(listener)),
        })
    }

    /// Its base URL, version included.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener) {
    // They end with the task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // A connection that breaks is what is being tested.
        connections.spawn(async move {
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let prompt: Value = serde_json::from_slice(&body).unwrap_or_default();
    let messages = prompt["messages"].as_array();
    let question = messages.and_then(|messages| messages.last()?["content"].as_str());
    let reply = reply_to(question.unwrap_or_default());
    let (kind, body) = if prompt["stream"] == true {
        ("text/event-stream", streamed(&reply))
    } else {
        ("application/json", whole(&reply))
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn whole(reply: &str) -> Body {
    let message = json!({"role": "assistant", "content": reply});
    let completion = json!({
        "id": "chatcmpl-kills", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    });
    Full::new(Bytes::from(completion.to_string())).boxed_unsync()
}

fn streamed(reply: &str) -> Body {
    let words = reply.split_inclusive(' ').map(|word| (json!({"content": word}), None));
    let end = (json!({}), Some("stop"));
    let mut events: Vec<String> = words
        .chain([end])
        .map(|(delta, finish)| {
            let chunk = json!({
                "id": "chatcmpl-kills", "object": "chat.completion.chunk", "created": 0, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            });
            chunk.to_string()
        })
        .collect();
    events.push("[DONE]".to_owned());
    let frames = stream::iter(events).then(|event| async move {
        tokio::time::sleep(PAUSE).await;
        Ok(Frame::data(Bytes::from(format!("data: {event}\n\n"))))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
