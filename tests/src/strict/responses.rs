//! The rules for the input of the Responses interface.
//!
//! Items of kinds that it does not know are taken as they are.

use serde_json::Value;

use super::{content, text, there};

/// Checks the input of a Responses request.
///
/// # Errors
/// When a rule is broken; the text says which one and where.
pub fn responses(request: &Value) -> Result<(), String> {
    let items = match &request["input"] {
        Value::String(text) if !text.is_empty() => return Ok(()),
        Value::Array(items) if !items.is_empty() => items,
        other => return Err(format!("input: it must be a text or at least one item, not {other}")),
    };
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        check(&mut open, items, index, item).map_err(|broken| format!("input[{index}]: {broken}"))?;
    }
    let unanswered = open.iter().find(|(index, _)| !is_trailing(&items[index + 1..]));
    match unanswered {
        Some((index, call)) => Err(format!("input[{index}]: the call {call:?} has no output")),
        None => Ok(()),
    }
}

fn check<'a>(open: &mut Vec<(usize, &'a str)>, items: &[Value], index: usize, item: &'a Value) -> Result<(), String> {
    match kind(item) {
        "message" => message(item),
        "function_call" => {
            text(item, "arguments")?;
            call(open, index, item)
        }
        "custom_tool_call" => {
            text(item, "input")?;
            call(open, index, item)
        }
        "function_call_output" | "custom_tool_call_output" => {
            let id = text(item, "call_id")?;
            if !(item["output"].is_string() || item["output"].is_array()) {
                return Err(format!("output must be a text or an array of parts, not {}", item["output"]));
            }
            let at = open.iter().position(|(_, call)| *call == id);
            let at = at.ok_or_else(|| format!("the output answers the call {id:?}, which is not open before it"))?;
            open.remove(at);
            Ok(())
        }
        "reasoning" => match items[index + 1..].iter().find(|next| kind(next) != "reasoning") {
            Some(next) if is_of_assistant(next) => Ok(()),
            _ => Err("the reasoning item lacks the item that it led to".to_owned()),
        },
        _ => Ok(()),
    }
}

fn call<'a>(open: &mut Vec<(usize, &'a str)>, index: usize, item: &'a Value) -> Result<(), String> {
    text(item, "name")?;
    let id = text(item, "call_id")?;
    if open.iter().any(|(_, call)| *call == id) {
        return Err(format!("the call {id:?} is announced twice"));
    }
    open.push((index, id));
    Ok(())
}

fn message(item: &Value) -> Result<(), String> {
    let allowed: &[&str] = match text(item, "role")? {
        "user" | "system" | "developer" => &["input_text", "input_image", "input_file", "input_audio"],
        "assistant" => &["output_text", "refusal"],
        other => return Err(format!("the role {other:?} is not one of the service's")),
    };
    content(item, allowed).and_then(there)
}

fn kind(item: &Value) -> &str {
    let is_message = item["role"].is_string();
    item["type"].as_str().unwrap_or(if is_message { "message" } else { "" })
}

fn is_of_assistant(item: &Value) -> bool {
    kind(item).ends_with("_call") || kind(item) == "message" && item["role"] == "assistant"
}

/// Whether nothing but other calls, their outputs and reasoning comes after a call.
fn is_trailing(after: &[Value]) -> bool {
    after
        .iter()
        .all(|item| kind(item) == "reasoning" || kind(item).ends_with("_call") || kind(item).ends_with("_output"))
}
