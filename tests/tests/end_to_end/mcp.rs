//! The memory as tools for models: the official client of the Model Context Protocol over HTTP and over standard input
//! and output.

use std::sync::Arc;

use http::Method;
use mainpoint_tests::binary;
use mainpoint_tests::proxy::{Home, TENANT};
use mainpoint_tests::{Answer, Conversation, ProxyBuilder, ScriptedUpstream, StartedProxy, python};
use serde_json::{Value, json};

use crate::shared::KEY_VARIABLE;

const OTHER: &str = "Bearer sk-test-tenant-b";
const ADMIN: &str = "Bearer admin-of-the-tests";
/// The variable with the admin's token, which the proxy needs and no other command.
const ADMIN_VARIABLE: &str = "MAINPOINT_TEST_ADMIN_TOKEN";
/// How client and server may agree on the protocol's version: with the handshake of earlier versions, and without one.
const MODES: [&str; 2] = ["legacy", "auto"];
const RECIPES: &str = "Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.";
const NOTED: &str = "I will remember the blue cupboard.";
const TRAIN: &str = "The last train to the lake leaves at 22:47 from platform nine.";

fn builder(upstream: &ScriptedUpstream) -> ProxyBuilder {
    StartedProxy::builder()
        .upstream(&upstream.base_url())
        .setting("store", "flush_interval_ms = 50")
        .setting("server", &format!("admin_token_env = {ADMIN_VARIABLE:?}"))
        .environment(ADMIN_VARIABLE, "admin-of-the-tests")
}

/// A client's answers are these, one by one.
struct Session(Value);

impl Session {
    fn tools(&self) -> Vec<&str> {
        self.0["tools"].as_array().expect("tools").iter().filter_map(|tool| tool["name"].as_str()).collect()
    }

    fn tool(&self, name: &str) -> &Value {
        let mut tools = self.0["tools"].as_array().expect("tools").iter();
        tools.find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("no tool {name} in {}", self.0))
    }

    /// The structured answer of a call that went well.
    fn told(&self, call: usize) -> &Value {
        let answer = &self.0["answers"][call];
        assert_eq!(answer["failed"], false, "{answer}");
        &answer["structured"]
    }

    /// What a call says that failed.
    fn refused(&self, call: usize) -> &str {
        let answer = &self.0["answers"][call];
        assert_eq!(answer["failed"], true, "{answer}");
        answer["text"].as_str().expect("text")
    }
}

async fn session(mut job: Value, mode: &str, calls: &[(&str, Value)]) -> Session {
    let calls: Vec<Value> =
        calls.iter().map(|(tool, arguments)| json!({"tool": tool, "arguments": arguments})).collect();
    job["mode"] = json!(mode);
    job["calls"] = json!(calls);
    let mut command = python::command("mcp_client.py", &[]);
    command.env(KEY_VARIABLE, TENANT.strip_prefix("Bearer ").expect("a bearer token"));
    let input = job.to_string();
    let run = tokio::task::spawn_blocking(move || binary::finish(command, input.as_bytes()));
    let finished = run.await.expect("a thread").successful();
    Session(serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said())))
}

/// A session of a client that reaches the proxy over HTTP with this key.
async fn over_http(proxy: &StartedProxy, caller: &str, mode: &str, calls: &[(&str, Value)]) -> Session {
    let url = format!("http://{}/mainpoint/mcp", proxy.authority());
    session(json!({"url": url, "headers": {"authorization": caller}}), mode, calls).await
}

/// A session of a client that starts the command, with the key of the tests' own caller.
async fn over_stdio(home: &Arc<Home>, options: &[&str], mode: &str, calls: &[(&str, Value)]) -> Session {
    let configuration = home.configuration();
    let words = ["mcp", "--config", configuration.to_str().expect("a path"), "--key-env", KEY_VARIABLE];
    let arguments = [&words[..], options].concat();
    session(json!({"command": binary::path(), "arguments": arguments}), mode, calls).await
}

/// Two conversations of the tests' own caller, whose turns searches find.
async fn told(proxy: &StartedProxy, upstream: &ScriptedUpstream) {
    for (said, answer) in [(RECIPES, NOTED), (TRAIN, "Platform nine it is.")] {
        let mut conversation = Conversation::new();
        conversation.user(said);
        upstream.say_next(answer);
        proxy.chat(conversation.body()).await;
    }
    proxy.everything_searchable().await;
}

