//! The body of a chat reply on its way to the client: every byte passes as it came, a parser reads along.
//!
//! A stream that breaks off ends in a visible error event instead of silence. What ends the answer is held back until
//! its listener acknowledges it. Where there is no room for the parser's copy it is given up; the reply passes all the same.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde_json::json;

use crate::error::ProxyError;
use crate::http::response::{Body, BodyError, envelope};
use crate::http::through::Next;
use crate::openai::reply::{Document, ReplyParser, Verdict};
use crate::openai::request::Surface;
use crate::room::{Held, Room};
use crate::telemetry::metrics;

/// What kind of reply passes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyKind {
    /// Server-sent events as this interface has them.
    Events(Surface),
    /// One JSON document of this many bytes, if the upstream said so.
    Document(Option<u64>),
    /// Something else.
    Other,
}

impl ReplyKind {
    /// What kind of reply to a request of this interface has these headers.
    pub(super) fn of(surface: Surface, headers: &HeaderMap) -> Self {
        if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Self::Other;
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => Self::Events(surface),
            "application/json" => {
                Self::Document(headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()))
            }
            _ => Self::Other,
        }
    }
}

/// What hears that a request is accepted, and how its reply ends.
pub(crate) trait ReplyListener: Send {
    /// The upstream has accepted the request, and the reply goes on.
    fn accept(&mut self);

    /// So many tokens does the request's prompt have, as the reply says. Comes before the end, if it does.
    fn told_tokens(&mut self, tokens: u64);

    /// The reply is over; this is what the upstream thought of the request, and the text if that is known and whole. The client
    /// sees the end when what it returns is done.
    fn end(self: Box<Self>, verdict: Verdict, text: Option<String>) -> AcknowledgementFuture;
}

/// Resolves when what was to be stored is in the journal, or will not be.
pub(crate) type AcknowledgementFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Passes a reply through.
pub(crate) struct ObservedBody {
    inner: Body,
    reply: ReplyKind,
    parser: ReplyParser,
    listener: Option<Box<dyn ReplyListener>>,
    /// The upstream is known to have accepted the request.
    accepted: bool,
    /// Begun, and not yet asked whether it is done.
    acknowledgement: Option<AcknowledgementFuture>,
    /// What waits until it is.
    held: Option<(AcknowledgementFuture, Next)>,
    /// What the parser may keep; `None` where it keeps next to nothing.
    room: Option<Held>,
    passed: u64,
    /// The reply said that it is over; whatever follows needs no reading.
    done: bool,
    /// The body is over for the client.
    ended: bool,
}

impl ObservedBody {
    /// Watches `inner`; `listener` hears of the end before the client can see it. What is kept of the reply takes its place in `room`.
    pub(crate) fn new(inner: Body, reply: ReplyKind, listener: Option<Box<dyn ReplyListener>>, room: &Room) -> Self {
        let parser = match reply {
            ReplyKind::Events(surface) => ReplyParser::events(surface),
            ReplyKind::Document(_) if listener.is_some() => ReplyParser::Document(Document::default()),
            ReplyKind::Document(_) | ReplyKind::Other => ReplyParser::Blind,
        };
        let mut observed = Self {
            inner,
            reply,
            parser,
            listener,
            accepted: false,
            acknowledgement: None,
            held: None,
            room: None,
            passed: 0,
            done: false,
            ended: false,
        };
        if observed.listener.is_none() {
            observed.parser.read_no_text();
        }
        if !matches!(observed.parser, ReplyParser::Blind) {
            observed.room = room.try_take(FIRST_ROOM);
            if observed.room.is_none() {
                observed.give_up();
            }
        }
        observed.accept_early();
        observed
    }

