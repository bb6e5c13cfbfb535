//! A request is read as `serde_json` reads it, its turns have names, and what is changed in it changes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use mainpoint_store::Scope;
use serde_json::Value;

use super::{bits_of, is_set};
use crate::conversation::chain::Chain;
use crate::conversation::echo::recognise;
use crate::conversation::prepared_request::PreparedRequest;
use crate::openai::recall_tool::{Offer, ToolChoice, ToolReach};
use crate::openai::request::{ChatRequest, Content, Message, Part, Surface};
use crate::openai::results::takes_text;
use crate::openai::splice::{Edits, injected, rewrite};
use crate::openai::tokens::{TokenCounter, TokenFactors};

pub(super) fn chat(bytes: &[u8]) {
    request(Surface::ChatCompletions, bytes);
}

pub(super) fn responses(bytes: &[u8]) {
    request(Surface::Responses, bytes);
}

fn request(surface: Surface, bytes: &[u8]) {
    static COUNTER: LazyLock<TokenCounter> =
        LazyLock::new(|| TokenCounter::new(Arc::new(|text| Ok(text.len())), TokenFactors::default()));
    let tree: Option<Value> = serde_json::from_slice(bytes).ok();
    let request = match ChatRequest::parse(surface, Bytes::copy_from_slice(bytes)) {
        Ok(request) => request,
        Err(error) => {
            assert!(!tree.is_some_and(|tree| is_request(surface, &tree)), "{error}");
            return;
        }
    };
    let mut end = 0;
    for message in &request.messages {
        assert!(end <= message.range.start && message.range.end <= bytes.len(), "{:?}", message.range);
        end = message.range.end;
        check_message(&request, message);
    }
    let Ok(scope) = Scope::new("fuzz") else { return };
    let prepared = PreparedRequest::new(&COUNTER, request, scope.clone());
    assert!(prepared.is_ok(), "{:?}", prepared.err());
    let Ok(prepared) = prepared else { return };
    let chain = Chain::new(&scope);
    for (at, index) in prepared.spoken.iter().enumerate() {
        let message = &prepared.request.messages[*index];
        assert_eq!(prepared.turn_id(at), Some(chain.turn(message.role, &message.text())));
    }
    let edits = Changes::new(&prepared, bits_of(bytes));
    edits.check(&prepared.request, &chain, tree.as_ref());
    if surface == Surface::ChatCompletions {
        check_offer(&prepared.request, tree.as_ref());
    }
}

/// Whether there is a list of messages in it, which the upstream does not keep.
fn is_request(surface: Surface, tree: &Value) -> bool {
    let is_kept = ["previous_response_id", "conversation"].iter().any(|key| !tree[key].is_null());
    tree[list_of(surface)].is_array() && (surface == Surface::ChatCompletions || !is_kept)
}

fn list_of(surface: Surface) -> &'static str {
    match surface {
        Surface::ChatCompletions => "messages",
        Surface::Responses => "input",
    }
}

/// What is not odd can be read by others, and says the same to them.
fn check_message(request: &ChatRequest, message: &Message) {
    if message.odd.is_some() {
        return;
    }
    let tree: Result<Value, _> = serde_json::from_slice(request.slice(&message.range));
    assert!(tree.is_ok(), "{message:?}");
    let is_text = tree.is_ok_and(|tree| tree.get("content").is_some_and(Value::is_string));
    let Content::Text(place) = &message.content else {
        assert!(!is_text || request.surface == Surface::Responses, "{message:?}");
        return;
    };
    let said: Option<String> = serde_json::from_slice(request.slice(place)).ok();
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        Part::Other(_) => None,
    });
    assert!(said.is_some() && texts.eq(&said), "{message:?}");
}

/// What is changed in a request.
struct Changes(Edits);

impl Changes {
    /// Some messages leave, results of tools become shorter, and blocks are put in, as `bits` say.
    fn new(prepared: &PreparedRequest, bits: u64) -> Self {
        let request = &prepared.request;
        let mut edits = Edits::default();
        for (index, message) in request.messages.iter().enumerate() {
            let says = |shift: usize| is_set(bits, index * 3 + shift);
            if is_set(bits, 63) && says(0) {
                edits.dropped.insert(index);
            } else if takes_text(request, message) && says(1) {
                edits.replaced.insert(index, prepared.result_seal(index).condensed(&["a \"short\" one".to_owned()]));
            } else if message.takes_blocks() && says(2) {
                edits.blocks.insert(index, prepared.seal(index).memory(&["user: \\ \"old\"".to_owned()]));
            }
        }
        Self(edits)
    }

