//! The body of a chat reply on its way to the client: every byte passes as it came, the observer reads along.
//!
//! It must not know what the reply says. A stream that breaks off ends in a visible error event instead of silence. What ends
//! the answer is held back until its sink acknowledges it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde_json::json;

use crate::error::ProxyError;
use crate::http::reply::{Body, BodyError, envelope};
use crate::openai::reply::{Document, Observer, Verdict};
use crate::openai::request::Surface;
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

/// What hears of an exchange: that its request is accepted, and how its reply ends.
pub(crate) trait ExchangeSink: Send {
    /// The upstream has accepted the request, and the reply goes on.
    fn accept(&mut self);

    /// The reply is over; this is what the upstream thought of the request, and the text if that is known and whole. The client
    /// sees the end when what it returns is done.
    fn end(self: Box<Self>, verdict: Verdict, text: Option<String>) -> AcknowledgementFuture;
}

/// Resolves when what was to be stored is in the journal, or will not be.
pub(crate) type AcknowledgementFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a body gives next; nothing at its end.
type Next = Option<Result<Frame<Bytes>, BodyError>>;

/// Passes a reply through.
pub(crate) struct ObservedBody {
    inner: Body,
    reply: Reply,
    observer: Observer,
    sink: Option<Box<dyn ExchangeSink>>,
    /// The upstream is known to have accepted the request.
    accepted: bool,
    /// Begun, and not yet asked whether it is done.
    acknowledgement: Option<AcknowledgementFuture>,
    /// What waits until it is.
    held: Option<(AcknowledgementFuture, Next)>,
    passed: u64,
    /// The reply said that it is over; whatever follows needs no reading.
    done: bool,
    /// The body is over for the client.
    ended: bool,
}

impl ObservedBody {
    /// Watches `inner`; `sink` hears of the end before the client can see it.
    pub(crate) fn new(inner: Body, reply: Reply, sink: Option<Box<dyn ExchangeSink>>) -> Self {
        let observer = match reply {
            Reply::Events(surface) => Observer::events(surface),
            Reply::Document(_) if sink.is_some() => Observer::Document(Document::default()),
            Reply::Document(_) | Reply::Other => Observer::Blind,
        };
        let mut observed = Self {
            inner,
            reply,
            observer,
            sink,
            accepted: false,
            acknowledgement: None,
            held: None,
            passed: 0,
            done: false,
            ended: false,
        };
        observed.accept_early();
        observed
    }

    fn pass(&mut self, bytes: &Bytes) {
        self.passed += bytes.len() as u64;
        self.observer.push(bytes);
        let over = match self.reply {
            Reply::Events(_) => self.observer.is_done(),
            Reply::Document(Some(length)) => self.passed >= length,
            Reply::Document(None) | Reply::Other => self.inner.is_end_stream(),
        };
        if over && !self.done {
            self.deliver();
        } else {
            self.accept_early();
        }
    }

    fn deliver(&mut self) {
        self.done = true;
        let verdict = self.observer.last_verdict();
        let text = self.observer.take_reply();
        self.acknowledgement = self.sink.take().map(|sink| sink.end(verdict, text));
    }

    fn accept_early(&mut self) {
        if self.observer.verdict() == Some(Verdict::Accepted)
            && !std::mem::replace(&mut self.accepted, true)
            && let Some(sink) = &mut self.sink
        {
            sink.accept();
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
            // The client sees for itself that this is not the end.
            let verdict = self.observer.last_verdict();
            if let Some(sink) = self.sink.take() {
                drop(sink.end(verdict, None));
            }
            return Some(Err(error));
        };
        if self.done {
            return None;
        }
        let reason = Break::new(&error);
        if reason == Break::Upstream {
            tracing::warn!(error = %error, "the upstream broke off in the middle of a stream");
        }
        let last = broken(surface, reason, &self.observer);
        let verdict = self.observer.last_verdict();
        self.acknowledgement = self.sink.take().map(|sink| sink.end(verdict, None));
        Some(Ok(last))
    }

