//! Callers who do everything now and then, at a steady rate: chats within the budget and over it, streamed and not, rounds of tools,
//! new chats, searches, lists and deletions of their memory.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::answers::NOTED;
use super::outages::Epoch;
use crate::running::{CHAT, Door, Heard};
use crate::stats::as_float;

/// One caller, with one long chat after the other.
#[derive(Debug)]
pub(super) struct Caller {
    number: u32,
    door: Door,
    random: fastrand::Rng,
    said: usize,
    /// The chat that goes on.
    messages: Vec<Value>,
    counted: Counted,
}

/// What came of requests.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    /// Requests while the upstream was there, and those of them that were answered rightly.
    pub(super) asked: usize,
    pub(super) answered: usize,
    /// Requests in whose time the upstream was away.
    pub(super) around_outages: usize,
    /// Chat requests whose prompt was rewritten.
    pub(super) rewritten: usize,
    /// What was said and answered, questions and answers.
    pub(super) turns: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    GoesOn,
    BeginsAnew,
    UsesATool,
    Searches,
    Lists,
    Deletes,
}

pub(super) const CALLERS: u32 = 3;
/// Most messages of a chat; it has outgrown its budget long before.
const MESSAGES: usize = 80;
const API: &str = "/mainpoint/v1";
/// Twenty parts, as often as each is done.
const MIXTURE: [(Action, usize); 6] = [
    (Action::GoesOn, 10),
    (Action::BeginsAnew, 2),
    (Action::UsesATool, 3),
    (Action::Searches, 3),
    (Action::Lists, 1),
    (Action::Deletes, 1),
];

impl Caller {
    pub(super) fn new(number: u32, door: Door, random: fastrand::Rng) -> Self {
        Self { number, door, random, said: 0, messages: Vec::new(), counted: Counted::default() }
    }

    /// Does something at this pace for so long, and says what came of it.
    pub(super) async fn go_on(mut self, epoch: &Epoch, length: Duration, pace: Duration) -> Counted {
        let begun = Instant::now();
        // Callers take turns.
        let mut ticks = interval_at(begun + pace * self.number / CALLERS, pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while begun.elapsed() < length {
            ticks.tick().await;
            let before = epoch.now();
            let results = self.act().await;
            let is_counted = epoch.is_whole_since(before);
            for result in results {
                self.counted.count(result, is_counted);
            }
        }
        self.counted
    }

    /// Does something: for each of its requests whether it was answered rightly.
    async fn act(&mut self) -> Vec<bool> {
        let parts = MIXTURE.iter().flat_map(|(action, parts)| std::iter::repeat_n(*action, *parts));
        let picked = self.random.choice(parts.collect::<Vec<Action>>());
        match picked.unwrap_or(Action::GoesOn) {
            Action::GoesOn => {
                if self.messages.len() >= MESSAGES {
                    self.messages.clear();
                }
                let mut messages = std::mem::take(&mut self.messages);
                let is_right = self.say(&mut messages).await;
                self.messages = messages;
                vec![is_right]
            }
            Action::BeginsAnew => vec![self.say(&mut Vec::new()).await],
            Action::UsesATool => self.use_tool().await,
            Action::Searches => {
                let question = json!({"question": self.line(), "limit": 5}).to_string();
                vec![self.ask_memory(Method::POST, "/search", question).await.is_some()]
            }
            Action::Lists => vec![self.ask_memory(Method::GET, "/conversations", String::new()).await.is_some()],
            Action::Deletes => self.delete().await,
        }
    }

    /// Says something and keeps it with its answer, if that came.
    async fn say(&mut self, messages: &mut Vec<Value>) -> bool {
        let (text, streams) = (self.line(), self.random.bool());
        messages.push(json!({"role": "user", "content": text}));
        let heard = self.chat(json!({"model": "gpt-4o", "stream": streams, "messages": messages})).await;
        match heard.and_then(|heard| heard.reply()).filter(|reply| reply.starts_with(NOTED)) {
            Some(reply) => {
                messages.push(json!({"role": "assistant", "content": reply}));
                self.counted.turns += 2;
                true
            }
            None => {
                messages.pop();
                false
            }
        }
    }

    /// Asks, is told to call a tool, and sends its result.
    async fn use_tool(&mut self) -> Vec<bool> {
        let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
        let question = json!({"role": "user", "content": self.line()});
        let asked = self.chat(json!({"model": "gpt-4o", "tools": tools, "messages": [question]})).await;
        let call = asked.map_or(Value::Null, |heard| heard.json()["choices"][0]["message"].clone());
        let Some(id) = call["tool_calls"][0]["id"].as_str() else { return vec![false] };
        let result = json!({"role": "tool", "tool_call_id": id, "content": self.line()});
        let body = json!({"model": "gpt-4o", "tools": tools, "messages": [question, call, result]});
        let reply = self.chat(body).await.and_then(|heard| heard.reply());
        vec![true, reply.is_some_and(|reply| reply.starts_with(NOTED))]
    }

    /// Deletes the conversation that began first, where there are several.
    async fn delete(&mut self) -> Vec<bool> {
        let Some(listed) = self.ask_memory(Method::GET, "/conversations", String::new()).await else {
            return vec![false];
        };
        let conversations = listed["data"].as_array().map_or(&[][..], Vec::as_slice);
        match conversations.last().filter(|_| conversations.len() > 4).and_then(|oldest| oldest["id"].as_str()) {
            Some(id) => {
                let path = format!("/conversations/{id}");
                vec![true, self.ask_memory(Method::DELETE, &path, String::new()).await.is_some()]
            }
            None => vec![true],
        }
    }

    async fn chat(&mut self, body: Value) -> Option<Heard> {
        let heard = self.door.send(Method::POST, CHAT, &self.key(), body.to_string()).await;
        self.counted.rewritten += usize::from(heard.as_ref().is_some_and(|heard| heard.outcome == "rewritten"));
        heard
    }

    async fn ask_memory(&self, method: Method, path: &str, body: String) -> Option<Value> {
        let heard = self.door.send(method, &format!("{API}{path}"), &self.key(), body).await?;
        (heard.status == 200).then(|| heard.json())
    }

    fn key(&self) -> String {
        format!("sk-soak-{}", self.number)
    }

    /// A sentence that nobody has said before.
    fn line(&mut self) -> String {
        const THINGS: [&str; 8] = ["kettle", "violin", "lamp", "globe", "carpet", "clock", "saddle", "mirror"];
        self.said += 1;
        let thing = THINGS[self.random.usize(..THINGS.len())];
        let (shelf, price) = (self.random.usize(..90), self.random.usize(5..400));
        format!(
            "The {thing} {}-{} stands on shelf {shelf} and was sold for {price} crowns last week.",
            self.number, self.said
        )
    }
}

impl Counted {
    /// Counts a request; `is_counted` where the upstream was there all the time.
    fn count(&mut self, is_right: bool, is_counted: bool) {
        if is_counted {
            self.asked += 1;
            self.answered += usize::from(is_right);
        } else {
            self.around_outages += 1;
        }
    }

    pub(super) fn answered_share(&self) -> f64 {
        as_float(self.answered) / as_float(self.asked.max(1))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.around_outages += other.around_outages;
        self.rewritten += other.rewritten;
        self.turns += other.turns;
    }
}
