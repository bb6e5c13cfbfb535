//! A request that offers our tool, and goes on with what was asked of it and found.
//!
//! Every byte of the request stays; what is added stands behind what is there.

use std::ops::Range;

use bytes::Bytes;

use super::calls::{Asked, NAME};
use super::splicing::{Change, changed};
use crate::openai::json_scan::{self, Malformed, Picked, decoded, slice};

macro_rules! definition {
    ($searched:literal) => {
        concat!(
            r#"{"type":"function","function":{"name":"mainpoint_recall","description":"Searches "#,
            $searched,
            r#", and returns excerpts word for word. Call it only when the answer needs something that is missing.","#,
            r#""parameters":{"type":"object","properties":{"query":{"type":"string","#,
            r#""description":"What to look for, as a question or in words that were said."}},"required":["query"]}}}"#,
        )
    };
}

/// What a call of the tool searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolReach {
    /// Earlier turns of the request's own conversation.
    Conversation,
    /// Earlier turns of this and of other conversations.
    AllConversations,
}

impl ToolReach {
    /// The tool as a request defines it. Its description says what is searched.
    pub(crate) const fn definition(self) -> &'static str {
        match self {
            Self::Conversation => {
                definition!("what was said earlier in this conversation and is no longer in front of you")
            }
            Self::AllConversations => {
                definition!("what was said earlier, in this conversation and in others, and is not in front of you")
            }
        }
    }
}

/// A chat completions request to which the tool can be added.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The request without the tool.
    without_tool: Bytes,
    tool: Change,
    /// What makes the tool there but not to be called; `None` where the client has tools of its own, which stay callable.
    not_to_be_called: Option<Change>,
    /// The end of the last message.
    messages: usize,
    /// What was asked and found, as messages with a comma before each.
    tool_rounds: Vec<u8>,
}

/// Whether the tool may be called in answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// The tool may be called.
    Allowed,
    /// The tool may not be called any more.
    Forbidden,
}

/// Whether the tool can be added to a request: it asks for one answer, lets the model choose among its tools, which are in the
/// present form, and none of them has our tool's name.
pub(crate) fn takes_offer(body: &[u8]) -> bool {
    Places::new(body).is_some()
}

impl Offer {
    /// The request with this body; `None` where the tool cannot be added.
    pub(crate) fn new(without_tool: Bytes, reach: ToolReach) -> Option<Self> {
        let definition = reach.definition();
        let Places { end, messages, tools, choice } = Places::new(&without_tool)?;
        let tool = match &tools {
            Tools::Missing => Change::new(end..end, format!(",\"tools\":[{definition}]")),
            Tools::Null(place) => Change::new(place.clone(), format!("[{definition}]")),
            Tools::Empty(at) => Change::new(*at..*at, definition),
            Tools::Some(at) => Change::new(*at..*at, format!(",{definition}")),
        };
        let not_to_be_called = match (tools, choice) {
            (Tools::Some(_), _) => None,
            (_, Some(place)) => Some(Change::new(place, "\"none\"")),
            (_, None) => Some(Change::new(end..end, ",\"tool_choice\":\"none\"")),
        };
        Some(Self { without_tool, tool, not_to_be_called, messages, tool_rounds: Vec::new() })
    }

    /// The body to send. Where the tool is forbidden it is still there, so that the provider's cache holds, unless the client has
    /// tools of its own.
    pub(crate) fn body(&self, choice: ToolChoice) -> Bytes {
        let mut changes = vec![Change::new(self.messages..self.messages, self.tool_rounds.clone())];
        match (choice, &self.not_to_be_called) {
            (ToolChoice::Allowed, _) => changes.push(self.tool.clone()),
            (ToolChoice::Forbidden, Some(not_to_be_called)) => {
                changes.extend([self.tool.clone(), not_to_be_called.clone()]);
            }
            (ToolChoice::Forbidden, None) => {}
        }
        changed(&self.without_tool, changes).into()
    }

    /// Adds a message that calls the tool, and the result of each of its calls.
    pub(crate) fn add(&mut self, asked: Asked, results: &[String]) {
        for message in asked.messages(results) {
            self.tool_rounds.push(b',');
            self.tool_rounds.extend_from_slice(message.to_string().as_bytes());
        }
    }
}

