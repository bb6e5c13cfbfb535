//! Test: every recorded stream is read alike at every chunk size, and as a client of OpenAI would read it.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "the number of streams is to be seen")]

use serde_json::Value;

use super::*;
use crate::openai::recordings_for_tests as recordings;

#[test]
fn every_recorded_stream_gives_one_reply_at_every_chunk_size() {
    let directory = recordings::directory();
    let (mut chat, mut responses, mut streams) = (0, 0, 0);
    for body in recordings::streams(&directory) {
        let surface = surface_of(&body);
        let reply = observe(surface, &body, body.len().max(1));
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(observe(surface, &body, size), reply, "chunks of {size} bytes:\n{body}");
        }
        streams += 1;
        if let Some(reply) = reply.text {
            assert_eq!(reply, said(surface, &body), "{body}");
            match surface {
                Surface::ChatCompletions => chat += 1,
                Surface::Responses => responses += 1,
            }
        }
    }
    println!("{streams} recorded streams, of which {chat} chats and {responses} responses are plain text");
    assert!(chat > 0 && responses > 0);
}

/// What a parser knows at the end.
#[derive(Debug, PartialEq)]
struct Seen {
    done: bool,
    next_number: u64,
    text: Option<String>,
}

fn observe(surface: Surface, body: &str, size: usize) -> Seen {
    let mut parser = ReplyParser::events(surface);
    body.as_bytes().chunks(size).for_each(|piece| parser.push(piece));
    parser.finish();
    Seen { done: parser.is_done(), next_number: parser.next_number(), text: parser.take_reply() }
}

fn surface_of(body: &str) -> Surface {
    if body.contains("\"response.created\"") || body.contains("\"response.queued\"") {
        Surface::Responses
    } else {
        Surface::ChatCompletions
    }
}

/// The text that a client of OpenAI shows for a plain reply.
fn said(surface: Surface, body: &str) -> String {
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let events: Vec<Value> = data.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let texts: Vec<&str> = match surface {
        Surface::ChatCompletions => {
            let choices = events.iter().filter_map(first_choice);
            choices.filter_map(|choice| choice["delta"]["content"].as_str()).collect()
        }
        Surface::Responses => {
            let end = |event: &&Value| event["type"] == "response.completed" || event["type"] == "response.incomplete";
            let output = events.iter().rfind(end).unwrap()["response"]["output"].as_array().unwrap();
            let parts = output.iter().filter_map(|item| item["content"].as_array()).flatten();
            parts.filter(|part| part["type"] == "output_text").filter_map(|part| part["text"].as_str()).collect()
        }
    };
    texts.concat()
}

fn first_choice(event: &Value) -> Option<&Value> {
    let mut choices = event["choices"].as_array()?.iter();
    choices.find(|choice| choice.get("index").is_none_or(|index| index == 0))
}