    fn check(&self, request: &ChatRequest, chain: &Chain, tree: Option<&Value>) {
        let Self(edits) = self;
        let retained: Vec<usize> = (0..request.messages.len()).filter(|at| !edits.dropped.contains(at)).collect();
        let Some(bytes) = rewrite(request, edits) else {
            assert!(retained.is_empty(), "{edits:?}");
            return;
        };
        let (first, last) = (request.messages.first(), request.messages.last());
        let around = first.zip(last).map(|(first, last)| (..first.range.start, last.range.end..));
        let is_around = around.is_some_and(|(before, after)| {
            bytes.starts_with(&request.body[before]) && bytes.ends_with(&request.body[after])
        });
        assert!(is_around, "{bytes:?}");
        if let Some(tree) = tree {
            same_beside_messages(request.surface, tree, &bytes);
        }
        let again = ChatRequest::parse(request.surface, bytes.clone());
        assert!(again.is_ok(), "{:?}: {bytes:?}", again.err());
        let Ok(mut again) = again else { return };
        recognise(chain, &mut again.messages);
        // Odd neighbours of one that has left are one message.
        if again.messages.len() != retained.len() {
            assert!(again.messages.len() < retained.len() && !edits.dropped.is_empty(), "{bytes:?}");
            return;
        }
        for (index, now) in retained.iter().zip(&again.messages) {
            let before = &request.messages[*index];
            match (edits.replaced.get(index), edits.blocks.get(index)) {
                (Some(text), _) => {
                    assert_eq!(now.parts, [Part::Text(text.clone())]);
                    assert!(now.carries_memory(), "{now:?}");
                }
                (None, Some(block)) => {
                    assert_eq!(Some(&now.parts), injected(before, block).map(|injected| injected.parts).as_ref());
                    assert!(now.carries_memory() && now.text() == before.text(), "{now:?} of {before:?}");
                }
                (None, None) => assert_eq!(again.slice(&now.range), request.slice(&before.range)),
            }
        }
        if edits.dropped.is_empty() && edits.replaced.is_empty() {
            assert_eq!(chain.prefix_ids(&again.messages), chain.prefix_ids(&request.messages));
        }
    }
}

/// The bytes are JSON, and but for its messages the request is the same.
fn same_beside_messages(surface: Surface, tree: &Value, bytes: &[u8]) {
    let again: Result<Value, _> = serde_json::from_slice(bytes);
    assert!(again.is_ok(), "{:?}: {bytes:?}", again.err());
    let fields = |tree: &Value| {
        let fields = tree.as_object().into_iter().flatten().filter(|(name, _)| *name != list_of(surface));
        fields.map(|(name, value)| (name.clone(), value.clone())).collect::<BTreeMap<String, Value>>()
    };
    assert_eq!(again.map(|again| fields(&again)).ok(), Some(fields(tree)));
}

/// A request that offers our tool has all that it had, and one tool more.
fn check_offer(request: &ChatRequest, tree: Option<&Value>) {
    let Some(offer) = Offer::new(request.body.clone(), ToolReach::Conversation) else { return };
    for choice in [ToolChoice::Allowed, ToolChoice::Forbidden] {
        let body = offer.body(choice);
        assert!(ChatRequest::parse(request.surface, body.clone()).is_ok(), "{body:?}");
        let Some(tree) = tree else { continue };
        let again: Result<Value, _> = serde_json::from_slice(&body);
        assert!(again.is_ok(), "{:?}: {body:?}", again.err());
        let Ok(again) = again else { continue };
        let keys: BTreeSet<&String> = tree.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        for key in keys.iter().filter(|key| !["tools", "tool_choice"].contains(&key.as_str())) {
            assert_eq!(again[key.as_str()], tree[key.as_str()]);
        }
        let tools = |tree: &Value| tree["tools"].as_array().map_or(0, Vec::len);
        assert!(tools(&again) == tools(tree) + usize::from(choice == ToolChoice::Allowed) || tools(tree) == 0);
    }
}
