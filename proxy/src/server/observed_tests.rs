//! Tests of replies that are read along.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
use std::sync::{Arc, Mutex};

use futures::{FutureExt, stream};
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;
use tokio::sync::oneshot;

use super::*;

const CHAT: ReplyKind = ReplyKind::Events(Surface::ChatCompletions);
const RESPONSES: ReplyKind = ReplyKind::Events(Surface::Responses);
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

impl ReplyListener for Notes {
    fn accept(&mut self) {
        self.heard.note("accepted");
    }

    fn told_tokens(&mut self, tokens: u64) {
        self.heard.note(&format!("{tokens} tokens"));
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
fn observed(pieces: Vec<Piece>, reply: ReplyKind) -> (ObservedBody, Heard, oneshot::Sender<()>) {
    let heard = Heard::default();
    let (done, written) = oneshot::channel();
    let notes = Notes { heard: heard.clone(), written };
    let room = Room::of(1 << 20);
    (ObservedBody::new(body(pieces), reply, Some(Box::new(notes)), &room), heard, done)
}

async fn watch(pieces: Vec<Piece>, reply: ReplyKind) -> (String, Option<String>) {
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
        (vec![Ok(DOCUMENT)], ReplyKind::Document(Some(length)), "", "said hi"),
        (vec![Ok(DOCUMENT)], ReplyKind::Document(None), "both", "said hi"),
        (vec![Ok("a"), Ok("b")], ReplyKind::Other, "both", "ended"),
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
        (vec![Ok(REFUSAL)], ReplyKind::Document(None), vec!["ended"]),
        (vec![Ok(TEXT), Ok(ERROR)], CHAT, vec!["accepted", "ended"]),
        (vec![Ok(EMPTY), Err("reset")], CHAT, vec!["accepted", "ended"]),
        (vec![Ok("{}")], ReplyKind::Document(None), vec!["accepted", "ended"]),
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
    let (bytes, text) = watch(vec![Ok(document)], ReplyKind::Document(Some(document.len() as u64))).await;
    assert_eq!((bytes.as_str(), text.as_deref()), (document, Some("hi")));
    let broken = ObservedBody::new(body(vec![Ok("{"), Err("reset")]), ReplyKind::Document(None), None, &Room::of(0));
    assert!(broken.collect().await.is_err());
}

#[tokio::test]
async fn the_tokens_of_a_prompt_are_heard_before_the_end_of_a_reply_that_says_them() {
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7}}\n\n";
    const DOCUMENT: &str = r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":7}}"#;
    for (pieces, reply, heard) in [
        (vec![Ok(TEXT), Ok(USAGE), Ok(DONE)], CHAT, vec!["accepted", "7 tokens", "said hi"]),
        (vec![Ok(DOCUMENT)], ReplyKind::Document(None), vec!["7 tokens", "said hi"]),
        (vec![Ok(TEXT), Ok(USAGE), Err("reset")], CHAT, vec!["accepted", "ended"]),
    ] {
        let (observed, all, done) = observed(pieces.clone(), reply);
        done.send(()).unwrap();
        observed.collect().await.unwrap();
        assert_eq!(all.all(), heard, "{pieces:?}");
    }
}

fn kind(pairs: &[(HeaderName, &'static str)]) -> ReplyKind {
    ReplyKind::of(
        Surface::ChatCompletions,
        &pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect(),
    )
}

#[test]
fn only_replies_that_can_be_read_are_read() {
    assert_eq!(
        kind(&[(CONTENT_TYPE, "text/event-stream; charset=utf-8")]),
        ReplyKind::Events(Surface::ChatCompletions)
    );
    assert_eq!(kind(&[(CONTENT_TYPE, "application/json"), (CONTENT_LENGTH, "5")]), ReplyKind::Document(Some(5)));
    assert_eq!(kind(&[(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")]), ReplyKind::Other);
    assert_eq!(kind(&[]), ReplyKind::Other);
}

#[tokio::test]
async fn where_there_is_no_room_for_a_copy_the_reply_passes_untouched_and_its_request_is_stored() {
    let long = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "word ".repeat(2000));
    let document = format!("{{\"choices\":[{{\"message\":{{\"content\":\"{}\"}}}}]}}", "word ".repeat(9000));
    let stream: Vec<&str> = std::iter::once(TEXT).chain([long.as_str(); 8]).chain([DONE]).collect();
    for (pieces, reply) in [(stream, CHAT), (vec![document.as_str()], ReplyKind::Document(None))] {
        for bytes in [0, 64 << 10, 1 << 20] {
            let room = Room::of(bytes);
            let (heard, (done, written)) = (Heard::default(), oneshot::channel());
            let notes = Notes { heard: heard.clone(), written };
            let frames = pieces.iter().map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from((*piece).to_owned()))));
            let inner = StreamBody::new(stream::iter(frames.collect::<Vec<_>>())).boxed_unsync();
            let observed = ObservedBody::new(inner, reply, Some(Box::new(notes)), &room);
            done.send(()).unwrap();
            assert_eq!(observed.collect().await.unwrap().to_bytes(), pieces.concat());
            assert_eq!(heard.all().first().map(String::as_str), Some("accepted"));
            assert_eq!(heard.text().is_some(), bytes > 64 << 10, "{reply:?} in {bytes} bytes");
            assert_eq!(room.held(), 0);
        }
    }
}
