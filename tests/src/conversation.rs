//! Conversations as a client sends them: raw JSON text that a test can look for byte by byte.

use serde_json::{Value, json};

/// Sixty exchanges of everyday chat. The third one tells a code, the last one asks for it.
const EVERYDAY_CHAT: &str = include_str!("../data/everyday-chat.json");

/// A system message that no serializer would write like this: odd spacing, escapes, an unusual member order.
pub const SYSTEM: &str = r#"{"content" :"You are Zo\u00eb\u2019s assistant \u2014 friendly, brief.\n\tToday\u0027s place: caf\u00e9 \ud83d\ude00 \/ Köln ☕","role":  "system" ,"name":"house\u002drules"}"#;

/// Two tools with odd spacing, numbers that no serializer would write like this, and unknown members.
pub const TOOLS: &str = r#"[ {"type":"function", "function":{"name":"set_timer","description":"Rings after a while \u23f0","parameters":{"type":"object","properties":{"minutes":{"type":"number","minimum":1.0e0,"maximum":1E2 , "multipleOf":0.50}},"required":["minutes"]},"strict":false}},
   {"function":{"parameters":{"properties":{"title":{"type":"string"}},"type":"object"},"name":"make_note"}, "type":"function", "x-unknown":null} ]"#;

/// One exchange of the everyday chat.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What the user says.
    pub user: String,
    /// What the assistant answers.
    pub assistant: String,
}

/// A conversation that grows.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    messages: Vec<String>,
    members: Vec<(String, String)>,
}

/// The sixty exchanges with this code in the third.
///
/// # Panics
/// When the file is not what it should be.
#[must_use]
pub fn everyday_chat(code: &str) -> Vec<Exchange> {
    let pairs: Vec<(String, String)> = serde_json::from_str(EVERYDAY_CHAT).expect("pairs of texts");
    assert_eq!(pairs.len(), 60, "sixty exchanges");
    pairs.into_iter().map(|(user, assistant)| Exchange { user: user.replace("{code}", code), assistant }).collect()
}

/// The first half of [`everyday_chat`], and the question at its end that asks for the code.
#[must_use]
pub fn thirty_exchanges_and_the_question(code: &str) -> Conversation {
    let mut conversation = Conversation::new();
    let chat = everyday_chat(code);
    conversation.exchanges(&chat[..30]);
    conversation.user(&chat[59].user);
    conversation
}

impl Conversation {
    /// A conversation without any message.
    #[must_use]
    pub fn new() -> Self {
        Self::default().member("model", r#""gpt-4o-mini""#)
    }

    /// A conversation with [`SYSTEM`] and [`TOOLS`], and members after the messages.
    #[must_use]
    pub fn with_system_and_tools() -> Self {
        let mut conversation = Self::new().member("tools", TOOLS).member("temperature", "1.0e0");
        conversation.raw(SYSTEM);
        conversation
    }

    /// Adds a member of the request in raw JSON.
    #[must_use]
    pub fn member(mut self, name: &str, raw: &str) -> Self {
        self.members.push((name.to_owned(), raw.to_owned()));
        self
    }

    /// The same conversation, asked for as a stream.
    #[must_use]
    pub fn streaming(&self) -> Self {
        self.clone().member("stream", "true")
    }

    /// Adds what the user says.
    pub fn user(&mut self, text: &str) {
        self.message(&json!({"role": "user", "content": text}));
    }

    /// Adds what the assistant says.
    pub fn assistant(&mut self, text: &str) {
        self.message(&json!({"role": "assistant", "content": text}));
    }

    /// Adds what both say, exchange by exchange.
    pub fn exchanges(&mut self, exchanges: &[Exchange]) {
        for exchange in exchanges {
            self.user(&exchange.user);
            self.assistant(&exchange.assistant);
        }
    }

    /// Adds any message.
    pub fn message(&mut self, message: &Value) {
        self.raw(&message.to_string());
    }

    /// Adds a message in raw JSON.
    pub fn raw(&mut self, message: &str) {
        self.messages.push(message.to_owned());
    }

    /// The raw messages.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// The request's body: the model first, then the messages with odd spacing, then the other members.
    #[must_use]
    pub fn body(&self) -> String {
        let mut members = self.members.iter().map(|(name, raw)| format!("\"{name}\" : {raw}"));
        let model = members.next().unwrap_or_else(|| "\"model\":\"gpt-4o-mini\"".to_owned());
        let rest: String = members.map(|member| format!(" ,\n  {member}")).collect();
        format!("{{ {model},\n  \"messages\" :[ {} ]{rest} }}\n", self.messages.join(" ,\n\t"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Conversation, everyday_chat};
    use crate::tokens;

    #[test]
    fn the_body_is_json_and_far_over_the_budget_of_the_story() {
        let mut conversation = Conversation::with_system_and_tools();
        conversation.exchanges(&everyday_chat("0000"));
        let request = serde_json::from_str(&conversation.streaming().body()).expect("JSON");
        assert!(tokens::count_prompt(&request) > 3000, "{}", tokens::count_prompt(&request));
    }

    #[test]
    fn the_code_is_told_once_and_asked_for_at_the_end() {
        let chat = everyday_chat("7391-K");
        let telling: Vec<usize> = (0..60).filter(|&turn| format!("{:?}", chat[turn]).contains("7391-K")).collect();
        assert_eq!(telling, [2]);
        assert!(chat[59].user.ends_with('?'));
    }
}
