//! The prompts that are compared: mainpoint's, and those that are made without it.

use clap::ValueEnum;
use mainpoint_tests::tokens;
use serde_json::{Value, json};

use super::forwarded::{Forwarded, instruction};
use crate::data::{Conversation, Question, Turn};

/// A way to make a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Arm {
    /// What the proxy forwards.
    Mainpoint,
    /// The newest messages, up to 3,000 tokens of the whole prompt.
    #[value(name = "last-3000")]
    Last,
    /// The turns that answer the question, each with its date.
    GoldTurns,
    /// Nothing but the question.
    QuestionAlone,
}

/// The messages of a prompt, and what was answered to them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prompt {
    pub(super) messages: Vec<Value>,
    pub(super) tokens: usize,
    pub(super) answer: String,
}

const MOST: usize = 3000;

impl Arm {
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(super) fn prompt(self, conversation: &Conversation, question: &Question, forwarded: &Forwarded) -> Prompt {
        let asked = json!({"role": "user", "content": question.text});
        let system = json!({"role": "system", "content": instruction(question)});
        let messages = match self {
            Self::Mainpoint => forwarded.messages.clone(),
            Self::Last => newest(conversation, [system, asked], MOST),
            Self::GoldTurns => {
                let turns = question.evidence.iter().filter_map(|turn| conversation.turns.get(*turn));
                let lines: String = turns.map(dated).collect();
                let content = format!("{}\n\nFrom the conversation:\n{lines}", question.text);
                vec![system, json!({"role": "user", "content": content})]
            }
            Self::QuestionAlone => vec![system, asked],
        };
        let tokens = tokens::count_prompt(&json!({"messages": messages}));
        Prompt { messages, tokens, answer: String::new() }
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
        let texts = |messages: &[Value]| {
            let texts = messages.iter().filter_map(|message| message["content"].as_str().map(str::to_owned));
            texts.filter(|text| text != instruction(&question)).collect::<Vec<String>>()
        };
        let of = |arm: Arm| texts(&arm.prompt(&chat, &question, &forwarded).messages);
        assert_eq!(of(Arm::Mainpoint), ["forwarded"]);
        assert_eq!(of(Arm::Last), ["one", "two", "three", "Which?"]);
        assert_eq!(of(Arm::GoldTurns), ["Which?\n\nFrom the conversation:\n[1 January 1970] two\n"]);
        assert_eq!(of(Arm::QuestionAlone), ["Which?"]);
        let Prompt { messages, tokens, .. } = Arm::Last.prompt(&chat, &question, &forwarded);
        let within = |most| texts(&newest(&chat, [messages[0].clone(), messages[4].clone()], most));
        assert_eq!((within(tokens).len(), within(tokens - 1)), (4, texts(&messages[2..])));
        assert_eq!(within(1), ["Which?"]);
        let names: Vec<String> = Arm::value_variants().iter().map(|arm| arm.name()).collect();
        assert_eq!(names, ["mainpoint", "last-3000", "gold-turns", "question-alone"]);
    }
}
