//! What clients do to a conversation before they send it, each on the library that does it so, and what the memory makes of that.
//!
//! Printed as a table:
//!
//! - Was sent: the last question came with what it asks for, the words of exchange 3. Recalled: its prompt has it.
//! - Tokens read, and how many they are for each token that is new. New is every message that the client sent and every answer,
//!   once each: what another proxy reads of all of them in one request.
//! - The same for each token that a client with its whole history makes the reader read.
//! - Prompt cache: how many requests the client sent, and how many were forwarded, as the one before with more at its end alone.
//!   Whatever the client leaves as it was stays as it was forwarded, byte for byte, but when turns leave the prompt
//!   ([`mainpoint_tests::prompt_cache::lost`]).
#![expect(clippy::print_stdout, reason = "the table is to be seen")]

use comfy_table::Table;
use mainpoint_tests::conversation::{Exchange, everyday_chat};
use mainpoint_tests::forwarded::raw_messages;
use mainpoint_tests::prompt_cache::Step;
use mainpoint_tests::{
    Conversation, PromptCache, ProxyBuilder, RecordedRequest, Reply, ScriptedUpstream, StartedProxy, prompt,
};
use serde_json::{Value, json};

use crate::shared::{PYTHON_KEY, told_by_python};

const CODE: &str = "7391-K";
/// Exchanges before the question.
const LENGTH: usize = 20;
const SECRET_VARIABLE: &str = "MAINPOINT_TEST_BEHAVIOUR_SECRET";
const SECRET: &str = "a secret of thirty-two bytes, or some more";
/// Tokens read for each of the whole history's, where nothing else is said.
const ONCE: f64 = 1.05;

/// A client, by the name that it has in `behaviours.py`.
struct Behaviour {
    name: &'static str,
    library: &'static str,
    chat: fn() -> Chat,
    set_up: fn(ProxyBuilder) -> ProxyBuilder,
    /// Most tokens read for each that a client with its whole history makes the reader read. More than one only where what the
    /// client does cannot be done without saying something new.
    of_whole: Option<f64>,
    /// Whether the client leaves out what is asked for.
    leaves_out: bool,
    /// Whether the chat outgrows its budget, so that turns must leave.
    outgrows: bool,
}

/// What is said, and what must come of it.
struct Chat {
    exchanges: Vec<Exchange>,
    question: String,
    /// In the prompts of the question.
    recalled: &'static str,
    /// In none of them.
    outdated: Option<&'static str>,
    /// The rounds of tools before each answer.
    rounds: usize,
}

/// What most clients have in common.
const PLAIN: Behaviour = Behaviour {
    name: "",
    library: "openai",
    chat: everyday,
    set_up: |builder| builder.budget(4000, 700),
    of_whole: Some(ONCE),
    leaves_out: true,
    outgrows: false,
};

const BEHAVIOURS: [Behaviour; 11] = [
    Behaviour { name: "whole history", set_up: small, leaves_out: false, outgrows: true, ..PLAIN },
    Behaviour { name: "window of turns", library: "langchain", ..PLAIN },
    Behaviour { name: "window of tokens", library: "langchain", ..PLAIN },
    Behaviour { name: "summary in front", library: "langchain", of_whole: Some(1.8), ..PLAIN },
    Behaviour {
        name: "clock in front",
        library: "langchain",
        set_up: small,
        leaves_out: false,
        outgrows: true,
        ..PLAIN
    },
    Behaviour { name: "clock in the first message", set_up: small, leaves_out: false, outgrows: true, ..PLAIN },
    Behaviour { name: "documents in the question", library: "langchain", of_whole: Some(1.8), ..PLAIN },
    Behaviour { name: "new chat", set_up: from_all_chats, ..PLAIN },
    Behaviour { name: "refreshed token", library: "openai, PyJWT", set_up: by_token, ..PLAIN },
    Behaviour {
        name: "agent loop",
        library: "langchain, langgraph",
        chat: with_tools,
        set_up: |builder| builder.budget(2000, 400),
        of_whole: None,
        leaves_out: false,
        outgrows: true,
    },
    Behaviour { name: "two devices in one chat", library: "langchain", chat: on_two_devices, of_whole: None, ..PLAIN },
];

