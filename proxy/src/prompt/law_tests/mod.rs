//! The laws of rewriting, tried on many generated conversations and on recorded requests.
//!
//! A rewritten request differs from the original only by messages that left and blocks that were put in, and whatever OpenAI's
//! API accepted before, it accepts after.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "the number of cases is to be seen")]

mod growth;
mod odd;
mod scale;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use http::HeaderMap;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::build::edits;
use super::cuttable::Cuttable;
use super::injections::BlockRecord;
use crate::config::AttachmentPolicy;
use crate::conversation::prepared_request::PreparedRequest;
use crate::conversation::request_preparer::{RawRequest, RequestPreparer};
use crate::conversation::scope::{ScopeKey, Sender};
use crate::deadline::Deadline;
use crate::http::credentials::CallerHeaders;
use crate::http::identity::Identity;
use crate::openai::request::{Content, Message, OriginalPart, Part, Surface};
use crate::openai::results::takes_text;
use crate::openai::splice::{Edits, rewrite};
use crate::openai::tokens::{TokenCounter, TokenFactors};
use crate::openai::{quote, recordings_for_tests as recordings};
use crate::reason::Reason;

/// How many conversations are tried.
const CASES: u32 = 100_000;

#[test]
fn a_rewritten_request_is_legal_and_differs_only_in_what_left_and_what_was_put_in() {
    let laws = Laws::new();
    let rewritten = Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let case = (conversation(), "[ \n\t]{0,2}", any::<u64>());
    runner
        .run(&case, |(messages, space, choice)| {
            prop_assert_eq!(legal(&messages), Ok(()), "the generator made something illegal");
            let joined: Vec<String> = messages.iter().map(Value::to_string).collect();
            let body = format!(
                "{{{space}\"model\":\"m\",\"messages\"{space}:[{space}{}{space}],\"seed\":1.50e3,\"x\":\"\\u00e9\"}}",
                joined.join(&format!("{space},"))
            );
            rewritten.set(rewritten.get() + laws.hold(Surface::ChatCompletions, body.as_bytes(), choice)?);
            Ok(())
        })
        .unwrap();
    println!("{CASES} generated conversations, {} of them rewritten, none broke a law", rewritten.get());
    assert!(rewritten.get() > CASES / 2);
    if let Some(directory) = std::env::var_os("MAINPOINT_RESULTS").map(PathBuf::from) {
        let row = |metric: &str, value: u32| {
            json!({"bench": "byte-identity", "metric": metric, "arm": "mainpoint", "value": value}).to_string()
        };
        let rows = [row("cases", CASES), row("rewritten", rewritten.get()), row("failures", 0)];
        std::fs::write(directory.join("byte-identity.jsonl"), rows.join("\n") + "\n").unwrap();
    }
}

#[test]
fn recorded_requests_are_rewritten_by_the_same_laws() {
    let directory = recordings::directory();
    let laws = Laws::new();
    let (mut requests, mut illegal, mut rewritten) = (0, 0, 0);
    for (surface, body) in recordings::requests(&directory) {
        let value: Value = serde_json::from_slice(&body).unwrap();
        let messages = value.get("messages").and_then(Value::as_array);
        if messages.is_some_and(|messages| legal(messages).is_err()) {
            illegal += 1;
            continue;
        }
        requests += 1;
        for choice in 0..64 {
            rewritten += laws.hold(surface, &body, choice * 0x9E37_79B9).unwrap();
        }
    }
    println!(
        "{requests} recorded requests, {rewritten} rewritings, none broke a law; {illegal} more break OpenAI's rules themselves"
    );
    assert!(requests > 0);
}

/// A request that was rewritten.
struct Rewritten {
    prepared: PreparedRequest,
    edits: Edits,
    bytes: Bytes,
}

struct Laws {
    preparer: RequestPreparer,
    _directory: tempfile::TempDir,
}

/// What requests are prepared with, where a token is a word.
pub(super) fn preparer() -> (RequestPreparer, tempfile::TempDir) {
    preparer_counting(|text| text.split_whitespace().count())
}

