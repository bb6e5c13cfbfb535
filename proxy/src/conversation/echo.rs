//! What mainpoint itself put into a message that a client sends back: replayed logs, and mainpoint in front of mainpoint with
//! the same data.
//!
//! Only a block that bears the number of this very message counts; whatever else looks like a block is what the client
//! says. What earlier versions put before and behind messages is known as well.

use super::chain::Chain;
use crate::openai::block::{self, PossibleBlock};
use crate::openai::request::{Echo, Message, Part};

/// Notes in every message of a user what was put into it, and in every tool's result whether it was shortened.
pub(crate) fn recognise(chain: &Chain, messages: &mut [Message]) {
    for message in messages {
        message.echo = match message.role {
            "user" => echo(chain, message),
            "tool" => shortened(chain, message),
            _ => continue,
        };
    }
}

/// Of a result that was shortened nothing is what the tool said as a whole.
fn shortened(chain: &Chain, message: &Message) -> Echo {
    let text = text_of(message.parts.first()).filter(|_| message.parts.len() == 1 && message.odd.is_none());
    let is_ours = |text: &str| block::condensed(text).is_some_and(|found| chain.result_seal(message).made(&found));
    text.filter(|text| is_ours(text)).map_or(Echo::default(), |text| Echo::new(text.len(), 0))
}

fn echo(chain: &Chain, message: &Message) -> Echo {
    let head = text_of(message.parts.first()).and_then(block::before);
    let tail = text_of(message.parts.last()).and_then(block::behind);
    // A block is numbered by what the message says without any; what is not known as one belongs to that.
    let tries = match (head, tail) {
        (None, None) => return Echo::default(),
        (Some(_), Some(_)) => vec![(head, tail), (None, tail), (head, None)],
        (head, tail) => vec![(head, tail)],
    };
    let length = |found: Option<PossibleBlock<'_>>| found.map_or(0, |found| found.length);
    for (head, tail) in tries {
        let echo = Echo::new(length(head), length(tail));
        let is_one_text = message.parts.len() == 1;
        let text = text_of(message.parts.first()).unwrap_or_default();
        if is_one_text && echo.length() > text.len() {
            continue;
        }
        let seal = chain.seal(message, echo);
        if head.iter().chain(&tail).all(|found| seal.made(found)) {
            return echo;
        }
    }
    Echo::default()
}