    /// What the inner body gives next, and what becomes of it.
    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Next> {
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
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some((acknowledgement, _)) = &mut self.held {
            ready!(acknowledgement.as_mut().poll(context));
            return Poll::Ready(self.held.take().and_then(|(_, next)| next));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_inner(context));
        if let Some(mut acknowledgement) = self.acknowledgement.take()
            && acknowledgement.as_mut().poll(context).is_pending()
        {
            self.held = Some((acknowledgement, next));
            return Poll::Pending;
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none()
            && match self.reply {
                Reply::Events(_) => self.ended,
                Reply::Document(_) | Reply::Other => self.ended || self.inner.is_end_stream(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        match self.reply {
            Reply::Document(_) | Reply::Other if self.held.is_none() => self.inner.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

const BROKEN: &str = "upstream_broken";

/// Why a stream ends in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    Upstream,
    Stop,
}

impl Break {
    fn new(error: &BodyError) -> Self {
        match error.downcast_ref::<ProxyError>() {
            Some(ProxyError::Stopping) => Self::Stop,
            _ => Self::Upstream,
        }
    }
}

/// The event that tells the client why its stream ends.
fn broken(surface: Surface, reason: Break, observer: &Observer) -> Bytes {
    let error = match reason {
        Break::Upstream => ProxyError::UpstreamBroken,
        Break::Stop => ProxyError::Stopping,
    };
    metrics::failure(error.refusal().code);
    let close = if observer.is_between_events() { "" } else { "\n\n" };
    let envelope = envelope(&error);
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

    use futures::{FutureExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use serde_json::Value;
    use tokio::sync::oneshot;

    use super::*;

    const CHAT: Reply = Reply::Events(Surface::ChatCompletions);
    const RESPONSES: Reply = Reply::Events(Surface::Responses);
    const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    type Piece = Result<&'static str, &'static str>;

    fn body(pieces: Vec<Piece>) -> Body {
        let frames =
            pieces.into_iter().map(|piece| piece.map(|text| Frame::data(Bytes::from(text))).map_err(BodyError::from));
        StreamBody::new(stream::iter(frames.collect::<Vec<_>>())).boxed_unsync()
    }

    /// What was heard of a reply.
    #[derive(Debug, Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    /// Notes what it hears, and is done when told so.
    struct Notes {
        heard: Heard,
        written: oneshot::Receiver<()>,
    }

    impl Heard {
        fn note(&self, what: &str) {
            self.0.lock().unwrap().push(what.to_owned());
        }

        fn all(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }

        /// The text of the reply, if there was one.
        fn text(&self) -> Option<String> {
            self.all().iter().find_map(|what| what.strip_prefix("said ").map(str::to_owned))
        }
    }

    impl ExchangeSink for Notes {
        fn accept(&mut self) {
            self.heard.note("accepted");
        }

        fn end(self: Box<Self>, verdict: Verdict, text: Option<String>) -> AcknowledgementFuture {
            if verdict == Verdict::Accepted && self.heard.all().is_empty() {
                self.heard.note("accepted");
            }
            self.heard.note(&text.map_or("ended".to_owned(), |text| format!("said {text}")));
            Box::pin(async move { self.written.await.unwrap() })
        }
    }

    /// An observed body, what is heard of it, and what has to be done before its end is passed on.
    fn observed(pieces: Vec<Piece>, reply: Reply) -> (ObservedBody, Heard, oneshot::Sender<()>) {
        let heard = Heard::default();
        let (done, written) = oneshot::channel();
        let notes = Notes { heard: heard.clone(), written };
        (ObservedBody::new(body(pieces), reply, Some(Box::new(notes))), heard, done)
    }

    async fn watch(pieces: Vec<Piece>, reply: Reply) -> (String, Option<String>) {
        let (observed, heard, done) = observed(pieces, reply);
        done.send(()).unwrap();
        let bytes = observed.collect().await.unwrap().to_bytes();
        (String::from_utf8(bytes.to_vec()).unwrap(), heard.text())
    }

    #[tokio::test]
    async fn a_stream_passes_untouched_and_its_text_is_delivered() {
        let (bytes, text) = watch(vec![Ok(TEXT), Ok(DONE)], CHAT).await;
        assert_eq!(bytes, format!("{TEXT}{DONE}"));
        assert_eq!(text.as_deref(), Some("hi"));
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_ends_in_an_error_event_and_nothing_is_delivered() {
        for pieces in [vec![Ok(TEXT), Err("reset")], vec![Ok(TEXT), Ok("data: {\"cho"), Err("reset")]] {
            let (bytes, text) = watch(pieces, CHAT).await;
            let last = bytes.trim_end().rsplit("\n\n").next().unwrap();
            assert!(last.starts_with("data: {\"error\":") && last.contains("upstream_broken"), "{bytes}");
            assert!(!bytes.contains("[DONE]"));
            assert_eq!(text, None);
        }
    }

    #[tokio::test]
    async fn a_response_that_breaks_off_ends_in_an_error_event_of_its_own_form() {
        const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\",\"sequence_number\":4}\n\n";
        for pieces in [vec![Ok(DELTA), Err("reset")], vec![Ok(DELTA), Ok("event: response.outp"), Err("reset")]] {
            let (bytes, text) = watch(pieces, RESPONSES).await;
            let last = bytes.trim_end().rsplit("\n\n").next().unwrap();
            let data = last.strip_prefix("event: error\ndata: ").unwrap();
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!((&event["type"], &event["code"]), (&json!("error"), &json!("upstream_broken")));
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
    async fn whatever_ends_an_answer_is_held_back_until_what_it_says_is_kept() {
        const DOCUMENT: &str = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
        let length = DOCUMENT.len() as u64;
        for (pieces, reply, before, last) in [
            (vec![Ok(TEXT), Ok(DONE)], CHAT, TEXT, "said hi"),
            (vec![Ok(TEXT), Ok("data: {\"cho")], CHAT, "both", "ended"),
            (vec![Ok(TEXT), Err("reset")], CHAT, TEXT, "ended"),
            (vec![Ok(DOCUMENT)], Reply::Document(Some(length)), "", "said hi"),
            (vec![Ok(DOCUMENT)], Reply::Document(None), "both", "said hi"),
            (vec![Ok("a"), Ok("b")], Reply::Other, "both", "ended"),
        ] {
            let (mut observed, heard, done) = observed(pieces.clone(), reply);
            let mut passed = Vec::new();
            while let Some(frame) = observed.frame().now_or_never() {
                assert!(!observed.is_end_stream(), "{pieces:?}");
                passed.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
            }
            assert!(!observed.is_end_stream(), "{pieces:?}");
            let whole: String = pieces.iter().flatten().copied().collect();
            let before = if before == "both" { &whole } else { before };
            assert_eq!(String::from_utf8_lossy(&passed), before, "{pieces:?}");
            assert_eq!(heard.all(), ["accepted", last], "{pieces:?}");
            done.send(()).unwrap();
            passed.extend_from_slice(&observed.collect().await.unwrap().to_bytes());
            let ended_well = pieces.iter().all(Result::is_ok);
            assert!(passed.starts_with(whole.as_bytes()) && (!ended_well || passed.len() == whole.len()));
        }
    }

    #[tokio::test]
    async fn a_request_is_accepted_by_what_comes_first_and_not_by_its_status() {
        const ERROR: &str = "data: {\"error\":{\"message\":\"no key\"}}\n\n";
        const FAILED: &str = "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"x\"}}}\n\n";
        const REFUSAL: &str = "{\"error\":{\"message\":\"no key\"}}";
        const EMPTY: &str = "data: {\"choices\":[]}\n\n";
        for (pieces, reply, heard) in [
            (vec![Ok(ERROR), Ok(DONE)], CHAT, vec!["ended"]),
            (vec![Ok(ERROR), Err("reset")], CHAT, vec!["ended"]),
            (vec![Ok(FAILED)], RESPONSES, vec!["ended"]),
            (vec![Ok(REFUSAL)], Reply::Document(None), vec!["ended"]),
            (vec![Ok(TEXT), Ok(ERROR)], CHAT, vec!["accepted", "ended"]),
            (vec![Ok(EMPTY), Err("reset")], CHAT, vec!["accepted", "ended"]),
            (vec![Ok("{}")], Reply::Document(None), vec!["accepted", "ended"]),
        ] {
            let (observed, all, done) = observed(pieces.clone(), reply);
            done.send(()).unwrap();
            observed.collect().await.unwrap();
            assert_eq!(all.all(), heard, "{pieces:?}");
        }
        // Whatever the client does meanwhile: the question is stored as soon as the answer begins.
        let (mut observed, heard, _done) = observed(vec![Ok(TEXT), Ok(DONE)], CHAT);
        observed.frame().await.unwrap().unwrap();
        assert_eq!(heard.all(), ["accepted"]);
    }

    #[tokio::test]
    async fn a_document_is_delivered_with_its_last_byte_and_a_broken_one_fails() {
        let document = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
        let (bytes, text) = watch(vec![Ok(document)], Reply::Document(Some(document.len() as u64))).await;
        assert_eq!((bytes.as_str(), text.as_deref()), (document, Some("hi")));
        let broken = ObservedBody::new(body(vec![Ok("{"), Err("reset")]), Reply::Document(None), None);
        assert!(broken.collect().await.is_err());
    }
}