/// The same with another tokenizer.
pub(super) fn preparer_counting(
    count: impl Fn(&str) -> usize + Send + Sync + 'static,
) -> (RequestPreparer, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let preparer = RequestPreparer {
        keys: Arc::new(ScopeKey::load_or_create(directory.path()).unwrap()),
        counter: Arc::new(TokenCounter::new(Arc::new(move |text: &str| Ok(count(text))), TokenFactors::default())),
        callers: CallerHeaders::new(&crate::config::Config::defaults().memory),
    };
    (preparer, directory)
}

impl Laws {
    fn new() -> Self {
        let (preparer, directory) = preparer();
        Self { preparer, _directory: directory }
    }

    fn prepared(&self, surface: Surface, body: Bytes) -> Result<PreparedRequest, Reason> {
        let raw = RawRequest {
            surface,
            sender: Sender { headers: &HeaderMap::new(), identity: &Identity::of_headers() },
            body,
            time: DateTime::UNIX_EPOCH,
        };
        self.preparer.prepare_here(raw, &Deadline::none()).unwrap()
    }

    /// Rewrites a body in a way that `choice` selects; `None` when nothing could leave.
    fn rewritten(&self, surface: Surface, body: &[u8], choice: u64) -> Result<Option<Rewritten>, TestCaseError> {
        let Ok(prepared) = self.prepared(surface, Bytes::copy_from_slice(body)) else {
            return Ok(None);
        };
        let cuttable = Cuttable::new(&prepared);
        let held = held(cuttable, choice);
        let shape = cuttable.shape(None, &held);
        let Some(count) = std::num::NonZeroU64::new(shape.evictables.len() as u64) else {
            return Ok(None);
        };
        let cut = usize::try_from(choice % count).unwrap();
        let horizon = shape.evictables[cut].horizon;
        let dropped = shape.dropped(horizon);
        prop_assert_eq!(&cuttable.shape(Some(horizon), &held).dropped(horizon), &dropped, "a cut is found again");

        let blocks = blocks(&prepared, &dropped, choice);
        let replaced = shortened(&prepared, &dropped, choice);
        let edits = Edits { replaced, ..edits(&prepared, &dropped, &blocks) };
        prop_assert!(edits.blocks.keys().eq(blocks.keys()), "nothing else is put in");
        let bytes = rewrite(&prepared.request, &edits);
        Ok(bytes.map(|bytes| Rewritten { prepared, edits, bytes }))
    }

    /// Rewrites a body in a way that `choice` selects and checks every law; 0 when nothing could leave.
    fn hold(&self, surface: Surface, body: &[u8], choice: u64) -> Result<u32, TestCaseError> {
        let Some(rewritten) = self.rewritten(surface, body, choice)? else {
            return Ok(0);
        };
        let Rewritten { prepared, edits, bytes } = rewritten;
        let dropped = &edits.dropped;
        let again = self.prepared(surface, bytes.clone()).unwrap();
        same_outside(&prepared, &again)?;
        let retained: Vec<usize> =
            (0..prepared.request.messages.len()).filter(|index| !dropped.contains(index)).collect();
        prop_assert_eq!(retained.len(), again.request.messages.len());
        for (index, after) in retained.iter().zip(&again.request.messages) {
            let before = &prepared.request.messages[*index];
            if let Some(text) = edits.replaced.get(index) {
                prop_assert!(before.role == "tool" && after.role == "tool");
                let names = |message: &Message| {
                    let fields = message.fields.iter().map(|(name, value)| (*name, value.canonical().into_owned()));
                    (message.answers.clone(), fields.collect::<Vec<_>>())
                };
                prop_assert_eq!(names(before), names(after));
                prop_assert_eq!(&after.parts, &vec![Part::Text(text.clone())]);
                prop_assert!(after.carries_memory() && !after.has_text(), "it is known when it comes back");
            } else if let Some(block) = edits.blocks.get(index) {
                prop_assert!(before.role == "user" && after.carries_memory());
                let some = |part: &OriginalPart<'_>| !matches!(part, OriginalPart::Text(""));
                let own = before.original_parts().filter(some);
                prop_assert!(own.eq(after.original_parts().filter(some)), "the message's own words stay");
                prop_assert_eq!(&before.fields, &after.fields);
                only_longer(before, prepared.request.slice(&before.range), again.request.slice(&after.range))?;
                let stands = match before.answers.is_empty() {
                    true => matches!(after.parts.first(), Some(Part::Text(text)) if text.starts_with(block.as_str())),
                    false => matches!(after.parts.last(), Some(Part::Text(text)) if text == block),
                };
                prop_assert!(stands, "before the message's words, or behind results of tools");
            } else {
                let (old, new) = (prepared.request.slice(&before.range), again.request.slice(&after.range));
                prop_assert_eq!(old, new, "messages without a block keep their bytes");
            }
        }
        if surface == Surface::ChatCompletions {
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(legal(value["messages"].as_array().unwrap()), Ok(()));
        }
        Ok(1)
    }
}

