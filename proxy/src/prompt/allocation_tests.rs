//! Test: what the hot paths of a request take from the allocator, a guard against regressions that no busy machine can blur.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "the figures are to be seen")]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use mainpoint_store::TurnId;
use serde_json::{Value, json};

use super::build::edits;
use super::cuttable::Cuttable;
use super::injections::BlockRecord;
use super::pack::{Place, pack};
use super::plan::Plan;
use crate::conversation::prepared_request::PreparedRequest;
use crate::conversation::request_preparer::{RawRequest, RequestPreparer};
use crate::conversation::scope::{ScopeKey, Sender};
use crate::deadline::Deadline;
use crate::http::credentials::CallerHeaders;
use crate::http::identity::Identity;
use crate::memory::RecalledTurn;
use crate::memory::turns_for_tests::{recalled, turn};
use crate::openai::request::Surface;
use crate::openai::splice::{injected, rewrite};
use crate::openai::tokens::{TokenCounter, TokenFactors};

/// What a piece of work takes from the allocator, freed or not.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// A vector that grows counts again.
    allocations: u64,
    bytes: u64,
}

/// A hot path.
#[derive(Debug, Clone, Copy)]
enum Path {
    /// The first request of a conversation, forwarded with its own bytes.
    PassThroughNew,
    /// A request whose messages but the last two were counted before, forwarded with its own bytes.
    PassThroughKnown,
    /// A prepared request that is over its budget: half of it leaves, memories are put in.
    Rewriting,
}

/// What each path took when it was last looked at; a tenth more is allowed.
const KNOWN: [(Path, Cost); 3] = [
    (Path::PassThroughNew, Cost { allocations: 1_574, bytes: 534_528 }),
    (Path::PassThroughKnown, Cost { allocations: 1_476, bytes: 530_432 }),
    // The words of every quote are looked through for times that count from its day.
    (Path::Rewriting, Cost { allocations: 1_563, bytes: 231_500 }),
];

/// Messages of the request, an even number, so that the last one is the user's.
const MESSAGES: usize = 100;
/// Bytes of one message's text, so that the request has about 100 KB.
const TEXT: usize = 1000;
/// Memories that are found, and the tokens that they may take.
const MEMORIES: u32 = 20;
const MEMORY_TOKENS: usize = 1500;

#[test]
fn no_path_takes_more_than_it_did() {
    for (path, known) in KNOWN {
        let cost = path.cost(MESSAGES);
        println!(
            "{} of a {} KB request: {} allocations, {} KiB",
            path.name(),
            body(MESSAGES).len() / 1000,
            cost.allocations,
            cost.bytes.div_ceil(1024)
        );
        assert!(cost.is_within(known), "{path:?}: {cost:?} is more than a tenth above {known:?}");
    }
}

#[test]
fn twice_the_messages_take_twice_as_much() {
    for (path, _) in KNOWN {
        let (once, twice) = (path.cost(MESSAGES), path.cost(2 * MESSAGES));
        assert!(twice.is_about_twice(once), "{path:?}: {once:?} became {twice:?}");
    }
}

impl Path {
    fn name(self) -> &'static str {
        match self {
            Self::PassThroughNew => "pass-through",
            Self::PassThroughKnown => "pass-through of what was counted before, but two messages,",
            Self::Rewriting => "rewriting",
        }
    }

    /// What the path takes for a request with so many messages. It is gone once before, so that what is made once in a
    /// process does not count.
    fn cost(self, messages: usize) -> Cost {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(ScopeKey::load_or_create(directory.path()).unwrap());
        let headers = headers();
        let pass = |preparer: &RequestPreparer| {
            let body = body(messages);
            Cost::new(|| pass_through(preparer, &headers, &body))
        };
        pass(&preparer(&keys));
        let own = preparer(&keys);
        match self {
            Self::PassThroughNew => pass(&own),
            Self::PassThroughKnown => {
                pass_through(&own, &headers, &body(messages - 2));
                pass(&own)
            }
            Self::Rewriting => {
                let prepared = prepared(&own, &headers, body(messages));
                let memories: Vec<RecalledTurn> = (0..MEMORIES).map(memory).collect();
                let again = || rewriting(&own, &prepared, &memories);
                assert!(again().len() < prepared.request.body.len());
                Cost::new(again)
            }
        }
    }
}

