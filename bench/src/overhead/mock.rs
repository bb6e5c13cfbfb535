//! `mainpoint-bench upstream ADDRESS`: a service that always answers the same, in a process of its own so that its processor
//! time is nobody else's.
//!
//! A completion is short and fixed. A stream's chunks carry the moment at which they were sent. It ends when its
//! standard input does, and so with whoever started it.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use mainpoint_tests::http_server;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use super::bodies::MODEL;
use super::destination::Destination;
use super::process::{Recipe, free_port};
use super::streams::{now, stamp};
use crate::{BenchError, Failing};

type Reply = UnsyncBoxBody<Bytes, Infallible>;

/// What a request asks for. Proxies pass these fields on, though Headroom gives the first one its newer name.
#[derive(Debug, Default, Deserialize)]
struct Ask {
    stream: Option<bool>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    /// Milliseconds between two chunks.
    seed: Option<u64>,
    /// Least bytes of a chunk's content.
    chunk_bytes: Option<usize>,
}

/// How `program`, which is this one, is started as the upstream, on a free port.
pub(super) fn recipe(program: PathBuf) -> Result<Recipe, BenchError> {
    let address = format!("127.0.0.1:{}", free_port()?);
    Ok(Recipe {
        program,
        destination: Destination::at(format!("http://{address}/v1")),
        arguments: vec!["upstream".to_owned(), address],
        ..Recipe::default()
    })
}

/// Listens and serves until standard input ends.
///
/// # Errors
/// When it cannot listen there.
pub async fn serve(address: &str) -> Result<(), BenchError> {
    let listener = TcpListener::bind(address).await.because(format!("the upstream cannot listen on {address}"))?;
    let input_ends = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    tokio::select! {
        () = http_server::serve(listener, answer) => {}
        _ = input_ends => {}
    }
    Ok(())
}

/// Longer bodies are never requests for a stream, and are thrown away as they come.
const MOST_READ: usize = 16 * 1024;
const COMPLETION: &str = concat!(
    r#"{"id":"chatcmpl-overhead","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini","choices":"#,
    r#"[{"index":0,"message":{"role":"assistant","content":"It leaves at nine."},"finish_reason":"stop"}],"#,
    r#""usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}"#
);

async fn answer(request: Request<Incoming>) -> Result<Response<Reply>, hyper::Error> {
    if request.method() != Method::POST || request.uri().path() != "/v1/chat/completions" {
        let mut response = whole(r#"{"error":{"message":"only chat completions","type":"invalid_request_error"}}"#);
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let beginning = beginning(request.into_body()).await?;
    let ask: Ask = serde_json::from_slice(&beginning).unwrap_or_default();
    Ok(if ask.stream == Some(true) { streamed(&ask) } else { whole(COMPLETION) })
}

/// Reads a body to its end and keeps its beginning.
async fn beginning(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            let room = MOST_READ.saturating_sub(kept.len());
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(kept)
}

fn whole(body: &'static str) -> Response<Reply> {
    typed("application/json", Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync())
}

fn streamed(ask: &Ask) -> Response<Reply> {
    let count = ask.max_tokens.or(ask.max_completion_tokens).unwrap_or(1);
    let mut ticks = tokio::time::interval(Duration::from_millis(ask.seed.unwrap_or(1).max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let padding: Arc<str> = "x".repeat(ask.chunk_bytes.unwrap_or(0)).into();
    let chunks = stream::unfold((ticks, 0), move |(mut ticks, sent)| {
        let padding = Arc::clone(&padding);
        async move {
            let chunk = match sent.cmp(&count) {
                Ordering::Less => {
                    ticks.tick().await;
                    let content = format!("{}{padding}", stamp(now()));
                    event(&json!({"index": 0, "delta": {"content": content}, "finish_reason": null}))
                }
                Ordering::Equal => {
                    let last = event(&json!({"index": 0, "delta": {}, "finish_reason": "stop"}));
                    last + "data: [DONE]\n\n"
                }
                Ordering::Greater => return None,
            };
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))), (ticks, sent + 1)))
        }
    });
    typed("text/event-stream", StreamBody::new(chunks).boxed_unsync())
}

fn event(choice: &serde_json::Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-overhead", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": MODEL,
        "choices": [choice],
    });
    format!("data: {chunk}\n\n")
}

fn typed(content_type: &'static str, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::bodies::{Size, stream_request};
    use crate::overhead::streams::sent_at;

    async fn asked(body: String) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/v1/chat/completions", listener.local_addr().unwrap());
        let server = tokio::spawn(http_server::serve(listener, answer));
        let text = reqwest::Client::new().post(url).body(body).send().await.unwrap().text().await.unwrap();
        server.abort();
        text
    }

    #[tokio::test]
    async fn every_size_gets_the_same_completion() {
        for size in Size::ALL {
            assert_eq!(asked(size.body()).await, COMPLETION);
        }
    }

    #[tokio::test]
    async fn a_stream_has_as_many_stamped_chunks_as_were_asked_for() {
        let text = asked(stream_request(3, 1, None)).await;
        let stamps: Vec<u64> = text.lines().filter_map(sent_at).collect();
        assert_eq!(stamps.len(), 3);
        assert!(stamps.is_sorted());
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    }

    #[tokio::test]
    async fn headrooms_name_for_most_tokens_counts_too() {
        let body = stream_request(2, 1, None).replace("max_tokens", "max_completion_tokens");
        assert_eq!(asked(body).await.lines().filter_map(sent_at).count(), 2);
    }
}
