//! Tests of watching whole replies: however their bytes are cut, and whatever the bytes are.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::*;

/// How many tokens the prompts have, as the replies say.
const TOLD: u64 = 1234;

fn observe(surface: Surface, pieces: &[&[u8]]) -> ReplyParser {
    let mut parser = ReplyParser::events(surface);
    for piece in pieces {
        parser.push(piece);
    }
    parser.finish();
    parser
}

/// `bytes`, cut at some places.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// The events of a reply that consists of `texts`; the last ones say that it is over.
fn events(surface: Surface, texts: &[String]) -> Vec<String> {
    let mut events: Vec<String> = Vec::new();
    match surface {
        Surface::ChatCompletions => {
            for text in texts {
                let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
                events.push(json!({"choices": [choice]}).to_string());
            }
            events.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string());
            events.push(json!({"choices": [], "usage": {"prompt_tokens": TOLD}}).to_string());
            events.push("[DONE]".to_owned());
        }
        Surface::Responses => {
            events.push(json!({"type": "response.created", "response": {"output": []}}).to_string());
            for text in texts {
                let kind = "response.output_text.delta";
                events.push(json!({"type": kind, "output_index": 0, "content_index": 0, "delta": text}).to_string());
            }
            let response = json!({"output": [], "usage": {"input_tokens": TOLD}});
            events.push(json!({"type": "response.completed", "response": response}).to_string());
        }
    }
    events
}

fn stream(events: &[String], line_break: &str) -> Vec<u8> {
    let mut bytes = format!(": keep-alive{line_break}{line_break}");
    for event in events {
        bytes.push_str(&format!("event: message{line_break}data: {event}{line_break}{line_break}"));
    }
    bytes.into_bytes()
}

fn surface() -> impl Strategy<Value = Surface> {
    prop_oneof![Just(Surface::ChatCompletions), Just(Surface::Responses)]
}

/// Bytes that look like a stream in places.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        4 => prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "data: ", "data", "event: x\n", ": c\n", "\u{feff}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        4 => (surface(), prop::collection::vec("\\PC{0,6}", 0..3), any::<Index>()).prop_map(|(surface, texts, at)| {
            let events = events(surface, &texts);
            format!("data: {}\n\n", events[at.index(events.len())]).into_bytes()
        }),
        1 => (any::<u8>(), 0..600_000_usize).prop_map(|(byte, length)| vec![byte; length]),
        1 => (0..400_000_usize).prop_map(|length| {
            let text = "é".repeat(length);
            let event = json!({"type": "response.output_text.delta", "delta": text, "choices": [{"delta": {"content": text}}]});
            format!("data: {event}\n\n").into_bytes()
        }),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// How many bytes a parser keeps.
fn held(parser: &ReplyParser) -> usize {
    match parser {
        ReplyParser::Events(events) => events.framer.held() + events.reply.text.len(),
        ReplyParser::Document(document) => document.bytes.len(),
        ReplyParser::Blind => 0,
    }
}

#[test]
fn a_reply_with_a_null_character_is_no_turn_as_the_message_that_brings_it_back_is_none() {
    for surface in [Surface::ChatCompletions, Surface::Responses] {
        for (text, expected) in [("a\u{0}b", None), ("a\u{1}\tb", Some("a\u{1}\tb"))] {
            let bytes = stream(&events(surface, &[text.to_owned()]), "\n");
            assert_eq!(observe(surface, &[&bytes]).take_reply().as_deref(), expected, "{surface:?} {text:?}");
        }
    }
    let message = json!({"role": "assistant", "content": "a\u{0}b"});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let mut document = ReplyParser::Document(Document::default());
    document.push(json!({"object": "chat.completion", "choices": [choice]}).to_string().as_bytes());
    assert_eq!(document.take_reply(), None);
}