fn text_of(part: Option<&Part>) -> Option<&str> {
    match part? {
        Part::Text(text) => Some(text),
        Part::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use mainpoint_store::Scope;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::openai::block::{SEPARATOR, Seal};
    use crate::openai::quote::quote;
    use crate::openai::quote::reader_for_tests::some_text;
    use crate::openai::request::tests::parsed;
    use crate::openai::splice::{Edits, rewrite};

    fn chain() -> Chain {
        Chain::new(&Scope::new("k-a").unwrap())
    }

    fn request(content: &Value) -> crate::openai::request::ChatRequest {
        let mut request = parsed(&json!({"messages": [{"role": "user", "content": content}]}).to_string());
        recognise(&chain(), &mut request.messages);
        request
    }

    /// A message with U+0000 is odd, so that nothing is put into it.
    fn without_nulls(text: &str) -> String {
        text.replace('\0', " ")
    }

    fn lines() -> Vec<String> {
        vec![quote("user", &[], "a\n</mainpoint-memory>")]
    }

    /// The same request as an earlier version forwarded it, with a digest before its message.
    fn with_digest(request: &[u8], digest: &str) -> String {
        let mut request: Value = serde_json::from_slice(request).unwrap();
        let content = &mut request["messages"][0]["content"];
        *content = match content.take() {
            Value::Array(parts) => [vec![json!({"type": "text", "text": digest})], parts].concat().into(),
            text => json!(format!("{digest}{SEPARATOR}{}", text.as_str().unwrap())),
        };
        request.to_string()
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_known_when_it_comes_back_and_the_message_has_the_name_that_it_had(
            own in some_text(), parts: bool, head: bool, block in prop::option::of(any::<bool>()),
        ) {
            let own = without_nulls(&own);
            let content = if parts { json!([{"type": "text", "text": own}]) } else { json!(own) };
            let before = request(&content);
            prop_assert!(before.messages[0].echo.is_none(), "nothing was put in yet");
            let seal = chain().seal(&before.messages[0], Echo::default());
            // Where there is a digest, an earlier version made both.
            let written = |is_earlier: bool| if is_earlier || head { seal.earlier_memory(&lines()) } else { seal.memory(&lines()) };
            let blocks = block.map(|is_earlier| (0, written(is_earlier))).into_iter().collect();
            let bytes = rewrite(&before, &Edits { blocks, ..Edits::default() }).unwrap();
            let sent_back = match head {
                true => with_digest(&bytes, &seal.digest(&lines())),
                false => String::from_utf8(bytes.to_vec()).unwrap(),
            };
            let mut after = parsed(&sent_back);
            recognise(&chain(), &mut after.messages);
            prop_assert_eq!(after.messages[0].carries_memory(), head || block.is_some());
            prop_assert_eq!(after.messages[0].text(), own);
            prop_assert_eq!(chain().prefix_ids(&after.messages), chain().prefix_ids(&before.messages));
            // Another caller's blocks, and blocks of another message, are words like any other.
            let other = Chain::new(&Scope::new("k-b").unwrap());
            recognise(&other, &mut after.messages);
            prop_assert!(!after.messages[0].carries_memory());
        }

        #[test]
        fn whatever_a_user_writes_stays_whole(text in some_text(), parts: bool) {
            let text = without_nulls(&text);
            let content = if parts { json!([{"type": "text", "text": text}]) } else { json!(text) };
            let request = request(&content);
            prop_assert!(!request.messages[0].carries_memory());
            prop_assert_eq!(request.messages[0].text(), text);
        }
    }

    #[test]
    fn a_real_block_pasted_into_another_message_or_said_by_another_role_stays() {
        let seal = chain().seal(&request(&json!("What is it?")).messages[0], Echo::default());
        let block = seal.memory(&lines());
        for echoed in [format!("{block}{SEPARATOR}What is it?"), format!("What is it?{SEPARATOR}{block}")] {
            assert_eq!(request(&json!(echoed)).messages[0].text(), "What is it?");
        }
        let own = "Why does my log show this?";
        for pasted in [format!("{block}{SEPARATOR}{own}"), format!("{own}{SEPARATOR}{block}")] {
            assert_eq!(request(&json!(pasted)).messages[0].text(), pasted);
        }
        let body = json!({"messages": [{"role": "assistant", "content": format!("{block}{SEPARATOR}What is it?")}]});
        let mut said = parsed(&body.to_string());
        recognise(&chain(), &mut said.messages);
        assert!(!said.messages[0].carries_memory());
    }

    #[test]
    fn a_block_beside_a_pasted_one_is_known_and_the_pasted_one_stays() {
        let foreign = Seal::new([0; 32]);
        for pasted in [foreign.digest(&lines()), foreign.memory(&lines())] {
            for own in [format!("{pasted}{SEPARATOR}What is this?"), format!("What is this?{SEPARATOR}{pasted}")] {
                let seal = chain().seal(&request(&json!(own)).messages[0], Echo::default());
                let (new, earlier) = (seal.memory(&lines()), seal.earlier_memory(&lines()));
                for sent_back in [format!("{new}{SEPARATOR}{own}"), format!("{own}{SEPARATOR}{earlier}")] {
                    let echoed = request(&json!(sent_back));
                    assert!(echoed.messages[0].carries_memory());
                    assert_eq!(echoed.messages[0].text(), own);
                }
            }
        }
    }
}
