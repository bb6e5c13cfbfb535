//! Turns pieces of generated text into a chat completion, whole or as a stream of events.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mainpoint_engine::{EngineError, FinishReason, GeneratedPiece};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::wire::{Answer, Usage};
use crate::error::ProxyError;
use crate::http::response::{Body, envelope, json_response};

/// Pieces of one answer; the last is `Finished` or an error.
pub(super) type Pieces = Receiver<Result<GeneratedPiece, EngineError>>;

/// Collects every piece into a `chat.completion`.
///
/// # Errors
/// [`ProxyError::Embedded`] when the generation fails or ends without saying why.
pub(super) async fn whole(answer: &Answer, mut pieces: Pieces) -> Result<Response<Body>, ProxyError> {
    let mut text = String::new();
    while let Some(piece) = pieces.recv().await {
        match piece.map_err(|source| ProxyError::Embedded { source })? {
            GeneratedPiece::Text(more) => text.push_str(&more),
            GeneratedPiece::Finished { reason, prompt_tokens, completion_tokens } => {
                let usage = Usage { prompt: prompt_tokens, completion: completion_tokens };
                return Ok(json_response(StatusCode::OK, &answer.completion(text.trim_start(), reason, usage)));
            }
        }
    }
    Err(ended())
}

/// Sends every piece as a `chat.completion.chunk`. Dropping the body drops the pieces, which stops the generation.
pub(super) fn streamed(answer: Answer, pieces: Pieces, wants_usage: bool) -> Response<Body> {
    let first = event(&answer.chunk(&json!({"role": "assistant", "content": ""}), None));
    let state = Streaming { answer, pieces, wants_usage, started: false, over: false };
    let rest = stream::unfold(state, |mut state| async move {
        let bytes = state.next().await?;
        Some((bytes, state))
    });
    let frames = stream::once(async move { first }).chain(rest).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let body = StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

struct Streaming {
    answer: Answer,
    pieces: Pieces,
    wants_usage: bool,
    started: bool,
    over: bool,
}

impl Streaming {
    /// The next events, `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            match self.pieces.recv().await {
                Some(Ok(GeneratedPiece::Text(text))) => {
                    let text = if self.started { text.as_str() } else { text.trim_start() };
                    if text.is_empty() {
                        continue;
                    }
                    self.started = true;
                    return Some(event(&self.answer.chunk(&json!({"content": text}), None)));
                }
                Some(Ok(GeneratedPiece::Finished { reason, prompt_tokens, completion_tokens })) => {
                    self.over = true;
                    let usage = Usage { prompt: prompt_tokens, completion: completion_tokens };
                    return Some(self.ending(reason, usage));
                }
                Some(Err(source)) => {
                    self.over = true;
                    return Some(event(&envelope(&ProxyError::Embedded { source })));
                }
                None => {
                    self.over = true;
                    return Some(event(&envelope(&ended())));
                }
            }
        }
        None
    }

    fn ending(&self, reason: FinishReason, usage: Usage) -> Bytes {
        let mut events = event(&self.answer.chunk(&json!({}), Some(reason))).to_vec();
        if self.wants_usage {
            events.extend_from_slice(&event(&self.answer.usage_chunk(usage)));
        }
        events.extend_from_slice(b"data: [DONE]\n\n");
        Bytes::from(events)
    }
}

fn event(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

fn ended() -> ProxyError {
    ProxyError::Embedded { source: EngineError::Stopped { part: "generator" } }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use tokio::sync::mpsc;

    use super::*;

    fn answer() -> Answer {
        Answer { id: "chatcmpl-1".to_owned(), created: 1, model: "m".to_owned() }
    }

    fn pieces(all: Vec<Result<GeneratedPiece, EngineError>>) -> Pieces {
        let (sender, receiver) = mpsc::channel(16);
        for piece in all {
            sender.try_send(piece).unwrap();
        }
        receiver
    }

    fn finished() -> Result<GeneratedPiece, EngineError> {
        Ok(GeneratedPiece::Finished { reason: FinishReason::Stop, prompt_tokens: 3, completion_tokens: 2 })
    }

    fn text(text: &str) -> Result<GeneratedPiece, EngineError> {
        Ok(GeneratedPiece::Text(text.to_owned()))
    }

    async fn body_of(response: Response<Body>) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_whole_answer_carries_text_reason_and_usage() {
        let response = whole(&answer(), pieces(vec![text(" Hel"), text("lo"), finished()])).await.unwrap();
        let value: Value = serde_json::from_str(&body_of(response).await).unwrap();
        assert_eq!(value["choices"][0]["message"]["content"], "Hello");
        assert_eq!(value["choices"][0]["finish_reason"], "stop");
        assert_eq!(value["usage"]["total_tokens"], 5);
    }

    #[tokio::test]
    async fn a_stream_ends_in_usage_and_done() {
        let body = body_of(streamed(answer(), pieces(vec![text(" "), text("Hi"), finished()]), true)).await;
        let events: Vec<&str> = body.split("\n\n").filter(|event| !event.is_empty()).collect();
        assert_eq!(events.len(), 5, "{body}");
        assert!(events[1].contains(r#""content":"Hi""#));
        assert!(events[3].contains(r#""choices":[]"#) && events[3].contains(r#""prompt_tokens":3"#));
        assert_eq!(events[4], "data: [DONE]");
    }

    #[tokio::test]
    async fn a_generation_that_dies_ends_in_an_error_event_and_no_done() {
        let body = body_of(streamed(answer(), pieces(vec![text("Hi")]), false)).await;
        assert!(body.contains(r#"data: {"error":"#) && !body.contains("[DONE]"), "{body}");
        assert!(whole(&answer(), pieces(vec![text("Hi")])).await.is_err());
    }
}
