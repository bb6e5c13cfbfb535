//! The messages of a recorded conversation as they stand in its list, and which of them the proxy passes over in a request.

use std::ops::Range;

use crate::openai::json_scan::{Malformed, Span, document, elements, slice};
use crate::openai::oddity::Oddity;
use crate::openai::request::ChatRequest;

/// A message as it stands in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedMessage {
    /// Its bytes in the request's body.
    pub(super) range: Range<usize>,
    /// The index of what the parser made of it, perhaps together with its neighbours.
    pub(super) parsed: usize,
    /// Why nothing of it is remembered, if so.
    pub(super) oddity: Option<Oddity>,
}

/// The messages of a request whose list lies at `list` in its body, in order.
pub(super) fn listed(request: &ChatRequest, list: &Range<usize>) -> Vec<ListedMessage> {
    let (mut listed, mut parsed) = (Vec::new(), 0);
    // What is no list was refused by the parser.
    let _ = elements::<Malformed>(&request.body, list, |span| {
        while request.messages.get(parsed).is_some_and(|message| message.range.end < span.range.end) {
            parsed += 1;
        }
        let message = request.messages.get(parsed);
        let odd = message.filter(|message| !message.is_instruction()).and_then(|message| message.odd.as_ref());
        listed.push(ListedMessage { range: span.range, parsed, oddity: odd.map(|odd| odd.why) });
        Ok(())
    });
    listed
}

/// Names the messages that are passed over, and why; `None` when there are none.
pub(super) fn passed_over(listed: &[ListedMessage]) -> Option<String> {
    let odd = listed.iter().enumerate().filter_map(|(index, message)| Some((index, message.oddity?)));
    let odd: Vec<(usize, Oddity)> = odd.collect();
    if odd.is_empty() {
        return None;
    }
    let named = odd.iter().take(MOST_NAMED).map(|(index, why)| format!("messages[{index}] ({})", why.label()));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match odd.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("passed over, as in a request: {named}{more}"))
}

/// So many messages are named for each conversation.
const MOST_NAMED: usize = 5;

/// The only value of a text. An object or a list is read as a request's body is, which may hold what serde refuses; anything else
/// must be JSON.
///
/// # Errors
/// Why it is no JSON.
pub(super) fn value(text: &[u8]) -> Result<Span, String> {
    let whole = document(text).map_err(|_| not_json(text))?;
    let is_nested = matches!(slice(text, &whole.range).first(), Some(b'{' | b'['));
    if is_nested || serde_json::from_slice::<serde::de::IgnoredAny>(slice(text, &whole.range)).is_ok() {
        return Ok(whole);
    }
    Err(not_json(text))
}

/// What a text that is no JSON has instead.
fn not_json(text: &[u8]) -> String {
    match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Ok(_) => "not JSON".to_owned(),
        Err(error) => format!("not JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use bytes::Bytes;

    use super::*;
    use crate::openai::request::Surface;

    fn listed_in(messages: &str) -> Vec<ListedMessage> {
        let before = r#"{"model":"m","messages":"#;
        let list = before.len()..before.len() + messages.len() + 2;
        let body = Bytes::from(format!("{before}[{messages}]}}"));
        listed(&ChatRequest::parse(Surface::ChatCompletions, body).unwrap(), &list)
    }

    #[test]
    fn messages_that_are_passed_over_are_named_by_their_places_in_the_list() {
        let good = r#"{"role":"user","content":"hi"}"#;
        let listed = listed_in(&format!(
            r#"{good},3,{{}},{good},{{"role":"critic","content":"x"}},{{"role":"user","content":"\ud83d"}}"#
        ));
        assert_eq!(listed.iter().map(|message| message.parsed).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 4]);
        let said = passed_over(&listed).unwrap();
        for named in [
            "messages[1] (not-an-object)",
            "messages[2] (",
            "messages[4] (unknown-role)",
            "messages[5] (lone-surrogate)",
        ] {
            assert!(said.contains(named), "{said}");
        }
        assert_eq!(passed_over(&listed_in(good)), None);
    }

    #[test]
    fn of_very_many_only_some_are_named() {
        let odd = [r#"{"role":"critic","content":"x"}"#; 9].join(",");
        let said = passed_over(&listed_in(&odd)).unwrap();
        assert!(said.ends_with("messages[4] (unknown-role) and 4 more"), "{said}");
    }
}