/// Where things are in a request that takes the tool.
struct Places {
    /// The bracket that closes the request.
    end: usize,
    /// The end of the last message.
    messages: usize,
    tools: Tools,
    /// `tool_choice`, if it is there.
    choice: Option<Range<usize>>,
}

/// The client's own tools.
enum Tools {
    Missing,
    Null(Range<usize>),
    /// An empty list that closes here.
    Empty(usize),
    /// A list whose last tool ends here.
    Some(usize),
}

impl Places {
    fn new(body: &[u8]) -> Option<Self> {
        let whole = json_scan::document(body).ok()?.range;
        let names = ["messages", "tools", "tool_choice", "n", "functions", "function_call"];
        let fields = Picked::new(body, &whole, names).filter(|fields| !fields.is_repeated)?;
        let is_unset = |name: &str| fields.set(body, name).is_none();
        let is = |name: &str, value: &[u8]| fields.set(body, name).is_none_or(|f| slice(body, &f.range) == value);
        let takes_it = is_unset("functions") && is_unset("function_call") && is("n", b"1") && is("tool_choice", AUTO);
        let tools = match fields.get("tools").map(|span| span.range.clone()) {
            None => Tools::Missing,
            Some(place) if slice(body, &place) == b"null" => Tools::Null(place),
            Some(place) => match last(body, &place, |tool| name_of(body, tool).as_deref() != Some(NAME))? {
                Some(end) => Tools::Some(end),
                None => Tools::Empty(place.end.checked_sub(1)?),
            },
        };
        let messages = last(body, &fields.get("messages")?.range, |_| true)??;
        let choice = fields.get("tool_choice").map(|span| span.range.clone());
        takes_it.then_some(Self { end: whole.end.checked_sub(1)?, messages, tools, choice })
    }
}

const AUTO: &[u8] = b"\"auto\"";

/// Where the last element of a list ends, if it has one; `None` when it is no list, or one of its elements is refused.
fn last(body: &[u8], list: &Range<usize>, takes: impl Fn(&Range<usize>) -> bool) -> Option<Option<usize>> {
    let mut end = None;
    let walked = json_scan::elements(body, list, |span| {
        end = Some(span.range.end);
        if takes(&span.range) { Ok(()) } else { Err(Malformed) }
    });
    walked.ok().map(|()| end)
}