/// What stays: in some conversations also what was said right before the question.
fn held(cuttable: Cuttable<'_>, choice: u64) -> BTreeSet<usize> {
    let mut held = &cuttable.odd() | &cuttable.attached(policy(choice));
    if choice >> 20 & 1 == 1 {
        held.extend(cuttable.lead_ups().into_iter().flat_map(|lead_up| [lead_up.said, lead_up.answer].concat()));
    }
    held
}

/// Which attachments stay.
fn policy(choice: u64) -> AttachmentPolicy {
    match choice >> 60 {
        0..4 => AttachmentPolicy::Keep,
        count => AttachmentPolicy::Newest(usize::try_from(count % 4).unwrap()),
    }
}

/// Blocks for some of the user messages that stay, always for the last.
fn blocks(prepared: &PreparedRequest, dropped: &BTreeSet<usize>, choice: u64) -> BTreeMap<usize, BlockRecord> {
    let messages = prepared.request.messages.iter().enumerate();
    let users = messages.filter(|(index, message)| message.takes_blocks() && !dropped.contains(index));
    let last = prepared.request.last_user();
    let chosen = users.filter(|(index, _)| Some(*index) == last || choice >> (index % 64) & 1 == 1);
    let record = |index: usize| BlockRecord {
        text: Some(prepared.seal(index).memory(&[quote::quote("user", &[], &format!("memory {index}"))])),
        sources: Vec::new(),
    };
    chosen.map(|(index, _)| (index, record(index))).collect()
}

/// Texts in the place of some of the results that stay.
fn shortened(prepared: &PreparedRequest, dropped: &BTreeSet<usize>, choice: u64) -> BTreeMap<usize, String> {
    let request = &prepared.request;
    let is_chosen = |index: &usize| !dropped.contains(index) && choice >> ((index + 7) % 64) & 1 == 1;
    let all = 0..request.messages.len();
    let results = all.filter(|index| is_chosen(index) && takes_text(request, &request.messages[*index]));
    let text = |index: usize| prepared.result_seal(index).condensed(&[format!("result {index}\n \"quoted\"")]);
    results.map(|index| (index, text(index))).collect()
}

/// A message with a block keeps the bytes before and behind it, unless another block came with it.
fn only_longer(before: &Message, old: &[u8], new: &[u8]) -> Result<(), TestCaseError> {
    let (Content::Text(place) | Content::Parts(place)) = &before.content else {
        return Err(TestCaseError::fail("a block was put into a message without content"));
    };
    let at = if before.answers.is_empty() { place.start + 1 } else { place.end - 1 };
    let (start, end) = old.split_at(at - before.range.start);
    prop_assert!(before.carries_memory() || (new.starts_with(start) && new.ends_with(end)));
    Ok(())
}

/// Everything before the first and after the last message has the same bytes.
fn same_outside(before: &PreparedRequest, after: &PreparedRequest) -> Result<(), TestCaseError> {
    let ends = |prepared: &PreparedRequest| {
        let (first, last) = (prepared.request.messages.first().unwrap(), prepared.request.messages.last().unwrap());
        let body = &prepared.request.body;
        (body.slice(..first.range.start), body.slice(last.range.end..))
    };
    prop_assert_eq!(ends(before), ends(after));
    Ok(())
}

