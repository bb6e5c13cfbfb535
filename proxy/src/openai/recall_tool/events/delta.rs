//! The choice of a streamed answer: puts together what calls our tool, and takes that out of what the client sees.

use serde_json::{Map, Value};

use super::super::calls::{Asked, CALLS, FINISH, STOP, choice, is_ours};

/// What passes on of something.
#[derive(Debug, PartialEq)]
pub(super) enum Pass {
    /// All of it, as it came.
    Untouched,
    /// This.
    Instead(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// What came of an answer's choice.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// The message without its calls.
    message: Map<String, Value>,
    /// Its calls in the order in which they began.
    calls: Vec<Call>,
    /// The client has been told who speaks.
    pub(super) has_begun: bool,
    /// Another answer came before, to which this one is added.
    pub(super) follows: bool,
    /// It was said why the choice ended.
    pub(super) has_ended: bool,
}

/// A call that has begun.
#[derive(Debug)]
struct Call {
    index: u64,
    /// The id that it began with.
    id: Value,
    /// The call as far as it has come, if it is one of our tool.
    ours: Option<Value>,
}

impl Delta {
    /// Reads the choices of one event. In the last answer the client does not learn of our calls either.
    pub(super) fn read(&mut self, mut choices: Value, is_last: bool) -> Pass {
        let before = choices.clone();
        let Some(choice) = choice(&mut choices) else {
            return Pass::Untouched;
        };
        let mut says = false;
        if let Some(delta) = choice.get_mut("delta").and_then(Value::as_object_mut) {
            merge(&mut self.message, delta, CALLS);
            self.take_ours(delta);
            says = delta.iter().any(|(name, value)| name != "role" && is_something(value));
            if self.follows && self.has_begun {
                delta.remove("role");
            }
        }
        self.has_ended |= !choice.get(FINISH).is_none_or(Value::is_null);
        if self.has_ended && self.calls_only_ours() {
            match choice.get_mut(FINISH).filter(|reason| !reason.is_null()) {
                Some(reason) if is_last => *reason = STOP.into(),
                Some(reason) => *reason = Value::Null,
                None => {}
            }
        }
        let ends = !choice.get(FINISH).is_none_or(Value::is_null);
        if choices == before {
            self.has_begun |= before[0]["delta"]["role"].is_string();
            Pass::Untouched
        } else if says || ends {
            self.has_begun |= choices[0]["delta"]["role"].is_string();
            Pass::Instead(choices.to_string().into_bytes())
        } else {
            Pass::Nothing
        }
    }

    /// Whether there are calls, all of them of our tool.
    pub(super) fn calls_only_ours(&self) -> bool {
        !self.calls.is_empty() && self.calls.iter().all(|call| call.ours.is_some())
    }

    /// The whole message, all of whose calls are of our tool.
    pub(super) fn asked(self) -> Asked {
        let mut message = self.message;
        message.insert(CALLS.to_owned(), self.calls.into_iter().filter_map(|call| call.ours).collect());
        Asked::new(message)
    }

    /// Takes the pieces of our calls out of what came. The client's calls are numbered as if ours were not there.
    fn take_ours(&mut self, delta: &mut Map<String, Value>) {
        let Some(pieces) = delta.get_mut(CALLS).and_then(Value::as_array_mut) else {
            return;
        };
        let all = pieces.len();
        pieces.retain_mut(|piece| !self.withhold(piece));
        if pieces.is_empty() && all > 0 {
            delta.remove(CALLS);
        }
    }

    /// Withholds one piece if it is ours; whether it is.
    fn withhold(&mut self, piece: &mut Value) -> bool {
        let index = piece["index"].as_u64();
        let at = self.calls.iter().rposition(|call| index.is_none_or(|index| index == call.index));
        // Some services give every call the same index.
        let is_named = piece["function"]["name"].as_str().is_some_and(|name| !name.is_empty());
        let goes_on = |call: &Call| !is_named || piece["id"].is_null() || piece["id"] == call.id;
        let at = at.filter(|at| self.calls.get(*at).is_some_and(goes_on)).unwrap_or_else(|| {
            let index = index.unwrap_or(self.calls.len() as u64);
            let ours = is_ours(piece).then(|| Value::Object(Map::new()));
            self.calls.push(Call { index, id: piece["id"].clone(), ours });
            self.calls.len() - 1
        });
        if let Some(Call { ours: Some(Value::Object(ours)), .. }) = self.calls.get_mut(at) {
            let Some(piece) = piece.as_object() else { return true };
            merge(ours, piece, "index");
            return true;
        }
        if let Some(index) = index {
            let ours = self.calls.iter().filter(|call| call.ours.is_some() && call.index < index).count();
            if ours > 0 {
                piece["index"] = index.saturating_sub(ours as u64).into();
            }
        }
        false
    }
}

/// Adds the fields of a piece but one: texts grow, except for names, which come whole; of everything else the first counts.
fn merge(whole: &mut Map<String, Value>, piece: &Map<String, Value>, but: &str) {
    for (name, value) in piece.iter().filter(|(name, value)| *name != but && !value.is_null()) {
        match (whole.get_mut(name), value) {
            (Some(Value::String(text)), Value::String(more)) if !WHOLE.contains(&name.as_str()) => text.push_str(more),
            (Some(Value::Object(whole)), Value::Object(piece)) => merge(whole, piece, ""),
            (Some(_), _) => {}
            (None, _) => drop(whole.insert(name.clone(), value.clone())),
        }
    }
}

/// Texts that come whole, and may come again.
const WHOLE: [&str; 4] = ["role", "id", "type", "name"];

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}
