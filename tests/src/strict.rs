//! OpenAI's rules for a request's conversation, as strictly as the service has them.
//!
//! A message about a broken rule names the index of the message or item that breaks it.

mod responses;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use responses::responses;

/// What the service would object to in the body of a request to `target`; `None` when it would take it, and for paths that it
/// has no rules for here.
#[must_use]
pub fn objection(target: &str, request: &Value) -> Option<String> {
    let path = target.split('?').next().unwrap_or_default();
    if path.ends_with("/chat/completions") {
        chat(request).err()
    } else if path.ends_with("/responses") {
        responses(request).err()
    } else {
        None
    }
}

/// Checks the messages of a chat completions request.
///
/// # Errors
/// When a rule is broken; the text says which one and where.
pub fn chat(request: &Value) -> Result<(), String> {
    let messages = request["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or("messages: there must be at least one message")?;
    let mut calls = Calls::default();
    for (index, message) in messages.iter().enumerate() {
        check(&mut calls, message).map_err(|broken| format!("messages[{index}]: {broken}"))?;
    }
    calls.all_answered().map_err(|broken| format!("messages: {broken}"))
}

/// The calls of the nearest earlier assistant message.
#[derive(Debug, Default)]
struct Calls {
    open: Vec<String>,
    answered: Vec<String>,
}

impl Calls {
    fn announce(&mut self, message: &Value) -> Result<(), String> {
        *self = Self::default();
        let Some(calls) = set(message, "tool_calls") else {
            return Ok(());
        };
        let calls = calls.as_array().filter(|calls| !calls.is_empty());
        for call in calls.ok_or("tool_calls must be an array with at least one call")? {
            let id = called(call)?;
            if self.open.iter().any(|other| other == id) {
                return Err(format!("the call {id:?} is announced twice"));
            }
            self.open.push(id.to_owned());
        }
        Ok(())
    }

    fn answer(&mut self, message: &Value) -> Result<(), String> {
        let id = text(message, "tool_call_id")?;
        match self.open.iter().position(|open| open == id) {
            Some(at) => {
                self.answered.push(self.open.remove(at));
                Ok(())
            }
            None if self.answered.iter().any(|answered| answered == id) => {
                Err(format!("the call {id:?} is answered twice"))
            }
            None => Err(format!(
                "the result answers the call {id:?}, which the assistant message before it does not announce"
            )),
        }
    }

    fn all_answered(&self) -> Result<(), String> {
        if self.open.is_empty() {
            Ok(())
        } else {
            Err(format!("the calls {:?} have no results directly after them", self.open))
        }
    }
}

fn check(calls: &mut Calls, message: &Value) -> Result<(), String> {
    let role = text(message, "role")?;
    if role != "tool" {
        calls.all_answered()?;
    }
    match role {
        "system" | "developer" => content(message, &["text"]).and_then(there),
        "user" => content(message, &["text", "image_url", "input_audio", "file"]).and_then(there),
        "assistant" => {
            let said = content(message, &["text", "refusal"])?;
            let other = ["tool_calls", "function_call", "refusal", "audio"];
            if !said && other.iter().all(|member| set(message, member).is_none()) {
                return Err("an assistant message needs content or calls".to_owned());
            }
            calls.announce(message)
        }
        "tool" => {
            content(message, &["text"]).and_then(there)?;
            return calls.answer(message);
        }
        "function" => text(message, "name").map(drop),
        other => Err(format!("the role {other:?} is not one of the service's")),
    }?;
    if role != "assistant" {
        *calls = Calls::default();
    }
    Ok(())
}

/// The id of a call whose arguments are in order.
fn called(call: &Value) -> Result<&str, String> {
    match call["type"].as_str() {
        Some("function") => {
            text(&call["function"], "name")?;
            text(&call["function"], "arguments")?;
        }
        Some("custom") => {
            text(&call["custom"], "name")?;
            text(&call["custom"], "input")?;
        }
        _ => return Err(format!("a call has the type {}", call["type"])),
    }
    text(call, "id")
}

/// Whether there is content, all of it of kinds that are allowed.
fn content(message: &Value, allowed: &[&str]) -> Result<bool, String> {
    match set(message, "content") {
        None => Ok(false),
        Some(Value::String(_)) => Ok(true),
        Some(Value::Array(parts)) => {
            for part in parts {
                let kind = text(part, "type")?;
                if !allowed.contains(&kind) {
                    return Err(format!("content of the type {kind:?} is not allowed here"));
                }
            }
            Ok(!parts.is_empty())
        }
        Some(other) => Err(format!("content must be a text or an array of parts, not {other}")),
    }
}

fn there(has_content: bool) -> Result<(), String> {
    if has_content { Ok(()) } else { Err("content is missing".to_owned()) }
}

fn set<'a>(value: &'a Value, member: &str) -> Option<&'a Value> {
    value.get(member).filter(|value| !value.is_null())
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str, String> {
    value[member].as_str().ok_or_else(|| format!("{member} must be a text, not {}", value[member]))
}
