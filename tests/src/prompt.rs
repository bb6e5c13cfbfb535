//! What a forwarded prompt looks like: its messages, its memory block, and the rules that every prompt must keep.

use std::collections::BTreeSet;

use serde_json::Value;

/// Begins an injected block.
pub const BLOCK_START: &str = "<mainpoint-memory>";
/// Ends an injected block.
pub const BLOCK_END: &str = "</mainpoint-memory>";

/// Begins the digest that earlier versions put before a message.
pub const DIGEST_START: &str = "<mainpoint-digest>";
/// Ends it.
pub const DIGEST_END: &str = "</mainpoint-digest>";

/// The messages of a forwarded request.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn messages(request: &Value) -> &[Value] {
    request["messages"].as_array().unwrap_or_else(|| panic!("no messages in {request}"))
}

/// Role of a message.
#[must_use]
pub fn role(message: &Value) -> &str {
    message["role"].as_str().unwrap_or_default()
}

/// Text of a message: its string, or its text parts one after the other.
#[must_use]
pub fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// Text of the last user message.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn last_user_text(request: &Value) -> String {
    let message = messages(request).iter().rev().find(|message| role(message) == "user");
    text(message.expect("a user message"))
}

/// A message's text, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What the message says itself.
    pub own: &'a str,
    /// The memory block at its beginning, or at its end behind results of tools, without its delimiters.
    pub block: Option<&'a str>,
}

/// Takes a message's text apart.
#[must_use]
pub fn parts(text: &str) -> Parts<'_> {
    if let Some((inside, own)) = text.strip_prefix(BLOCK_START).and_then(|rest| rest.split_once(BLOCK_END)) {
        return Parts { own: own.trim(), block: Some(inside) };
    }
    let block = text.trim_end().strip_suffix(BLOCK_END).and_then(|rest| rest.rsplit_once(BLOCK_START));
    let (own, block) = block.map_or((text, None), |(own, inside)| (own, Some(inside)));
    Parts { own: own.trim_end(), block }
}

/// The memory block of the last user message, without its delimiters.
#[must_use]
pub fn memory_block(request: &Value) -> Option<String> {
    parts(&last_user_text(request)).block.map(str::to_owned)
}

/// A turn that a block quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// When it was said, as the block has it.
    pub date: String,
    /// Who said it, as the block has it.
    pub speaker: String,
    /// What was said, word for word, with a mark where the turn has more.
    pub text: String,
}

impl Quote {
    /// What was said without the marks at its beginning and its end.
    #[must_use]
    pub fn said(&self) -> &str {
        let text = self.text.trim();
        let text = text.strip_prefix("… ").unwrap_or(text);
        text.strip_suffix(" …").unwrap_or(text)
    }
}

/// The turns that a block quotes, read by its form alone: days in square brackets, and below each of them or behind
/// it quotes that begin with their speaker and go on in lines that are empty or indented.
///
/// # Panics
/// When a line is none of these.
#[must_use]
pub fn quotes(inside: &str) -> Vec<Quote> {
    let mut lines = inside.trim_start_matches('\n').split('\n');
    let introduction = lines.next().unwrap_or_default();
    assert!(!introduction.starts_with('['), "a block begins with what it is: {inside}");
    let (mut quotes, mut day): (Vec<Quote>, &str) = (Vec::new(), "");
    for line in lines {
        if let (Some(quote), true) = (quotes.last_mut(), line.is_empty() || line.starts_with(' ')) {
            quote.text.push('\n');
            quote.text.push_str(line.strip_prefix(' ').unwrap_or_default());
            continue;
        }
        let mut rest = line;
        if let Some((date, behind)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            let parts: Vec<&str> = date.split(' ').collect();
            assert!(matches!(parts[..], [_, _, year] if year.len() == 4), "no day in {line:?}: {inside}");
            (day, rest) = (date, behind.trim_start());
        }
        if rest.is_empty() && !line.is_empty() {
            continue;
        }
        match rest.split_once(": ") {
            Some((speaker, text)) if !day.is_empty() && !rest.starts_with(' ') => {
                quotes.push(Quote { date: day.to_owned(), speaker: speaker.to_owned(), text: text.to_owned() });
            }
            _ if line.is_empty() => {}
            _ => panic!("the line {line:?} belongs to no quote: {inside}"),
        }
    }
    // What stands before the closing mark.
    if let Some(last) = quotes.last_mut() {
        last.text.truncate(last.text.trim_end_matches('\n').len());
    }
    quotes.iter_mut().for_each(|quote| quote.text = unescaped(&quote.text));
    quotes
}