    fn pass(&mut self, bytes: &Bytes) {
        self.passed += bytes.len() as u64;
        self.make_room(bytes.len());
        self.parser.push(bytes);
        let over = match self.reply {
            ReplyKind::Events(_) => self.parser.is_done(),
            ReplyKind::Document(Some(length)) => self.passed >= length,
            ReplyKind::Document(None) | ReplyKind::Other => self.inner.is_end_stream(),
        };
        if over && !self.done {
            self.deliver();
        } else {
            self.accept_early();
        }
    }

    /// Has room for so many bytes more of the parser's copy, or gives that up.
    fn make_room(&mut self, bytes: usize) {
        let wanted = COPIES * (self.parser.held() + bytes);
        let has_room = |held: &mut Held| wanted <= held.bytes() || held.try_grow_to(2 * wanted);
        if !self.room.as_mut().is_none_or(has_room) {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        metrics::no_room("answer");
        self.parser.give_up();
        self.room = None;
    }

    fn deliver(&mut self) {
        self.done = true;
        let verdict = self.parser.last_verdict();
        if let (Verdict::Accepted, Some(tokens), Some(listener)) =
            (verdict, self.parser.prompt_tokens(), &mut self.listener)
        {
            listener.told_tokens(tokens);
        }
        let text = self.parser.take_reply();
        self.acknowledgement = self.listener.take().map(|listener| listener.end(verdict, text));
    }

    fn accept_early(&mut self) {
        if self.parser.verdict() == Some(Verdict::Accepted)
            && !std::mem::replace(&mut self.accepted, true)
            && let Some(listener) = &mut self.listener
        {
            listener.accept();
        }
    }

    /// The upstream's body is over without an error. If it never said how the reply ended, nothing is delivered.
    fn end(&mut self) {
        self.ended = true;
        if !self.done {
            self.parser.finish();
            self.deliver();
        }
    }

    /// The upstream's body broke off.
    fn fail(&mut self, error: BodyError) -> Option<Result<Bytes, BodyError>> {
        self.ended = true;
        let ReplyKind::Events(surface) = self.reply else {
            metrics::failure(BROKEN);
            // The client sees for itself that this is not the end.
            let verdict = self.parser.last_verdict();
            if let Some(listener) = self.listener.take() {
                drop(listener.end(verdict, None));
            }
            return Some(Err(error));
        };
        if self.done {
            return None;
        }
        let reason = match error.downcast_ref() {
            Some(ProxyError::Stopping) => ProxyError::Stopping,
            _ => {
                tracing::warn!(error = %error, "the upstream broke off in the middle of a stream");
                ProxyError::UpstreamBroken
            }
        };
        let last = broken(surface, &reason, &self.parser);
        let verdict = self.parser.last_verdict();
        self.acknowledgement = self.listener.take().map(|listener| listener.end(verdict, None));
        Some(Ok(last))
    }

    /// What the inner body gives next, and what becomes of it.
    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    let bytes = bytes.clone();
                    self.pass(&bytes);
                } else if frame.is_trailers() {
                    // Nobody asks for more after them.
                    self.end();
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

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Next> {
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
                ReplyKind::Events(_) => self.ended,
                ReplyKind::Document(_) | ReplyKind::Other => self.ended || self.inner.is_end_stream(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        match self.reply {
            ReplyKind::Document(_) | ReplyKind::Other if self.held.is_none() => self.inner.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

/// What is taken for the copy of a reply at first: enough for most.
const FIRST_ROOM: usize = 64 << 10;
/// How often a reply's text is there: as it came, and as a turn.
const COPIES: usize = 2;
const BROKEN: &str = "upstream_broken";

/// The event that tells the client why its stream ends.
fn broken(surface: Surface, error: &ProxyError, parser: &ReplyParser) -> Bytes {
    metrics::failure(error.refusal().code);
    let close = if parser.is_between_events() { "" } else { "\n\n" };
    let envelope = envelope(error);
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
                "sequence_number": parser.next_number(),
                "error": error,
            });
            format!("{close}event: error\ndata: {event}\n\n")
        }
    })
}

#[cfg(test)]
#[path = "observed_tests.rs"]
mod tests;
