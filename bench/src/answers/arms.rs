//! The prompts that are compared: mainpoint's, and the one that is made of the turns that answer.
//!
//! It must not know who answers.

use mainpoint_tests::tokens;
use serde_json::{Value, json};

use super::forwarded::{Forwarded, instruction};
use crate::data::{Conversation, Question, Turn};

/// A way to make a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arm {
    /// What the proxy forwards.
    Mainpoint,
    /// The turns that answer the question, each with its date.
    Gold,
}

/// The messages of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prompt {
    pub(super) messages: Vec<Value>,
    pub(super) tokens: usize,
}

impl Arm {
    pub(super) const ALL: [Self; 2] = [Self::Mainpoint, Self::Gold];

    /// Its name in result files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mainpoint => "mainpoint",
            Self::Gold => "gold-turns",
        }
    }

    pub(super) fn prompt(self, conversation: &Conversation, question: &Question, forwarded: &Forwarded) -> Prompt {
        let messages = match self {
            Self::Mainpoint => forwarded.messages.clone(),
            Self::Gold => {
                let turns = question.evidence.iter().filter_map(|turn| conversation.turns.get(*turn));
                let lines: String = turns.map(dated).collect();
                let content = format!("{}\n\nFrom the conversation:\n{lines}", question.text);
                let system = json!({"role": "system", "content": instruction(question)});
                vec![system, json!({"role": "user", "content": content})]
            }
        };
        let tokens = tokens::count_prompt(&json!({"messages": messages}));
        Prompt { messages, tokens }
    }
}

fn dated(turn: &Turn) -> String {
    format!("[{}] {}\n", turn.time.format("%-d %B %Y"), turn.message())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::{conversation, question};

    #[test]
    fn each_arm_holds_what_its_name_says() {
        let chat = conversation("some", &[("user", "one"), ("assistant", "two"), ("user", "three")]);
        let question = Question { text: "Which?".into(), ..question(&[1]) };
        let messages = vec![json!({"role": "user", "content": "forwarded"})];
        let forwarded = Forwarded { messages, ..Forwarded::default() };
        let texts = |arm: Arm| {
            let prompt = arm.prompt(&chat, &question, &forwarded);
            let texts = prompt.messages.iter().filter_map(|message| message["content"].as_str().map(str::to_owned));
            texts.filter(|text| text != instruction(&question)).collect::<Vec<String>>()
        };
        assert_eq!(texts(Arm::Mainpoint), ["forwarded"]);
        assert_eq!(texts(Arm::Gold), ["Which?\n\nFrom the conversation:\n[1 January 1970] two\n"]);
    }
}