/// A quote's words without the escapes of what ends lines and of what poses as something else.
fn unescaped(words: &str) -> String {
    let mut text = String::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let code = after.strip_prefix('u').and_then(|code| code.get(..4));
        let code = code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?));
        rest = match (code, after.strip_prefix("r\n")) {
            (Some(character), _) => {
                text.push(character);
                &after[5..]
            }
            (None, Some(_)) => {
                text.push('\r');
                &after[1..]
            }
            (None, None) if after.starts_with('[') && after[1..].starts_with(|first: char| first.is_ascii_digit()) => {
                after
            }
            (None, None) => {
                text.push('\\');
                after
            }
        };
    }
    text + rest
}

/// What the client itself said in a message: its text without the block.
#[must_use]
pub fn own_text(message: &Value) -> String {
    parts(&text(message)).own.to_owned()
}

/// Makes sure that every tool result follows its call, that every call has all its results, and that the conversation begins
/// with a user message.
///
/// # Panics
/// When a rule is broken; the message shows the prompt.
pub fn assert_well_formed(request: &Value) {
    let messages = messages(request);
    let shown = || messages.iter().map(|message| format!("\n  {message}")).collect::<String>();
    let first = messages.iter().find(|message| !matches!(role(message), "system" | "developer"));
    assert_eq!(first.map(role), Some("user"), "the first kept message is a user message:{}", shown());
    let mut open = BTreeSet::new();
    for message in messages {
        if role(message) == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            assert!(open.remove(id), "the tool result {id} has no call before it:{}", shown());
            continue;
        }
        assert!(open.is_empty(), "the tool calls {open:?} have no results:{}", shown());
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open.extend(calls.filter_map(|call| call["id"].as_str()));
    }
    assert!(open.is_empty(), "the tool calls {open:?} have no results:{}", shown());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{assert_well_formed, memory_block, parts, quotes};

    #[test]
    fn a_message_falls_apart_into_own_text_and_block() {
        for text in [
            "<mainpoint-memory>\nb\n</mainpoint-memory>\n\nWhich name?\n",
            "Which name?\n\n<mainpoint-memory>\nb\n</mainpoint-memory>\n",
        ] {
            let found = parts(text);
            assert_eq!((found.own, found.block), ("Which name?", Some("\nb\n")));
        }
        for text in ["", "hello", "a <mainpoint-memory> b", "x</mainpoint-memory>"] {
            assert_eq!((parts(text).own, parts(text).block), (text, None));
        }
    }

    #[test]
    fn the_block_is_found_in_the_last_user_message() {
        let text = "<mainpoint-memory>\nThen.\n</mainpoint-memory>\n\nWhat?";
        let request = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]});
        assert_eq!(memory_block(&request).as_deref(), Some("\nThen.\n"));
        assert_eq!(memory_block(&json!({"messages": [{"role": "user", "content": "What?"}]})), None);
    }

    #[test]
    fn a_quote_goes_on_in_indented_lines_and_is_read_word_for_word() {
        let inside = "\nExcerpts. #1\n[28 November 2026]\nuser: a\n\n  b\\u2028c\\r\n \\[28 November 2026] x \\d\n\
            tool result: d: e\n";
        let found = quotes(inside);
        let read: Vec<(&str, &str)> = found.iter().map(|quote| (&*quote.speaker, &*quote.text)).collect();
        let first = "a\n\n b\u{2028}c\r\n[28 November 2026] x \\d";
        assert_eq!(read, [("user", first), ("tool result", "d: e")]);
    }

    #[test]
    #[should_panic(expected = "belongs to no quote")]
    fn a_line_that_is_no_quote_and_belongs_to_none_is_noticed() {
        let _ = quotes("\nExcerpts. #1\n[28 November 2026]\nuser: a\nSystem rules\n");
    }

    #[test]
    #[should_panic(expected = "have no results")]
    fn a_call_without_its_results_is_noticed() {
        assert_well_formed(&json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [{"id": "1"}, {"id": "2"}]},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
            {"role": "user", "content": "b"},
        ]}));
    }

    #[test]
    #[should_panic(expected = "has no call")]
    fn a_result_without_its_call_is_noticed() {
        assert_well_formed(&json!({"messages": [
            {"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "1", "content": "x"},
        ]}));
    }
}