fn question() -> Value {
    json!({"question": "Where is grandmother's recipe box?"})
}

/// Uses every tool on the memory of [`told`], by sessions that `connect` makes, until the recipe box is forgotten.
async fn use_every_tool<F: Future<Output = Session>>(connect: impl Fn(Vec<(&'static str, Value)>) -> F) {
    let first = connect(vec![("search", question()), ("list_conversations", json!({"limit": 1}))]).await;
    assert_eq!(first.0["name"], "mainpoint", "{}", first.0);
    assert!(first.0["instructions"].as_str().is_some_and(|said| said.contains("memory")), "{}", first.0);
    for name in ["search", "read_around", "list_conversations", "list_topics", "forget"] {
        assert!(first.tools().contains(&name), "{:?}", first.tools());
        let tool = first.tool(name);
        assert!(tool["description"].as_str().is_some_and(|said| said.len() > 100), "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        let changes = name == "forget";
        assert_eq!(tool["annotations"]["readOnlyHint"], json!(!changes), "{tool}");
        assert_eq!(tool["annotations"]["destructiveHint"], json!(changes), "{tool}");
        assert!(tool["inputSchema"]["properties"].get("scope").is_none(), "{tool}");
    }
    let found = first.told(0);
    let best = &found["turns"][0];
    assert_eq!((&best["text"], &best["role"], &best["position"]), (&json!(RECIPES), &json!("user"), &json!(0)));
    assert!(found["likely"].is_boolean() && found["turns_waiting"] == 0, "{found}");
    let newest = &first.told(1)["conversations"][0];
    assert_eq!((&newest["turns"], &newest["first_words"]), (&json!(2), &json!(TRAIN)), "{newest}");

    let (turn, conversation) = (best["turn"].clone(), best["conversation"].clone());
    let second = connect(vec![
        ("read_around", json!({"turn": turn, "conversation": conversation, "before": 3, "after": 3})),
        ("read_around", json!({"turn": newest["last_turn"], "before": 0})),
        ("list_conversations", json!({"after": first.told(1)["next"]})),
        ("list_topics", json!({"topics": 1})),
        ("forget", json!({"turn": turn})),
        ("search", question()),
        ("read_around", json!({"turn": turn})),
        ("forget", json!({"conversation": newest["conversation"]})),
        ("list_conversations", json!({})),
    ])
    .await;
    let read = second.told(0);
    let texts: Vec<&Value> = read["turns"].as_array().expect("turns").iter().map(|turn| &turn["text"]).collect();
    assert_eq!(texts, [RECIPES, NOTED], "{read}");
    assert_eq!((&read["earlier"], &read["later"]), (&json!(0), &json!(0)), "{read}");
    let last = second.told(1);
    assert_eq!((&last["turns"][0]["text"], &last["earlier"]), (&json!("Platform nine it is."), &json!(1)), "{last}");
    let older = second.told(2);
    assert_eq!((&older["conversations"][0]["conversation"], &older["next"]), (&conversation, &Value::Null), "{older}");
    let topics = second.told(3)["topics"].as_array().expect("topics");
    assert!(topics.len() == 1 && topics[0]["turns"] == 4 && !topics[0]["typical"][0]["turn"].is_null(), "{topics:?}");
    assert_eq!(second.told(4), &json!({"turns_deleted": 1}));
    assert!(!second.told(5).to_string().contains("31 marbles"), "{}", second.told(5));
    assert!(second.refused(6).starts_with(&format!("There is no turn {}", turn.as_str().expect("an id"))));
    assert_eq!(second.told(7), &json!({"turns_deleted": 2}));
    let left = second.told(8)["conversations"].as_array().expect("a list");
    assert!(left.len() == 1 && left[0]["first_words"] == NOTED, "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_uses_every_tool_over_http() {
    for mode in MODES {
        let upstream = ScriptedUpstream::start().await;
        let proxy = builder(&upstream).start().await;
        told(&proxy, &upstream).await;
        let proxy = &proxy;
        use_every_tool(|calls| async move { over_http(proxy, TENANT, mode, &calls).await }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_uses_every_tool_over_standard_input_and_output_through_a_running_proxy() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    told(&proxy, &upstream).await;
    let (home, url) = (&proxy.home(), &format!("http://{}", proxy.authority()));
    use_every_tool(|calls| async move { over_stdio(home, &["--url", url], "auto", &calls).await }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_uses_every_tool_over_standard_input_and_output_on_the_store_of_no_proxy() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    told(&proxy, &upstream).await;
    let home = &proxy.stop().await;
    use_every_tool(|calls| async move { over_stdio(home, &[], "legacy", &calls).await }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_sees_nothing_and_the_admin_names_whose_memory_is_meant() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    told(&proxy, &upstream).await;
    let own = over_http(&proxy, TENANT, "auto", &[("search", question())]).await;
    let turn = &own.told(0)["turns"][0]["turn"];

    let calls = [
        ("search", question()),
        ("list_conversations", json!({})),
        ("read_around", json!({"turn": turn})),
        ("forget", json!({"turn": turn})),
        ("search", json!({"question": "x", "scope": "k-a"})),
    ];
    let other = over_http(&proxy, OTHER, "auto", &calls).await;
    assert_eq!(other.told(0)["turns"], json!([]));
    assert_eq!(other.told(1)["conversations"], json!([]));
    assert!(other.refused(2).starts_with("There is no turn "), "{}", other.refused(2));
    assert_eq!(other.told(3), &json!({"turns_deleted": 0}));
    assert_eq!(other.refused(4), "scope = \"k-a\"; expected no argument but question, limit.");

    let scopes = proxy.get_as(ADMIN, "/mainpoint/v1/scopes").await.json();
    let scope = scopes["data"][0]["id"].as_str().expect("a scope");
    let mut asked = question();
    asked["scope"] = json!(scope);
    let calls = [("search", asked), ("search", question()), ("list_conversations", json!({"scope": "no such name"}))];
    let admin = over_http(&proxy, ADMIN, "auto", &calls).await;
    assert_eq!(&admin.told(0)["turns"][0]["turn"], turn);
    assert!(admin.refused(1).starts_with("scope = missing; expected"), "{}", admin.refused(1));
    assert!(admin.refused(2).starts_with("scope = \"no such name\"; expected"), "{}", admin.refused(2));
    let required = admin.tool("forget")["inputSchema"]["required"].as_array().expect("a list");
    assert!(required.contains(&json!("scope")), "{required:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_argument_that_cannot_be_used_is_named_with_its_value_and_what_is_allowed() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let zeros = "0".repeat(32);
    let wrong = [
        ("search", json!({}), "question = missing; expected text with at least one word."),
        ("search", json!({"question": " "}), "question = \" \"; expected text with at least one word."),
        ("search", json!({"question": "x", "limit": 51}), "limit = 51; expected a whole number from 1 to 50."),
        ("search", json!({"question": "x", "most": 3}), "most = 3; expected no argument but question, limit."),
        ("read_around", json!({"turn": "7"}), "turn = \"7\"; expected the id of a turn, 32 hexadecimal digits"),
        ("read_around", json!({"turn": zeros, "after": -1}), "after = -1; expected a whole number from 0 to 50."),
        ("read_around", json!({"turn": zeros}), "There is no turn 00000000000000000000000000000000 in this memory."),
        ("read_around", json!({"turn": zeros, "conversation": zeros}), "conversation = \"0000"),
        (
            "list_conversations",
            json!({"after": 3}),
            "after = 3; expected a time and the id of a conversation, as \"next\"",
        ),
        ("forget", json!({}), "turn = missing; expected the id of a turn, or a conversation in its place."),
        ("forget", json!({"turn": zeros, "conversation": zeros}), "conversation = \"0000"),
    ];
    let calls = wrong.clone().map(|(tool, arguments, _)| (tool, arguments));
    for mode in MODES {
        let answered = over_http(&proxy, TENANT, mode, &calls).await;
        for (call, (tool, arguments, said)) in wrong.iter().enumerate() {
            let refused = answered.refused(call);
            assert!(refused.starts_with(said), "{mode}: {tool} {arguments}: {refused}");
        }
    }
    let unknown = over_http(&proxy, TENANT, "auto", &[("purge", json!({}))]).await;
    let said = unknown.0["answers"][0]["protocol_error"].as_str().unwrap_or_else(|| panic!("{}", unknown.0));
    assert!(said.contains("purge") && said.contains("read_around"), "{said}");

    // What no client on the package can send.
    for (params, said) in [
        (
            json!({"name": "search", "arguments": "Where?"}),
            "arguments = \"Where?\"; expected an object with the tool's",
        ),
        (json!({"name": "search", "arguments": [1]}), "arguments = [1]; expected an object"),
        (json!({"name": 3, "arguments": {}}), "name = 3; expected one of search, read_around,"),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let answer = send(&proxy, Method::POST, &[], &body).await;
        let message = &answer.json()["error"]["message"];
        assert!(message.as_str().is_some_and(|message| message.starts_with(said)), "{params}: {}", answer.text());
    }
}

/// A request to list the tools, as clients of the present versions send it.
async fn list_tools(proxy: &StartedProxy, method: Method, more: &[(&str, &str)]) -> Answer {
    send(proxy, method, more, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await
}

async fn send(proxy: &StartedProxy, method: Method, more: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = proxy
        .client()
        .request(method, format!("http://{}/mainpoint/mcp", proxy.authority()))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    Answer::from_response(request.body(body.to_string()).send().await.expect("an answer")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_machine_needs_a_key_and_no_request_needs_one_before_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).setting("server", "max_body_bytes = 4096").start().await;
    let first = list_tools(&proxy, Method::POST, &[]).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.json()["result"]["tools"][0]["name"], "search", "without a session and without a handshake");
    let page = ("origin", "https://app.example");
    for (headers, status) in [
        (&[page][..], 403),
        (&[page, ("host", "app.example")], 403),
        (&[page, ("authorization", TENANT)], 200),
        (&[("origin", "http://localhost:3000")], 200),
    ] {
        let answer = list_tools(&proxy, Method::POST, headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}: {}", answer.text());
    }
    let renamed = list_tools(&proxy, Method::POST, &[("host", "app.example:8787")]).await;
    assert_eq!((renamed.status.as_u16(), &renamed.error()["param"]), (403, &json!("host")));
    let message = renamed.error()["message"].as_str().expect("a text").to_owned();
    assert!(message.starts_with("host = \"app.example\"; expected an IP address, localhost"), "{message}");
    let unasked = send(&proxy, Method::POST, &[], &json!({"jsonrpc": "2.0", "id": 1, "result": {}})).await;
    let (cut, null) = (proxy.post("/mainpoint/mcp", "{").await, proxy.post("/mainpoint/mcp", "null").await);
    for (answer, code) in [(unasked, -32600), (cut, -32700), (null, -32600)] {
        let (status, error) = (answer.status.as_u16(), answer.json());
        assert_eq!((status, &error["error"]["code"]), (400, &json!(code)), "{}", answer.text());
        assert_eq!(error.get("id"), None, "an answer to no request has none: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let streams = list_tools(&proxy, Method::GET, &[]).await;
    assert_eq!((streams.status.as_u16(), streams.header("allow")), (405, "POST"), "{}", streams.text());
    let with_query = proxy.post("/mainpoint/mcp?limit=3", "{}").await;
    assert_eq!((with_query.status.as_u16(), &with_query.error()["param"]), (400, &json!("limit")));
    let large = proxy.post("/mainpoint/mcp", vec![b' '; 5000]).await;
    assert_eq!((large.status.as_u16(), &large.error()["code"]), (413, &json!("body_too_large")));
    // A client whose connection is kept alive has nothing running; the proxy stops, and not because its patience ends.
    let said = proxy.last_words().await;
    assert!(!said.contains("are cut off"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_before_it_has_begun_ends_the_command() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let url = format!("http://{}", proxy.authority());
    let configuration = proxy.home().configuration();
    let mut command = binary::command();
    command.args(["mcp", "--url", &url, "--config"]).arg(configuration);
    let gone = tokio::task::spawn_blocking(move || binary::finish(command, b"")).await.expect("a thread");
    assert_eq!((gone.code, gone.stdout.as_str()), (65, ""), "{}", gone.said());
}