/// The name of a tool, whatever its kind.
fn name_of(body: &[u8], tool: &Range<usize>) -> Option<String> {
    let fields = Picked::new(body, tool, ["function", "custom", "name"])?;
    let inside = fields.get("function").or(fields.get("custom"));
    let named = inside.and_then(|span| Picked::new(body, &span.range, ["name"]));
    let name = named.as_ref().and_then(|named| named.get("name")).or(fields.get("name"))?;
    decoded(slice(body, &name.range)).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::conversation::exchanges::tests::conversation;

    fn value(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    fn asked() -> Asked {
        let call = json!({"id": "1", "type": "function", "function": {"name": NAME, "arguments": "{}"}});
        Asked::new([("tool_calls".to_owned(), json!([call]))].into_iter().collect())
    }

    /// A request with these members besides its messages, each with its comma.
    fn request(members: &str) -> String {
        format!("{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"a\"}} ]{members} }}")
    }

    /// `tools` as clients send it: not at all, as nothing, and with tools.
    fn tools() -> impl Strategy<Value = Option<String>> {
        let own = r#"{"type":"function", "function":{"name":"set_timer","x":1.0e0}}"#;
        let lists = ["null", "[ ]", "[]"].map(str::to_owned).into_iter();
        let lists = lists.chain([format!("[ {own} ]"), format!("[{own},\n{own}]")]);
        prop::option::of(prop::sample::select(lists.collect::<Vec<_>>()))
    }

    proptest! {
        #[test]
        fn a_tool_is_added_and_every_other_byte_stays(
            messages in conversation(), tools in tools(), comes_first: bool, choice: bool, space in "[ \n\t]{0,2}",
            searches_all: bool,
        ) {
            let reach = if searches_all { ToolReach::AllConversations } else { ToolReach::Conversation };
            let definition = reach.definition();
            let joined: Vec<String> = messages.iter().map(Value::to_string).collect();
            let list = format!("\"messages\"{space}:[{space}{}{space}]", joined.join(&format!("{space},{space}")));
            let own = tools.as_ref().map(|tools| format!("\"tools\"{space}:{space}{tools}"));
            let choice = choice.then(|| "\"tool_choice\":\"auto\"".to_owned());
            let mut members: Vec<String> = own.into_iter().chain(choice).collect();
            members.insert(if comes_first { 0 } else { members.len() }, list);
            let body = format!("{space}{{{space}{},\"top_p\":0.10{space}}}{space}", members.join(&format!("{space},")));
            let Some(mut offer) = Offer::new(body.clone().into(), reach) else {
                prop_assert!(messages.is_empty());
                return Ok(());
            };
            let offered = offer.body(ToolChoice::Allowed);
            let text = std::str::from_utf8(&offered).unwrap();
            let without = match tools.as_deref() {
                None => text.replacen(&format!(",\"tools\":[{definition}]"), "", 1),
                Some("null") => text.replacen(&format!("[{definition}]"), "null", 1),
                Some(list) if list.contains("name") => text.replacen(&format!(",{definition}"), "", 1),
                Some(_) => text.replacen(definition, "", 1),
            };
            prop_assert_eq!(&without, &body);
            let mut expected = value(body.as_bytes());
            let mut all = expected["tools"].as_array().cloned().unwrap_or_default();
            all.push(value(definition.as_bytes()));
            expected["tools"] = all.into();
            prop_assert_eq!(value(&offered), expected.clone());

            offer.add(asked(), &["found".to_owned()]);
            let next = offer.body(ToolChoice::Allowed);
            let added = asked().messages(&["found".to_owned()]);
            let added: String = added.iter().map(|message| format!(",{message}")).collect();
            prop_assert_eq!(std::str::from_utf8(&next).unwrap().replacen(&added, "", 1), text);
            expected["messages"].as_array_mut().unwrap().extend(asked().messages(&["found".to_owned()]));
            prop_assert_eq!(value(&next), expected);
        }
    }

    #[test]
    fn in_the_last_round_the_tool_cannot_be_called_and_the_clients_own_can() {
        for (members, choice, tools) in [
            ("", "none", 1),
            (",\"tool_choice\":\"auto\",\"tools\":null", "none", 1),
            (",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}}],\"tool_choice\":\"auto\"", "auto", 1),
        ] {
            let mut offer = Offer::new(request(members).into(), ToolReach::Conversation).unwrap();
            offer.add(asked(), &["found".to_owned()]);
            let last = value(&offer.body(ToolChoice::Forbidden));
            assert_eq!((&last["tool_choice"], last["tools"].as_array().unwrap().len()), (&json!(choice), tools));
            assert_eq!(last["messages"].as_array().unwrap().len(), 3);
        }
    }

    #[test]
    fn the_tool_says_what_it_searches() {
        let description = |reach: ToolReach| {
            let definition = value(reach.definition().as_bytes());
            assert_eq!(definition["function"]["name"], NAME);
            definition["function"]["description"].as_str().unwrap().to_owned()
        };
        assert!(
            description(ToolReach::Conversation).starts_with("Searches what was said earlier in this conversation")
        );
        assert!(description(ToolReach::AllConversations).contains("in this conversation and in others"));
    }

    #[test]
    fn a_request_that_leaves_no_choice_or_has_such_a_tool_takes_none() {
        assert!(takes_offer(request(",\"n\":1,\"tool_choice\":null,\"functions\":null").as_bytes()));
        for members in [
            ",\"n\":2",
            ",\"n\":1.0",
            ",\"tool_choice\":\"none\"",
            ",\"tool_choice\":\"required\"",
            ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"a\"}}",
            ",\"functions\":[]",
            ",\"function_call\":\"auto\"",
            ",\"tools\":{}",
            ",\"tools\":[],\"tools\":[]",
            ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"mainpoint\\u005frecall\"}}]",
            ",\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"mainpoint_recall\"}},{}]",
        ] {
            assert!(!takes_offer(request(members).as_bytes()), "{members}");
        }
        for body in ["", "[]", "{}", "{\"messages\":[]}", "{\"messages\":{}}"] {
            assert!(!takes_offer(body.as_bytes()), "{body}");
        }
    }
}