/// What OpenAI's API demands of a list of messages; the reason why it would be refused.
fn legal(messages: &[Value]) -> Result<(), String> {
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            if !open.remove(id) {
                return Err(format!("message {index} answers no call {id:?}"));
            }
            continue;
        }
        if let Some(id) = open.first() {
            return Err(format!("message {index} comes before the result of the call {id:?}"));
        }
        if !["system", "developer", "user", "assistant"].contains(&role) {
            return Err(format!("message {index} has the role {role:?}"));
        }
        let calls = message["tool_calls"].as_array();
        open.extend(calls.into_iter().flatten().filter_map(|call| call["id"].as_str()));
        if role == "user" && message["content"].is_null() {
            return Err(format!("message {index} has no content"));
        }
    }
    match open.first() {
        Some(id) => Err(format!("the call {id:?} has no result")),
        None if messages.is_empty() => Err("there is no message".to_owned()),
        None => Ok(()),
    }
}

/// Legal conversations with everything that a client may send.
fn conversation() -> impl Strategy<Value = Vec<Value>> {
    let instruction = prop_oneof![Just("system"), Just("developer")]
        .prop_flat_map(|role| "[a-z ]{1,12}".prop_map(move |text| vec![json!({"role": role, "content": text})]));
    let greeting = Just(vec![json!({"role": "assistant", "content": "Hello!"})]);
    let exchange = (user(), prop::collection::vec(step(), 0..4)).prop_map(|(user, steps)| {
        let mut messages = vec![user];
        messages.extend(steps.concat());
        messages
    });
    let piece = prop_oneof![8 => exchange, 1 => instruction.clone(), 1 => greeting.clone()];
    (prop::option::of(instruction), prop::collection::vec(piece, 0..8), user()).prop_map(|(first, pieces, last)| {
        let mut messages: Vec<Value> = first.unwrap_or_default();
        messages.extend(pieces.concat());
        messages.push(last);
        unique_calls(messages)
    })
}

fn user() -> impl Strategy<Value = Value> {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    prop_oneof![
        4 => "\\PC{0,20}".prop_map(|text| json!({"role": "user", "content": text})),
        1 => "[a-z]{1,6}".prop_map(|name| json!({"role": "user", "name": name, "content": [{"type": "text", "text": "a"}]})),
        1 => Just(json!({"role": "user", "content": [image, {"type": "text", "text": "what is this?", "x": null}]})),
        1 => Just(json!({"content": [], "role": "user"})),
    ]
}

/// What an assistant does: it speaks, refuses, or calls and gets every result.
fn step() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        3 => "[a-z ]{1,20}".prop_map(|text| vec![json!({"role": "assistant", "content": text, "reasoning_content": "hm"})]),
        1 => Just(vec![json!({"role": "assistant", "content": null, "refusal": "No."})]),
        2 => (1..4usize, any::<bool>()).prop_map(|(count, backwards)| {
            let calls: Vec<Value> = (0..count)
                .map(|at| json!({"id": format!("call-{at}"), "type": "function", "function": {"name": "f", "arguments": "{}"}}))
                .collect();
            let result = |at: usize| json!({"role": "tool", "tool_call_id": format!("call-{at}"), "content": "12"});
            let mut results: Vec<Value> = (0..count).map(result).collect();
            if backwards {
                results.reverse();
            }
            [vec![json!({"role": "assistant", "content": null, "tool_calls": calls})], results].concat()
        }),
    ]
}

/// Each group of calls gets ids of its own, except that every third group repeats the ids of an earlier one, as some services do.
fn unique_calls(mut messages: Vec<Value>) -> Vec<Value> {
    let mut group = 0;
    for message in &mut messages {
        let name =
            |id: &Value, group: usize| json!(format!("{}-{}", id.as_str().unwrap_or_default(), group - group % 3 % 2));
        if let Some(calls) = message.get_mut("tool_calls").and_then(Value::as_array_mut) {
            group += 1;
            for call in calls {
                call["id"] = name(&call["id"], group);
            }
        } else if message["role"] == "tool" {
            message["tool_call_id"] = name(&message["tool_call_id"], group);
        }
    }
    messages
}
