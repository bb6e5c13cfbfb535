//! What the scripted upstream has recorded and what it is to answer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::request::RecordedRequest;
use crate::reply::Reply;
use crate::strict;

/// What has arrived, and what is to be answered.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Everything that arrived so far, in order.
    pub(super) requests: Vec<RecordedRequest>,
    /// What the next requests are answered.
    pub(super) script: VecDeque<Scripted>,
    /// What the others are answered.
    pub(super) otherwise: Otherwise,
    /// Whether bodies are forgotten once they are answered.
    pub(super) forgets_bodies: bool,
    /// How many requests are being answered.
    pub(super) unfinished: usize,
    /// When requests were given up before their answers ended.
    pub(super) given_up: Vec<Instant>,
    /// Whether what OpenAI's service would refuse is refused.
    pub(super) is_strict: bool,
    /// Why requests were refused.
    pub(super) objections: Vec<String>,
}

/// The answer to one request.
#[derive(Debug)]
pub(super) enum Scripted {
    /// A chat completion with this text, streamed when the request asks for it.
    Say(String),
    /// Exactly this.
    Exactly(Reply),
}

/// What is answered without a script.
pub(super) struct Otherwise(pub(super) Box<dyn FnMut(&RecordedRequest) -> Reply + Send>);

impl State {
    /// Records a request and says what is answered to it.
    pub(super) fn answer(&mut self, request: RecordedRequest) -> Reply {
        let refused = self.is_strict.then(|| refusal(&request)).flatten();
        let reply = match refused {
            Some(objection) => {
                let reply = Reply::refusal(&objection);
                self.objections.push(objection);
                reply
            }
            None => match self.script.pop_front() {
                Some(Scripted::Exactly(reply)) => reply,
                Some(Scripted::Say(text)) => request.said(&text),
                None => (self.otherwise.0)(&request),
            },
        };
        let body = if self.forgets_bodies { Bytes::new() } else { request.body.clone() };
        self.requests.push(RecordedRequest { body, ..request });
        reply
    }
}

impl Default for Otherwise {
    fn default() -> Self {
        Self(Box::new(|request| request.said("All right.")))
    }
}

impl std::fmt::Debug for Otherwise {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Otherwise")
    }
}

/// The state, whatever became of who held it before.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refusal(request: &RecordedRequest) -> Option<String> {
    match serde_json::from_slice(&request.body) {
        Ok(body) => strict::objection(&request.target, &body),
        Err(error) => Some(format!("the body is not JSON: {error}")),
    }
}