proptest! {
    #[test]
    fn a_reply_is_the_same_however_its_bytes_are_cut(
        surface in surface(),
        texts in prop::collection::vec("\\PC{0,6}", 1..6),
        line_break in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let bytes = stream(&events(surface, &texts), line_break);
        let mut parser = observe(surface, &pieces(&bytes, &cuts));
        prop_assert!(parser.is_done() && parser.is_between_events());
        prop_assert_eq!(parser.prompt_tokens(), Some(TOLD));
        let expected = texts.concat();
        prop_assert_eq!(parser.take_reply(), (!expected.is_empty()).then_some(expected));
    }

    #[test]
    fn a_stream_that_breaks_off_gives_no_reply(
        surface in surface(), texts in prop::collection::vec("\\PC{1,6}", 1..4), cut in any::<Index>(),
    ) {
        let events = events(surface, &texts);
        let before_the_end = match surface {
            Surface::ChatCompletions => events.len() - 3,
            Surface::Responses => events.len() - 1,
        };
        let bytes = stream(&events[..before_the_end], "\n");
        let mut parser = observe(surface, &[&bytes[..cut.index(bytes.len() + 1)]]);
        prop_assert!(!parser.is_done());
        prop_assert_eq!(parser.take_reply(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut_and_little_is_kept(
        surface in surface(), bytes in noise(), cuts in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let mut whole = ReplyParser::events(surface);
        whole.push(&bytes);
        let mut cut = ReplyParser::events(surface);
        for piece in pieces(&bytes, &cuts) {
            cut.push(piece);
            prop_assert!(held(&cut) <= MOST_KEPT);
        }
        prop_assert_eq!(cut.is_between_events(), whole.is_between_events());
        whole.finish();
        cut.finish();
        prop_assert_eq!(cut.is_done(), whole.is_done());
        prop_assert_eq!(cut.next_number(), whole.next_number());
        prop_assert_eq!(cut.prompt_tokens(), whole.prompt_tokens());
        prop_assert_eq!(cut.take_reply(), whole.take_reply());
    }

    #[test]
    fn any_bytes_of_a_document_are_read_alike_and_little_is_kept(
        pieces in prop::collection::vec(noise(), 0..16),
    ) {
        let mut parser = ReplyParser::Document(Document::default());
        for piece in &pieces {
            parser.push(piece);
            prop_assert!(held(&parser) <= LARGEST_DOCUMENT);
        }
        let all = pieces.concat();
        let expected = if all.len() > LARGEST_DOCUMENT {
            None
        } else {
            completion::document(&all).or_else(|| response::document(&all))
        };
        prop_assert_eq!(parser.take_reply(), expected);
    }
}

/// One line that is read, its event (three bytes for each one that is no UTF-8), and the text.
const MOST_KEPT: usize = (1 << 20) + (3 << 20) + LARGEST_REPLY;

#[test]
fn a_document_gives_its_text_and_a_call_gives_none() {
    let reply = |document: &str| {
        let mut parser = ReplyParser::Document(Document::default());
        document.as_bytes().chunks(7).for_each(|piece| parser.push(piece));
        parser.take_reply()
    };
    let chat = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
    assert_eq!(reply(chat).unwrap(), "hi");
    assert_eq!(reply(r#"{"choices":[{"index":0,"message":{"content":"hi","tool_calls":[{"id":"1"}]}}]}"#), None);
    let response =
        r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]}"#;
    assert_eq!(reply(response).unwrap(), "hi");
    assert_eq!(reply(r#"{"status":"completed","output":[{"type":"function_call","call_id":"1"}]}"#), None);
    for whole in [chat, response] {
        assert_eq!(reply(&whole[..whole.len() - 1]), None);
    }
}

#[test]
fn the_tokens_that_a_reply_names_are_known_unless_it_is_an_error() {
    let told = |document: &str| {
        let mut parser = ReplyParser::Document(Document::default());
        parser.push(document.as_bytes());
        parser.prompt_tokens()
    };
    assert_eq!(told(r#"{"choices":[{"message":{"tool_calls":[{"id":"1"}]}}],"usage":{"prompt_tokens":7}}"#), Some(7));
    assert_eq!(told(r#"{"choices":[],"usage":{"prompt_tokens":7}"#), None);
    let (usage, error) = (r#"{"choices":[],"usage":{"prompt_tokens":7}}"#, r#"{"error":{"message":"no"}}"#);
    let stream = |events: &[&str]| {
        let events: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
        observe(Surface::ChatCompletions, &[&stream(&events, "\n")]).prompt_tokens()
    };
    assert_eq!(stream(&[usage]), Some(7));
    assert_eq!(stream(&[usage, error]), None);
    assert_eq!(stream(&["[DONE]", usage]), None, "nothing after the end counts");
}
