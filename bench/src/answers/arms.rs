//! The prompts that are compared: mainpoint's, and those that are made without it.
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
    /// The newest messages, up to so many tokens of the whole prompt.
    Last(usize),
    /// The turns that answer the question, each with its date.
    Gold,
    /// Nothing but the question.
    Alone,
}

/// The messages of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prompt {
    pub(super) messages: Vec<Value>,
    pub(super) tokens: usize,
}

impl Arm {
    pub(super) const ALL: [Self; 4] = [Self::Mainpoint, Self::Last(3000), Self::Gold, Self::Alone];

    pub(super) fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.map(|arm| arm.name()).join(", ");
        Self::ALL.into_iter().find(|arm| arm.name() == name).ok_or_else(|| format!("expected one of {known}"))
    }

    /// Its name in result files.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Mainpoint => "mainpoint".to_owned(),
            Self::Last(tokens) => format!("last-{tokens}"),
            Self::Gold => "gold-turns".to_owned(),
            Self::Alone => "question-alone".to_owned(),
        }
    }

    pub(super) fn prompt(self, conversation: &Conversation, question: &Question, forwarded: &Forwarded) -> Prompt {
        let asked = json!({"role": "user", "content": question.text});
        let system = json!({"role": "system", "content": instruction(question)});
        let messages = match self {
            Self::Mainpoint => forwarded.messages.clone(),
            Self::Last(most) => newest(conversation, [system, asked], most),
            Self::Gold => {
                let turns = question.evidence.iter().filter_map(|turn| conversation.turns.get(*turn));
                let lines: String = turns.map(dated).collect();
                let content = format!("{}\n\nFrom the conversation:\n{lines}", question.text);
                vec![system, json!({"role": "user", "content": content})]
            }
            Self::Alone => vec![system, asked],
        };
        let tokens = tokens::count_prompt(&json!({"messages": messages}));
        Prompt { messages, tokens }
    }
}

fn newest(conversation: &Conversation, [system, asked]: [Value; 2], most: usize) -> Vec<Value> {
    let count =
        |message: &Value| tokens::count_prompt(&json!({"messages": [message]})) - tokens::count_prompt(&json!({}));
    let mut used = tokens::count_prompt(&json!({"messages": [system]})) + count(&asked);
    let mut messages = vec![asked];
    for turn in conversation.turns.iter().rev() {
        let message = json!({"role": turn.role, "content": turn.message()});
        used += count(&message);
        if used > most {
            break;
        }
        messages.push(message);
    }
    messages.push(system);
    messages.reverse();
    messages
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
        assert_eq!(texts(Arm::Last(10_000)), ["one", "two", "three", "Which?"]);
        assert_eq!(texts(Arm::Last(1)), ["Which?"]);
        assert_eq!(texts(Arm::Gold), ["Which?\n\nFrom the conversation:\n[1 January 1970] two\n"]);
        assert_eq!(texts(Arm::Alone), ["Which?"]);
        let most = Arm::Last(10_000).prompt(&chat, &question, &forwarded).tokens;
        assert!(Arm::Last(most - 1).prompt(&chat, &question, &forwarded).tokens < most);
    }
}