/// A budget that the chat outgrows.
fn small(builder: ProxyBuilder) -> ProxyBuilder {
    builder.budget(800, 300)
}

fn from_all_chats(builder: ProxyBuilder) -> ProxyBuilder {
    let builder = builder.budget(4000, 700).setting("memory", "recall = \"caller\"");
    builder.setting("store", "flush_interval_ms = 50")
}

fn by_token(builder: ProxyBuilder) -> ProxyBuilder {
    let builder = builder.budget(4000, 700).setting("identity", "from = \"jwt\"");
    builder.setting("identity", &format!("secret_env = {SECRET_VARIABLE:?}")).environment(SECRET_VARIABLE, SECRET)
}

fn everyday() -> Chat {
    let mut exchanges = everyday_chat(CODE);
    let question = exchanges.pop().expect("sixty exchanges").user;
    exchanges.truncate(LENGTH);
    Chat { exchanges, question, recalled: CODE, outdated: None, rounds: 0 }
}

fn with_tools() -> Chat {
    Chat { rounds: 1, ..everyday() }
}

/// The first question is asked twice, and its first answer is never shown again; the last exchange is on the second device.
fn on_two_devices() -> Chat {
    let exchange = |user: &str, assistant: &str| Exchange { user: user.to_owned(), assistant: assistant.to_owned() };
    let question = "Which colour has the door of the boat house?";
    let mut exchanges = vec![
        exchange(question, "The door of the boat house is vermilion, as far as anybody knows."),
        exchange(question, "The door of the boat house is turquoise, as far as anybody knows."),
    ];
    exchanges.extend_from_slice(&everyday_chat(CODE)[5..14]);
    exchanges.push(exchange("I write this from my telephone.", "Nice to hear from your telephone."));
    let question = format!("Tell me again: {question}");
    Chat { exchanges, question, recalled: "turquoise", outdated: Some("vermilion"), rounds: 0 }
}

/// The model wants to know the weather before it answers.
fn call(number: usize) -> Reply {
    let arguments = json!({"station": number}).to_string();
    let calls = json!([{
        "id": format!("call-{number}"), "type": "function", "function": {"name": "weather", "arguments": arguments},
    }]);
    let completion = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{
            "index": 0, "finish_reason": "tool_calls", "logprobs": null,
            "message": {"role": "assistant", "content": null, "tool_calls": calls},
        }],
    });
    Reply::bytes("application/json", completion.to_string())
}

/// A request as the client sent it and as it was forwarded.
struct Exchanged<'a> {
    sent: &'a Value,
    forwarded: &'a RecordedRequest,
}

impl Exchanged<'_> {
    fn sent(&self, member: &str) -> &str {
        self.sent[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.sent))
    }

    async fn step(&self, proxy: &StartedProxy) -> Step {
        let receipt =
            proxy.get_as(self.sent("authorization"), &format!("/mainpoint/receipts/{}", self.sent("id"))).await;
        assert_eq!(receipt.status, 200, "{}", receipt.text());
        Step {
            sent: raw_messages(self.sent("body").as_bytes()),
            forwarded: raw_messages(&self.forwarded.body),
            evicts: receipt.json()["eviction"]["is_new"] == true,
        }
    }
}

/// What was measured of one behaviour.
#[derive(Default)]
struct Measured {
    /// Whether the last question came with what it asks for.
    was_sent: bool,
    /// Whether its prompt has it.
    is_recalled: bool,
    /// That prompt, of each device.
    prompts: Vec<Value>,
    tokens_read: f64,
    /// Every message that was sent and every answer, once each.
    new: Vec<Value>,
    cache: PromptCache,
}

