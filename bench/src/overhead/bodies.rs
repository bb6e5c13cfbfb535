//! The request bodies that are sent: of exact sizes, and of what real ones of such sizes are made of.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Size {
    /// 1,000 bytes: a system message and a question.
    Small,
    /// 100,000 bytes: a long conversation of turns of about 1,000 bytes.
    Middle,
    /// 2,500,000 bytes: a question about a picture, which stands in it as base64.
    Large,
}

pub(super) const MODEL: &str = "gpt-4o-mini";
/// The header that every request carries, since memories belong to a key; no service knows this one.
pub(super) const AUTHORIZATION: &str = "Bearer overhead";

const SYSTEM: &str = "You are a helpful assistant. Answer briefly.";
const QUESTION: &str = "When does the ferry to the island leave in the morning, and who wanted to come along? ";
const TURN_BYTES: usize = 1000;

impl Size {
    pub(super) const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Small => 1000,
            Self::Middle => 100_000,
            Self::Large => 2_500_000,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Small => "1KB",
            Self::Middle => "100KB",
            Self::Large => "2.5MB",
        }
    }

    /// The body: JSON of exactly [`Size::bytes`] bytes, always the same.
    pub(super) fn body(self) -> String {
        let with = |filler: &str| match self {
            Self::Small => request(&[user(filler)]),
            Self::Middle => request(&conversation(filler)),
            Self::Large => request(&[picture(filler)]),
        };
        // The filler needs no escapes, so that each of its bytes is one of the body.
        let room = self.bytes().saturating_sub(with("").len());
        match self {
            Self::Small | Self::Middle => with(&prose(room, usize::MAX)),
            Self::Large => with(&"iVBORw0KGgoA".repeat(room / 12 + 1)[..room]),
        }
    }
}

/// A request for a stream of `chunks` chunks of at least `chunk_bytes` bytes with `pause_ms` milliseconds between them. Seed and
/// most tokens are fields that every proxy passes on; the size of chunks is a field of our own.
pub(super) fn stream_request(chunks: u64, pause_ms: u64, chunk_bytes: Option<usize>) -> String {
    let messages = [json!({"role": "user", "content": QUESTION})];
    let mut request = json!({
        "model": MODEL, "stream": true, "max_tokens": chunks, "seed": pause_ms, "messages": messages,
    });
    if let Some(bytes) = chunk_bytes {
        request["chunk_bytes"] = json!(bytes);
    }
    request.to_string()
}

fn request(messages: &[Value]) -> String {
    let system = json!({"role": "system", "content": SYSTEM});
    let messages: Vec<&Value> = std::iter::once(&system).chain(messages).collect();
    json!({"model": MODEL, "messages": messages}).to_string()
}

fn user(filler: &str) -> Value {
    json!({"role": "user", "content": format!("{QUESTION}{filler}")})
}

/// Turns of a conversation; what is left of the body after them stands in the question.
fn conversation(filler: &str) -> Vec<Value> {
    const TURNS: usize = 90;
    let turn = |number: usize| {
        let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
        json!({"role": role, "content": prose(TURN_BYTES, number)})
    };
    (0..TURNS).map(turn).chain([user(filler)]).collect()
}

fn picture(filler: &str) -> Value {
    let url = format!("data:image/png;base64,{filler}");
    json!({"role": "user", "content": [
        {"type": "text", "text": QUESTION},
        {"type": "image_url", "image_url": {"url": url}},
    ]})
}

/// `bytes` bytes of words, others for each `number`.
fn prose(bytes: usize, number: usize) -> String {
    const WORDS: &str = "ferry harbour letter garden kitchen report budget meeting river window winter doctor passport market \
        bridge violin school colour neighbour engine village lantern recipe museum";
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.push_str(words[random.usize(..words.len())]);
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_json_of_exactly_its_size() {
        for size in Size::ALL {
            let body = size.body();
            assert_eq!(body.len(), size.bytes(), "{}", size.name());
            let value: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(value["model"], MODEL);
            assert_eq!(body, size.body(), "the same bytes each time");
        }
    }

    #[test]
    fn turns_of_the_long_conversation_differ() {
        let value: Value = serde_json::from_str(&Size::Middle.body()).unwrap();
        let messages = value["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 92);
        assert_ne!(messages[1]["content"], messages[2]["content"]);
    }

    #[test]
    fn stream_requests_say_how_many_chunks_and_how_often() {
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let value = read(stream_request(20, 1000, None));
        assert_eq!((&value["max_tokens"], &value["seed"]), (&json!(20), &json!(1000)));
        assert_eq!(
            (value.get("chunk_bytes"), &read(stream_request(20, 1000, Some(4096)))["chunk_bytes"]),
            (None, &json!(4096))
        );
    }
}
