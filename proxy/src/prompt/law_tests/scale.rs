//! Time and memory grow with a request and no faster, whatever it is made of.

use std::time::{Duration, Instant};

use super::*;
use crate::error::MemoryError;

/// A body of about `bytes` bytes: the same piece again and again between two ends.
struct Shape {
    name: &'static str,
    surface: Surface,
    ends: (&'static str, &'static str),
    piece: &'static str,
    /// How many bytes of memory a byte of it may take.
    most: u64,
}

const fn chat(name: &'static str, ends: (&'static str, &'static str), piece: &'static str) -> Shape {
    Shape { name, surface: Surface::ChatCompletions, ends, piece, most: 8 }
}

const MESSAGES: (&str, &str) = (r#"{"messages":["#, r#"{"role":"user","content":"a"}]}"#);
const PARTS: (&str, &str) = (r#"{"messages":[{"role":"user","content":["#, "7]}]}");
const CALLS: (&str, &str) = (r#"{"messages":[{"role":"assistant","content":null,"tool_calls":["#, "7]}]}");

const SHAPES: [Shape; 15] = [
    Shape { most: 16, ..chat("tiny messages", MESSAGES, r#"{"role":"user","content":"a"},"#) },
    Shape { most: 16, ..chat("messages with nothing but a role", MESSAGES, r#"{"role":"user"},"#) },
    Shape { most: 16, ..chat("messages that are empty objects", MESSAGES, "{},") },
    chat("messages that are numbers", MESSAGES, "1,"),
    chat("parts that are numbers", PARTS, "1,"),
    chat("parts that are empty objects", PARTS, "{},"),
    chat("parts without words", PARTS, r#"{"type":"text","text":""},"#),
    chat("parts of an unknown type", PARTS, r#"{"type":""},"#),
    chat(
        "parts of a result that are empty objects",
        (r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":["#, "7]}]}]}"),
        "{},",
    ),
    chat("calls that are numbers", CALLS, "1,"),
    chat("calls that are all named alike", CALLS, r#"{"id":"a"},"#),
    chat("levels", (r#"{"messages":[{"role":"user","content":[0"#, "]}]}"), ",[],[[]],[[[{}]]]"),
    chat("fields", (r#"{"messages":[{"role":"user","#, r#""content":"a"}]}"#), r#""a":1,"#),
    Shape {
        most: 16,
        ..chat(
            "calls and results that are all named alike",
            MESSAGES,
            r#"{"role":"assistant","tool_calls":[{"id":"c"}]},{"role":"tool","tool_call_id":"c","content":"x"},"#,
        )
    },
    Shape {
        surface: Surface::Responses,
        most: 16,
        ..chat("items of an unknown type", (r#"{"input":["#, "7]}"), r#"{"type":"x"},"#)
    },
];

impl Shape {
    fn body(&self, bytes: usize) -> Bytes {
        Bytes::from(format!("{}{}{}", self.ends.0, self.piece.repeat(bytes / self.piece.len()), self.ends.1))
    }

    /// What is done to a request between its body and the forwarded one, but for what waits.
    fn pass(&self, body: &Bytes) {
        let laws = Laws::new();
        let Ok(prepared) = laws.prepared(self.surface, body.clone()) else {
            return;
        };
        prepared.reply_slot();
        for at in 0..prepared.spoken_ids().len() {
            prepared.turn(at);
        }
        let cuttable = Cuttable::new(&prepared);
        let held = &cuttable.odd() | &cuttable.attached(AttachmentPolicy::Keep);
        let shape = cuttable.shape(Some(prepared.request.messages.len() / 2), &held);
        let dropped = shape.evictables.last().map(|last| shape.dropped(last.horizon)).unwrap_or_default();
        let blocks = blocks(&prepared, &dropped, 0);
        let edits = edits(&prepared, &dropped, &blocks);
        rewrite(&prepared.request, &edits);
    }

    fn time(&self, bytes: usize) -> Duration {
        let body = self.body(bytes);
        let attempts = (0..ATTEMPTS).map(|_| {
            let started = Instant::now();
            self.pass(&body);
            started.elapsed()
        });
        attempts.min().unwrap()
    }
}

/// The quickest of so many attempts counts: whatever else a machine does only makes it slower.
const ATTEMPTS: usize = 4;

#[test]
fn four_times_the_request_takes_about_four_times_as_long() {
    const BYTES: usize = 120_000;
    for shape in SHAPES {
        let (once, fourfold) = (shape.time(BYTES), shape.time(4 * BYTES));
        println!("{}: {once:?} for {} KB, {fourfold:?} for four times as many", shape.name, BYTES / 1000);
        assert!(fourfold < once * 9 + Duration::from_millis(5), "{}: {once:?}, then {fourfold:?}", shape.name);
    }
}

#[test]
fn no_request_takes_many_times_its_size_in_memory() {
    const BYTES: usize = 600_000;
    let laws = Laws::new();
    for shape in SHAPES {
        let body = shape.body(BYTES);
        let counted = allocation_counter::measure(|| drop(laws.prepared(shape.surface, body.clone())));
        let share = counted.bytes_max / body.len() as u64;
        println!("{}: {share} bytes of memory for each of the request's {}", shape.name, body.len());
        assert!(share <= shape.most, "{}: {share} bytes for each", shape.name);
    }
}

#[test]
fn more_messages_than_are_looked_at_are_refused_with_a_reason() {
    let shape = &SHAPES[0];
    let body = shape.body((crate::openai::request::MOST_MESSAGES + 1) * shape.piece.len());
    assert_eq!(Laws::new().prepared(shape.surface, body).err(), Some(Reason::TooManyMessages));
}

#[test]
fn preparing_ends_at_the_deadline() {
    let laws = Laws::new();
    let body = SHAPES[0].body(2_000_000);
    let raw = RawRequest {
        surface: Surface::ChatCompletions,
        sender: Sender { headers: &HeaderMap::new(), identity: &Identity::of_headers() },
        body,
        time: DateTime::UNIX_EPOCH,
    };
    let over = Deadline::after(Duration::ZERO);
    assert!(matches!(laws.preparer.prepare_here(raw, &over), Err(MemoryError::Deadline)));
}