impl Measured {
    /// Takes messages that may have come before.
    fn take(&mut self, messages: impl IntoIterator<Item = Value>) {
        for message in messages {
            if !self.new.contains(&message) {
                self.new.push(message);
            }
        }
    }

    /// Holds the requests of all chats against what must be true of each, and of each beside the one before it.
    async fn hold(&mut self, proxy: &StartedProxy, exchanged: &[Exchanged<'_>]) {
        let mut steps: Vec<(&str, Step)> = Vec::new();
        for request in exchanged {
            prompt::assert_well_formed(&request.forwarded.json());
            assert!(!request.sent("outcome").starts_with("failed-open"), "{}", request.sent);
            let (chat, step) = (request.sent("chat"), request.step(proxy).await);
            self.take(step.sent.iter().map(|message| serde_json::from_str(message).expect("a message")));
            if let Some((_, before)) = steps.iter().rev().find(|(other, _)| *other == chat) {
                self.cache.follow(before, &step);
            }
            steps.push((chat, step));
        }
    }
}

/// Plays a chat through a proxy of its own.
async fn play(behaviour: &Behaviour) -> Measured {
    let (name, chat) = (behaviour.name, (behaviour.chat)());
    let upstream = ScriptedUpstream::start().await;
    upstream.be_strict();
    for (number, exchange) in chat.exchanges.iter().enumerate() {
        (0..chat.rounds).for_each(|_| upstream.reply_next(call(number)));
        upstream.say_next(&exchange.assistant);
    }
    let proxy = (behaviour.set_up)(StartedProxy::builder().upstream(&upstream.base_url())).start().await;
    let exchanges: Vec<[&str; 2]> =
        chat.exchanges.iter().map(|exchange| [&*exchange.user, &*exchange.assistant]).collect();
    let server = format!("http://{}", proxy.authority());
    let plan = json!({
        "client": name, "server": server, "key": PYTHON_KEY, "secret": SECRET, "exchanges": exchanges,
        "question": chat.question,
    });
    let told = told_by_python("behaviours.py", &plan).await;
    assert_eq!(upstream.objections(), Vec::<String>::new(), "{name}: the service would have refused");

    let (requests, forwarded) = (told["requests"].as_array().expect("a list"), upstream.requests());
    assert_eq!(requests.len(), forwarded.len(), "{name}: each request is forwarded once");
    let exchanged = requests.iter().zip(&forwarded).map(|(sent, forwarded)| Exchanged { sent, forwarded });
    let exchanged: Vec<Exchanged<'_>> = exchanged.collect();
    let asking = exchanged.iter().filter(|request| request.sent["asks"] == true);
    let asked = asking.clone().count();
    let answers = exchanges.iter().map(|[_, answer]| *answer).chain(vec!["All right."; asked]);
    let answers: Vec<&str> = answers.collect();
    assert!(asked > 0 && told["said"] == json!(answers), "{name}: {}", told["said"]);

    let is_outdated = |prompt: &RecordedRequest| chat.outdated.is_some_and(|outdated| prompt.contains(outdated));
    let mut measured = Measured {
        was_sent: asking.clone().any(|request| request.sent("body").contains(chat.recalled)),
        prompts: asking.clone().map(|request| request.forwarded.json()).collect(),
        is_recalled: asking
            .map(|request| request.forwarded)
            .all(|prompt| prompt.contains(chat.recalled) && !is_outdated(prompt)),
        ..Measured::default()
    };
    measured.hold(&proxy, &exchanged).await;
    measured.take(answers.iter().map(|answer| json!({"role": "assistant", "content": answer})));
    measured.tokens_read = tokens_read(&proxy).await;
    measured
}

async fn tokens_read(proxy: &StartedProxy) -> f64 {
    proxy.everything_read().await;
    proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[])
}

/// A proxy that gets everything that is new in one request.
struct AtOnce {
    proxy: StartedProxy,
    /// Answers until the proxy ends.
    _upstream: ScriptedUpstream,
}