impl Cost {
    fn new<T>(work: impl FnOnce() -> T) -> Self {
        let counted = allocation_counter::measure(|| drop(black_box(work())));
        Self { allocations: counted.count_total, bytes: counted.bytes_total }
    }

    fn is_within(self, known: Self) -> bool {
        self.allocations * 10 <= known.allocations * 11 && self.bytes * 10 <= known.bytes * 11
    }

    /// At most 2.2 times as much.
    fn is_about_twice(self, once: Self) -> bool {
        self.allocations * 10 <= once.allocations * 22 && self.bytes * 10 <= once.bytes * 22
    }
}

/// What a request within its budget goes through, but for what waits.
fn pass_through(preparer: &RequestPreparer, headers: &HeaderMap, body: &Bytes) -> (Plan, Vec<TurnId>) {
    let prepared = prepared(preparer, headers, body.clone());
    let plan = Plan {
        reply_slot: prepared.reply_slot(),
        scope: Some(prepared.scope.clone()),
        ..Plan::passthrough(body.clone())
    };
    (plan, prepared.spoken_ids().to_vec())
}

/// What a request over its budget goes through after it was prepared, but for what waits.
fn rewriting(preparer: &RequestPreparer, prepared: &PreparedRequest, memories: &[RecalledTurn]) -> Bytes {
    let count = |text: &str| preparer.counter.text(prepared.tokenizer, text);
    let messages = &prepared.request.messages;
    let shape = Cuttable::new(prepared).shape(None, &BTreeSet::new());
    let dropped = shape.dropped(shape.evictables[shape.evictables.len() / 2].horizon);
    let question = prepared.request.last_user().unwrap();
    let place = Place { room: MEMORY_TOKENS, least_relevance: 0.0, seal: prepared.seal(question) };
    let packed = pack(memories, &HashSet::new(), place, count).unwrap().unwrap();
    let record = BlockRecord { text: Some(packed.block()), sources: packed.sources() };
    let blocks = BTreeMap::from([(question, record)]);
    let edits = edits(prepared, &dropped, &blocks);
    for (index, block) in &edits.blocks {
        let longer = injected(&messages[*index], block).unwrap();
        preparer.counter.message(prepared.tokenizer, &longer).unwrap();
    }
    rewrite(&prepared.request, &edits).unwrap()
}

fn prepared(preparer: &RequestPreparer, headers: &HeaderMap, body: Bytes) -> PreparedRequest {
    let sender = Sender { headers, identity: &Identity::of_headers() };
    let raw = RawRequest { surface: Surface::ChatCompletions, sender, body, time: DateTime::UNIX_EPOCH };
    preparer.prepare_here(raw, &Deadline::none()).unwrap().unwrap()
}

/// Counts words, which takes nothing from the allocator, and remembers no message yet.
fn preparer(keys: &Arc<ScopeKey>) -> RequestPreparer {
    let words = |text: &str| Ok(text.split_whitespace().count());
    RequestPreparer {
        keys: Arc::clone(keys),
        counter: Arc::new(TokenCounter::new(Arc::new(words), TokenFactors::default())),
        callers: CallerHeaders::new(&crate::config::Config::defaults().memory),
    }
}

fn headers() -> HeaderMap {
    let key = (AUTHORIZATION, HeaderValue::from_static("Bearer sk-guard"));
    HeaderMap::from_iter([key])
}

/// The first messages of a conversation: instructions, then user and assistant in turn.
fn body(messages: usize) -> Bytes {
    let message = |index: usize| {
        let role = match index {
            0 => "system",
            index if index % 2 == 1 => "user",
            _ => "assistant",
        };
        json!({"role": role, "content": text(index)})
    };
    let messages: Vec<Value> = (0..messages).map(message).collect();
    json!({"model": "some-model", "messages": messages}).to_string().into()
}

fn text(index: usize) -> String {
    let mut text = format!("Message {index} speaks of the weather, of \"lockers\" and of dates. ").repeat(TEXT / 50);
    text.truncate(TEXT);
    text
}

fn memory(position: u32) -> RecalledTurn {
    recalled(turn(position, &format!("The code of locker {position} is 4471, and it stays so until May.")))
}
