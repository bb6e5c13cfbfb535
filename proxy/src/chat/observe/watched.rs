//! The body of a chat reply on its way to the client: every byte passes as it came, the observer reads along.
//!
//! It must not know what the reply says. A stream that breaks off ends in a visible error event instead of silence.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde_json::json;

use super::{Document, Observer};
use crate::chat::parse::Surface;
use crate::error::ProxyError;
use crate::server::reply::{Body, BodyError, envelope};
use crate::telemetry::metrics;

/// What kind of reply passes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Server-sent events as this interface has them.
    Events(Surface),
    /// One JSON document of this many bytes, if the upstream said so.
    Document(Option<u64>),
    /// Something else.
    Other,
}

/// Receives the text of a whole reply.
pub(crate) type OnReply = Box<dyn FnOnce(String) + Send>;

/// Passes a reply through.
pub(crate) struct Watched {
    inner: Body,
    reply: Reply,
    observer: Observer,
    on_reply: Option<OnReply>,
    passed: u64,
    /// The reply said that it is over; whatever follows needs no reading.
    done: bool,
    /// The body is over for the client.
    ended: bool,
}

impl Watched {
    /// Watches `inner`; `on_reply` is called before the client can see that the reply is over.
    pub(crate) fn new(inner: Body, reply: Reply, on_reply: Option<OnReply>) -> Self {
        let observer = match reply {
            Reply::Events(surface) => Observer::events(surface),
            Reply::Document(_) if on_reply.is_some() => Observer::Document(Document::default()),
            Reply::Document(_) | Reply::Other => Observer::Blind,
        };
        Self {
            inner,
            reply,
            observer,
            on_reply,
            passed: 0,
            done: false,
            ended: false,
        }
    }

