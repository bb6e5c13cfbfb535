//! Messages with their tokens, as a provider's prompt cache sees them.
//!
//! A message is kept once, however many prompts it is part of, so that two prompts are compared quickly. It must not
//! know what prompts are made for.

use std::collections::HashMap;
use std::sync::Arc;

use mainpoint_tests::{RecordedRequest, prompt};
use tiktoken_rs::{CoreBPE, o200k_base_singleton};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) role: Role,
    pub(super) text: String,
    /// The tokens with what sets the message apart from its neighbours: [`FRAME`] more than those of its text. No
    /// message's tokens are the beginning of another's.
    pub(super) tokens: Vec<u32>,
}

pub(super) type Prompt = Vec<Arc<Message>>;

/// Makes messages with the tokens of `o200k_base`, each once.
pub(super) struct Messages {
    encoding: &'static CoreBPE,
    made: HashMap<(Role, String), Arc<Message>>,
}

/// Tokens of a message beside those of its text: its begin, role, separator and end, as OpenAI counts them.
pub(super) const FRAME: usize = 4;

pub(super) fn tokens(prompt: &[Arc<Message>]) -> usize {
    prompt.iter().map(|message| message.tokens.len()).sum()
}

/// How many tokens two prompts share from their beginning on.
pub(super) fn shared_tokens(left: &[Arc<Message>], right: &[Arc<Message>]) -> usize {
    let mut shared = 0;
    for (left, right) in left.iter().zip(right) {
        if !Arc::ptr_eq(left, right) && left.tokens != right.tokens {
            let pairs = left.tokens.iter().zip(&right.tokens);
            return shared + pairs.take_while(|(left, right)| left == right).count();
        }
        shared += left.tokens.len();
    }
    shared
}

impl Messages {
    pub(super) fn new() -> Self {
        Self { encoding: o200k_base_singleton(), made: HashMap::new() }
    }

    pub(super) fn make(&mut self, role: Role, text: &str) -> Arc<Message> {
        let key = (role, text.to_owned());
        if let Some(message) = self.made.get(&key) {
            return Arc::clone(message);
        }
        let message = Arc::new(Message {
            role,
            text: text.to_owned(),
            tokens: framed(role, &self.encoding.encode_ordinary(text)),
        });
        self.made.insert(key, Arc::clone(&message));
        message
    }

    pub(super) fn received(&mut self, received: &RecordedRequest) -> Prompt {
        let request = received.json();
        let messages = prompt::messages(&request).iter();
        let made = messages.map(|message| self.make(Role::of(prompt::role(message)), &prompt::text(message)));
        made.collect()
    }

    /// The message with at most the first `count` tokens of its text.
    pub(super) fn cut(&self, message: &Arc<Message>, count: usize) -> Arc<Message> {
        let inside = message.tokens.get(FRAME - 1..message.tokens.len() - 1).unwrap_or_default();
        if inside.len() <= count {
            return Arc::clone(message);
        }
        let kept = &inside[..count];
        // A character may end in the middle.
        let bytes = self.encoding.decode_bytes(kept).unwrap_or_default();
        Arc::new(Message {
            role: message.role,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            tokens: framed(message.role, kept),
        })
    }
}

impl Role {
    fn of(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "assistant" => Self::Assistant,
            _ => Self::User,
        }
    }

    /// A token that stands for the role alone.
    fn token(self) -> u32 {
        match self {
            Self::System => u32::MAX - 3,
            Self::User => u32::MAX - 4,
            Self::Assistant => u32::MAX - 5,
        }
    }
}

/// Numbers that no vocabulary reaches.
const BEGIN: u32 = u32::MAX;
const SEPARATOR: u32 = u32::MAX - 1;
const END: u32 = u32::MAX - 2;

fn framed(role: Role, inside: &[u32]) -> Vec<u32> {
    let mut tokens = vec![BEGIN, role.token(), SEPARATOR];
    tokens.extend_from_slice(inside);
    tokens.push(END);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_made_once_and_has_four_tokens_beside_its_text() {
        let mut messages = Messages::new();
        let message = messages.make(Role::User, "hello world");
        assert_eq!(message.tokens.len(), 2 + FRAME);
        assert!(Arc::ptr_eq(&message, &messages.make(Role::User, "hello world")));
        assert!(!Arc::ptr_eq(&message, &messages.make(Role::Assistant, "hello world")));
        assert_eq!(tokens(&[Arc::clone(&message), message]), 12);
    }

    #[test]
    fn prompts_share_tokens_up_to_the_first_that_differs() {
        let mut messages = Messages::new();
        let mut prompt =
            |texts: &[&str]| -> Prompt { texts.iter().map(|text| messages.make(Role::User, text)).collect() };
        let old = prompt(&["hello world", "hello"]);
        assert_eq!(shared_tokens(&old, &prompt(&["hello world", "hello", "more"])), 6 + 5);
        assert_eq!(shared_tokens(&old, &prompt(&["hello world", "hello world"])), 6 + 4);
        assert_eq!(shared_tokens(&old, &prompt(&["other"])), 3);
        assert_eq!(shared_tokens(&old, &[]), 0);
    }

    #[test]
    fn a_cut_message_keeps_its_first_tokens() {
        let mut messages = Messages::new();
        let message = messages.make(Role::User, "hello world");
        let cut = messages.cut(&message, 1);
        assert_eq!((cut.text.as_str(), cut.tokens.len()), ("hello", 1 + FRAME));
        assert_eq!(cut.tokens[..4], message.tokens[..4]);
        assert!(Arc::ptr_eq(&messages.cut(&message, 2), &message));
    }
}