impl AtOnce {
    async fn start() -> Self {
        let upstream = ScriptedUpstream::start().await;
        let proxy = StartedProxy::builder().upstream(&upstream.base_url()).start().await;
        Self { proxy, _upstream: upstream }
    }

    /// Tokens that are read of these messages, for a caller without a memory.
    async fn tokens_of(&self, caller: &str, messages: &[Value]) -> f64 {
        let before = tokens_read(&self.proxy).await;
        let mut conversation = Conversation::new();
        messages.iter().for_each(|message| conversation.message(message));
        let answer = self.proxy.chat_as(&format!("Bearer {caller}"), conversation.body()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        tokens_read(&self.proxy).await - before
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_client_does_what_it_left_out_is_recalled_no_turn_is_read_twice_and_the_prompt_cache_is_kept() {
    let mut table = Table::new();
    table.set_header([
        "client",
        "library",
        "was sent",
        "recalled",
        "tokens read",
        "of what is new",
        "of the whole history's",
        "requests",
        "only grew, sent",
        "forwarded",
        "evictions",
    ]);
    let at_once = AtOnce::start().await;
    let mut whole = None;
    for (number, behaviour) in BEHAVIOURS.iter().enumerate() {
        let name = behaviour.name;
        let measured = play(behaviour).await;
        let (tokens_read, cache) = (measured.tokens_read, measured.cache);
        let new = at_once.tokens_of(&format!("sk-test-behaviour-{number}"), &measured.new).await;
        let of_whole = tokens_read / *whole.get_or_insert(tokens_read);
        table.add_row([
            name.to_owned(),
            behaviour.library.to_owned(),
            measured.was_sent.to_string(),
            measured.is_recalled.to_string(),
            tokens_read.to_string(),
            format!("{:.2}", tokens_read / new),
            behaviour.of_whole.map_or_else(String::new, |_| format!("{of_whole:.2}")),
            cache.following.to_string(),
            cache.sent.to_string(),
            cache.forwarded.to_string(),
            cache.evictions.to_string(),
        ]);
        println!("{table}");
        assert_eq!(measured.was_sent, !behaviour.leaves_out, "{name}");
        assert!(measured.is_recalled, "{name}: {:#?}", measured.prompts);
        assert!(tokens_read <= new, "{name}: {tokens_read} tokens were read of {new} that are new");
        if let Some(most) = behaviour.of_whole {
            assert!((0.9..=most).contains(&of_whole), "{name}: {of_whole}");
        }
        assert!(cache.forwarded + cache.evictions >= cache.sent, "{name}: {cache:?}");
        assert_eq!(cache.evictions > 0, behaviour.outgrows, "{name}: {cache:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_message_of_a_new_chat_is_answered_from_an_earlier_one_where_the_caller_is_asked() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::builder()
        .upstream(&upstream.base_url())
        .budget(4000, 700)
        .setting("store", "flush_interval_ms = 50")
        .start()
        .await;
    let mut chat = everyday_chat(CODE);
    let question = chat.pop().expect("sixty exchanges").user;
    let mut telling = Conversation::new();
    telling.exchanges(&chat[..6]);
    telling.user("Thank you!");
    assert_eq!(proxy.chat(telling.body()).await.status, 200);
    proxy.everything_searchable().await;
    let mut asking = Conversation::new();
    asking.user(&question);
    let plain = proxy.chat(asking.body()).await;
    assert_eq!((plain.outcome(), &upstream.last_request().body[..]), ("passthrough", asking.body().as_bytes()));
    let asked = |reach: &'static str| {
        let request = proxy.request(http::Method::POST, "/v1/chat/completions").header("x-mainpoint-recall", reach);
        request.header("content-type", "application/json").body(asking.body()).send()
    };
    assert_eq!(asked("caller").await.expect("an answer").headers()["x-mainpoint"], "rewritten");
    let forwarded = upstream.last_request().json();
    assert!(prompt::memory_block(&forwarded).is_some_and(|block| block.contains(CODE)), "{forwarded}");
    assert_eq!(asked("everybody").await.expect("an answer").status(), 400);
}