    fn pass(&mut self, bytes: &Bytes) {
        self.passed += bytes.len() as u64;
        self.observer.push(bytes);
        let over = match self.reply {
            Reply::Events(_) => self.observer.is_done(),
            Reply::Document(Some(length)) => self.passed >= length,
            Reply::Document(None) => self.inner.is_end_stream(),
            Reply::Other => false,
        };
        if over {
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        self.done = true;
        if let Some(on_reply) = self.on_reply.take()
            && let Some(text) = self.observer.take_reply()
        {
            on_reply(text);
        }
    }

    /// The upstream's body is over without an error. If it never said how the reply ended, nothing is delivered.
    fn end(&mut self) {
        self.ended = true;
        if !self.done {
            self.observer.finish();
            self.deliver();
        }
    }

    /// The upstream's body broke off.
    fn fail(&mut self, error: BodyError) -> Option<Result<Bytes, BodyError>> {
        self.ended = true;
        let Reply::Events(surface) = self.reply else {
            metrics::failure(BROKEN);
            return Some(Err(error));
        };
        if self.done {
            return None;
        }
        tracing::warn!(error = %error, "the upstream broke off in the middle of a stream");
        Some(Ok(broken(surface, &self.observer)))
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    let bytes = bytes.clone();
                    self.pass(&bytes);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => self.fail(error).map(|last| last.map(Frame::data)),
            None => {
                self.end();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self.reply {
            Reply::Events(_) => self.ended,
            Reply::Document(_) | Reply::Other => self.ended || self.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.reply {
            Reply::Events(_) => SizeHint::default(),
            Reply::Document(_) | Reply::Other => self.inner.size_hint(),
        }
    }
}

const BROKEN: &str = "upstream_broken";

/// The event that tells the client that the upstream broke off.
fn broken(surface: Surface, observer: &Observer) -> Bytes {
    metrics::failure(BROKEN);
    let close = if observer.is_between_events() { "" } else { "\n\n" };
    let envelope = envelope(&ProxyError::UpstreamBroken);
    Bytes::from(match surface {
        Surface::ChatCompletions => format!("{close}data: {envelope}\n\n"),
        Surface::Responses => {
            // OpenAI documents the error's fields at the top, but sends them in `error`, where its clients look for them.
            let error = &envelope["error"];
            let event = json!({
                "type": "error",
                "code": error["code"],
                "message": error["message"],
                "param": error["param"],
                "sequence_number": observer.next_number(),
                "error": error,
            });
            format!("{close}event: error\ndata: {event}\n\n")
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::sync::{Arc, Mutex};

    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};
    use serde_json::Value;

    use super::*;

    const CHAT: Reply = Reply::Events(Surface::ChatCompletions);
    const RESPONSES: Reply = Reply::Events(Surface::Responses);
    const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    type Piece = Result<&'static str, &'static str>;

    fn body(pieces: Vec<Piece>) -> Body {
        let frames = pieces.into_iter().map(|piece| {
            piece
                .map(|text| Frame::data(Bytes::from(text)))
                .map_err(BodyError::from)
        });
        StreamBody::new(stream::iter(frames.collect::<Vec<_>>())).boxed_unsync()
    }

    async fn watch(pieces: Vec<Piece>, reply: Reply) -> (String, Option<String>) {
        let seen = Arc::new(Mutex::new(None));
        let sink = Arc::clone(&seen);
        let on_reply: OnReply = Box::new(move |text| *sink.lock().unwrap() = Some(text));
        let watched = Watched::new(body(pieces), reply, Some(on_reply));
        let bytes = watched.collect().await.unwrap().to_bytes();
        let text = seen.lock().unwrap().clone();
        (String::from_utf8(bytes.to_vec()).unwrap(), text)
    }

    #[tokio::test]
    async fn a_stream_passes_untouched_and_its_text_is_delivered() {
        let (bytes, text) = watch(vec![Ok(TEXT), Ok(DONE)], CHAT).await;
        assert_eq!(bytes, format!("{TEXT}{DONE}"));
        assert_eq!(text.as_deref(), Some("hi"));
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_ends_in_an_error_event_and_nothing_is_delivered() {
        for pieces in [
            vec![Ok(TEXT), Err("reset")],
            vec![Ok(TEXT), Ok("data: {\"cho"), Err("reset")],
        ] {
            let (bytes, text) = watch(pieces, CHAT).await;
            let last = bytes.trim_end().rsplit("\n\n").next().unwrap();
            assert!(
                last.starts_with("data: {\"error\":") && last.contains("upstream_broken"),
                "{bytes}"
            );
            assert!(!bytes.contains("[DONE]"));
            assert_eq!(text, None);
        }
    }

    #[tokio::test]
    async fn a_response_that_breaks_off_ends_in_an_error_event_of_its_own_form() {
        const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\",\"sequence_number\":4}\n\n";
        for pieces in [
            vec![Ok(DELTA), Err("reset")],
            vec![Ok(DELTA), Ok("event: response.outp"), Err("reset")],
        ] {
            let (bytes, text) = watch(pieces, RESPONSES).await;
            let last = bytes.trim_end().rsplit("\n\n").next().unwrap();
            let data = last.strip_prefix("event: error\ndata: ").unwrap();
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!(
                (&event["type"], &event["code"]),
                (&json!("error"), &json!("upstream_broken"))
            );
            assert_eq!((&event["param"], &event["sequence_number"]), (&Value::Null, &json!(5)));
            assert!(event["message"].as_str().is_some_and(|message| !message.is_empty()));
            assert_eq!(event["error"]["message"], event["message"]);
            assert_eq!(text, None);
        }
    }

    #[tokio::test]
    async fn a_response_passes_untouched_and_a_break_after_its_end_is_none() {
        const END: &str = "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\",\
            \"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}]}}\n\n";
        let (bytes, text) = watch(vec![Ok(END), Err("reset")], RESPONSES).await;
        assert_eq!((bytes.as_str(), text.as_deref()), (END, Some("hi")));
    }

    #[tokio::test]
    async fn a_stream_that_ends_without_saying_so_passes_untouched_and_is_no_memory() {
        let (bytes, text) = watch(vec![Ok(TEXT), Ok("data: {\"cho")], CHAT).await;
        assert_eq!((bytes, text), (format!("{TEXT}data: {{\"cho"), None));
    }

    #[tokio::test]
    async fn the_text_is_delivered_before_the_client_sees_the_end() {
        let seen = Arc::new(Mutex::new(None));
        let sink = Arc::clone(&seen);
        let on_reply: OnReply = Box::new(move |text| *sink.lock().unwrap() = Some(text));
        let mut watched = Watched::new(body(vec![Ok(TEXT), Ok(DONE)]), CHAT, Some(on_reply));
        watched.frame().await.unwrap().unwrap();
        assert_eq!(*seen.lock().unwrap(), None);
        watched.frame().await.unwrap().unwrap();
        assert_eq!(seen.lock().unwrap().as_deref(), Some("hi"));
    }

    #[tokio::test]
    async fn a_document_is_delivered_with_its_last_byte_and_a_broken_one_fails() {
        let document = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
        let (bytes, text) = watch(vec![Ok(document)], Reply::Document(Some(document.len() as u64))).await;
        assert_eq!((bytes.as_str(), text.as_deref()), (document, Some("hi")));
        let broken = Watched::new(body(vec![Ok("{"), Err("reset")]), Reply::Document(None), None);
        assert!(broken.collect().await.is_err());
    }
}
