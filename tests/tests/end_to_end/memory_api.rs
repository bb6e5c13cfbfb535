//! The memory over HTTP: what a caller finds of its own there, what others do not, and what is gone when it was deleted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Answer, Conversation, ProxyBuilder, ScriptedUpstream, StartedProxy, wait_until};
use serde_json::{Value, json};

pub(crate) const OTHER: &str = "Bearer sk-test-tenant-b";
pub(crate) const ADMIN: &str = "Bearer admin-of-the-tests";
pub(crate) const ADMIN_VARIABLE: &str = "MAINPOINT_TEST_ADMIN_TOKEN";
/// A word that stands nowhere by itself.
const CODE: &str = "Quixotryzzle";
/// How long clearing the disk may take on a machine that is busy with other tests.
const CLEARING: Duration = Duration::from_secs(120);

pub(crate) fn builder(upstream: &ScriptedUpstream) -> ProxyBuilder {
    StartedProxy::before(upstream)
        .budget(4000, 700)
        .setting("store", "flush_interval_ms = 50")
        .setting("server", &format!("admin_token_env = {ADMIN_VARIABLE:?}"))
        .environment(ADMIN_VARIABLE, "admin-of-the-tests")
}

/// A request to the memory's API.
pub(crate) async fn call(
    proxy: &StartedProxy,
    caller: &str,
    method: Method,
    path: &str,
    body: impl Into<String>,
) -> Answer {
    let url = format!("http://{}/mainpoint/v1{path}", proxy.authority());
    let request = proxy.client().request(method, url).header("authorization", caller).body(body.into());
    Answer::from_response(request.send().await.expect("an answer")).await
}

pub(crate) async fn get(proxy: &StartedProxy, caller: &str, path: &str) -> Value {
    let answer = call(proxy, caller, Method::GET, path, "").await;
    assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
    answer.json()
}

pub(crate) async fn delete(proxy: &StartedProxy, caller: &str, path: &str) -> u64 {
    let answer = call(proxy, caller, Method::DELETE, path, "").await;
    assert_eq!(answer.status, 200, "DELETE {path}: {}", answer.text());
    answer.json()["turns_deleted"].as_u64().expect("a count")
}

async fn search(proxy: &StartedProxy, caller: &str, question: &str) -> Value {
    let answer = call(proxy, caller, Method::POST, "/search", json!({"question": question}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn export(proxy: &StartedProxy, caller: &str) -> String {
    let answer = call(proxy, caller, Method::GET, "/export", "").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
    answer.text()
}

fn texts(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("a list").iter().filter_map(|turn| turn["text"].as_str()).collect()
}

/// Every turn of the caller's only conversation.
async fn only_conversation(proxy: &StartedProxy, caller: &str) -> Value {
    let conversations = get(proxy, caller, "/conversations").await;
    let listed = conversations["data"].as_array().expect("a list");
    assert_eq!(listed.len(), 1, "{conversations}");
    let id = listed[0]["id"].as_str().expect("an id");
    get(proxy, caller, &format!("/turns?conversation={id}&limit=1000")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_the_newer_of_two_facts_first_as_a_prompt_is_given_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let (older, newer) = ("Our ferry to Gotland leaves on 14 June.", "Our ferry to Gotland leaves on 21 June now.");
    for said in [older, newer] {
        let mut told = Conversation::new();
        told.user(said);
        proxy.chat(told.body()).await;
        proxy.everything_searchable().await;
    }
    for limit in [1, 5] {
        let asked = json!({"question": "When does our ferry to Gotland leave?", "limit": limit}).to_string();
        let found = call(&proxy, TENANT, Method::POST, "/search", asked).await.json();
        assert_eq!(found["results"][0]["text"], newer, "{found}");
        assert!(found["results"].as_array().is_some_and(|results| results.len() <= limit), "{found}");
    }
}

/// Files below a directory that hold a word, in any letters.
fn files_with(directory: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, word));
        } else if fs::read(&path).is_ok_and(|bytes| holds(&bytes, word)) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_finds_what_was_read_a_moment_ago_however_seldom_it_is_written_to_its_table() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).setting("store", "flush_interval_ms = 600000").start().await;
    let mut told = Conversation::new();
    told.user("Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.");
    proxy.chat(told.body()).await;
    proxy.everything_read().await;
    let found = search(&proxy, TENANT, "Where is grandmother's recipe box?").await;
    assert!(found["results"].to_string().contains("31 marbles"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_lists_reads_and_searches_what_it_said_and_nobody_else_does() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut told = Conversation::new();
    told.user("Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.");
    upstream.say_next("I will remember the blue cupboard.");
    proxy.chat(told.body()).await;
    proxy.everything_searchable().await;

    let document = get(&proxy, TENANT, "/openapi.json").await;
    let conversations = get(&proxy, TENANT, "/conversations").await;
    conforms(&document, "ConversationList", &conversations);
    let conversation = &conversations["data"][0];
    assert_eq!((&conversation["turns"], &conversation["branches_from"]), (&json!(2), &Value::Null));
    assert!(conversation["first_words"].as_str().is_some_and(|words| words.starts_with("Grandmother's recipe box")));

    let turns = only_conversation(&proxy, TENANT).await;
    conforms(&document, "TurnList", &turns);
    assert!(texts(&turns)[0].ends_with("31 marbles.") && texts(&turns)[1] == "I will remember the blue cupboard.");
    assert_eq!((&turns["data"][0]["role"], &turns["data"][1]["position"]), (&json!("user"), &json!(1)));
    let id = turns["data"][0]["id"].as_str().expect("an id");
    let turn = get(&proxy, TENANT, &format!("/turns/{id}")).await;
    conforms(&document, "TurnDetails", &turn);
    let around = get(&proxy, TENANT, &format!("/turns/{id}/around?before=1&after=0")).await;
    conforms(&document, "Surroundings", &around);
    assert_eq!((texts(&around).len(), &around["earlier"], &around["later"]), (1, &json!(0), &json!(1)), "{around}");
    let elsewhere =
        call(&proxy, TENANT, Method::GET, &format!("/turns/{id}/around?conversation={id}&after=7"), "").await;
    assert_eq!((elsewhere.status.as_u16(), &elsewhere.error()["param"]), (400, &json!("conversation")));
    let text = turn["text"].as_str().expect("text");
    let spans = turn["main_point"].as_array().expect("spans");
    assert!(!spans.is_empty() && turn["read"] == true, "{turn}");
    for span in spans {
        let offset = |key: &str| span[key].as_u64().and_then(|offset| usize::try_from(offset).ok()).expect("an offset");
        assert!(text.get(offset("start")..offset("end")).is_some_and(|words| !words.is_empty()), "{span} of {text}");
        assert!(span["salience"].as_f64().is_some_and(|salience| (0.0..=1.0).contains(&salience)), "{span}");
    }

    let found = search(&proxy, TENANT, "Where is grandmother's recipe box?").await;
    conforms(&document, "Findings", &found);
    assert_eq!(found["results"][0]["turn"], id, "{found}");
    assert_eq!(found["results"][0]["time"], turn["time"], "times have one form");
    assert!(turn["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{turn}");
    let stats = get(&proxy, TENANT, "/stats").await;
    conforms(&document, "Stats", &stats);
    assert_eq!(stats, json!({"turns": 2, "conversations": 1, "turns_waiting": 0}), "nothing of what others have");

    // Another key has nothing of it, not even by name.
    assert_eq!(get(&proxy, OTHER, "/conversations").await["data"], json!([]));
    assert_eq!(search(&proxy, OTHER, "Where is grandmother's recipe box?").await["results"], json!([]));
    assert_eq!(export(&proxy, OTHER).await, "");
    let foreign = call(&proxy, OTHER, Method::GET, &format!("/turns/{id}"), "").await;
    assert_eq!((foreign.status.as_u16(), &foreign.error()["code"]), (404, &json!("turn_not_found")));
    assert_eq!(delete(&proxy, OTHER, &format!("/turns/{id}")).await, 0);
    assert_eq!(delete(&proxy, OTHER, "/memory").await, 0);
    assert_eq!(only_conversation(&proxy, TENANT).await, turns);

    // The admin reaches it by the scope's name.
    let scopes = get(&proxy, ADMIN, "/scopes").await;
    conforms(&document, "ScopeList", &scopes);
    let (listed, conversation) = (&scopes["data"][0], &conversations["data"][0]);
    for key in ["turns", "first_time", "last_time"] {
        assert_eq!(listed[key], conversation[key], "{key}: {scopes}");
    }
    assert_eq!(listed["conversations"], 1, "{scopes}");
    let scope = listed["id"].as_str().expect("a scope");
    let stats = get(&proxy, ADMIN, &format!("/stats?scope={scope}")).await;
    conforms(&document, "Stats", &stats);
    assert!(stats["bytes_on_disk"].as_u64().is_some_and(|bytes| bytes > 0), "{stats}");
    assert_eq!(get(&proxy, ADMIN, &format!("/conversations?scope={scope}")).await, conversations);
    let unnamed = call(&proxy, ADMIN, Method::GET, "/conversations", "").await;
    assert_eq!((unnamed.status.as_u16(), &unnamed.error()["param"]), (400, &json!("scope")));
    for path in [format!("/conversations?scope={scope}"), "/scopes".to_owned()] {
        let refused = call(&proxy, TENANT, Method::GET, &path, "").await;
        assert_eq!((refused.status.as_u16(), &refused.error()["code"]), (403, &json!("forbidden")), "{path}");
    }
    assert_eq!(delete(&proxy, ADMIN, &format!("/memory?scope={scope}")).await, 2);
    assert_eq!(get(&proxy, TENANT, "/stats").await["turns"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_the_query_opens_the_memory_of_chats_with_that_key() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut told = Conversation::new();
    told.user("Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.");
    let chat = format!("{}/chat/completions?api-key=sk-a", proxy.base_url());
    let answer = proxy.client().post(chat).body(told.body()).send().await.expect("an answer");
    // To its end: what is said is kept before that.
    assert_eq!(Answer::from_response(answer).await.status, 200);
    proxy.everything_searchable().await;
    for (query, turns) in [("?api-key=sk-a", 2), ("?api-key=sk-b", 0), ("?key=sk-a", 0), ("", 0)] {
        let url = format!("http://{}/mainpoint/v1/stats{query}", proxy.authority());
        let answer = Answer::from_response(proxy.client().get(url).send().await.expect("an answer")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert_eq!(answer.json()["turns"], turns, "{query}");
    }
    for (query, param) in
        [("api-key=sk-a&limit=0", "limit"), ("pageToken=p", "pageToken"), ("page_token=p", "page_token")]
    {
        let wrong = call(&proxy, TENANT, Method::GET, &format!("/conversations?{query}"), "").await;
        assert_eq!((wrong.status.as_u16(), &wrong.error()["param"]), (400, &json!(param)), "no other memory is opened");
    }
    // The tools are asked with the same key.
    let tool = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_conversations"}});
    let url = format!("http://{}/mainpoint/mcp?api-key=sk-a", proxy.authority());
    let request = proxy.client().post(url).header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream").body(tool.to_string());
    let answer = Answer::from_response(request.send().await.expect("an answer")).await;
    let listed = &answer.json()["result"]["structuredContent"]["conversations"];
    assert_eq!(listed[0]["turns"], 2, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_turn_is_nowhere_any_more_and_is_taken_in_anew_when_it_is_said_again() {
    const TODAY: &str = "Thanks for all of that. What shall we cook today?";
    const DINNER: &str = "Pasta with tomatoes and basil, which is done in twenty minutes.";
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).setting("store", "maintenance_interval_seconds = 1").start().await;
    let mut chat = everyday_chat(CODE);
    let question = chat.pop().expect("sixty exchanges").user;
    let mut whole = Conversation::new();
    whole.exchanges(&chat[..20]);
    whole.user(TODAY);
    upstream.say_next(DINNER);
    proxy.chat(whole.body()).await;
    proxy.everything_searchable().await;
    // The client sends the end of its conversation only.
    let mut window = Conversation::new();
    window.exchanges(&chat[15..20]);
    window.user(TODAY);
    window.assistant(DINNER);
    window.user(&question);
    for _ in 0..2 {
        proxy.chat(window.body()).await;
        assert!(upstream.last_request().contains(CODE), "it is recalled, and put there again");
    }
    proxy.everything_searchable().await;
    assert!(!files_with(&proxy.home().data(), CODE).is_empty(), "the disk must show it before");

    let line = get(&proxy, TENANT, "/conversations").await;
    let first = line["data"].as_array().expect("a list").last().expect("a conversation")["id"].clone();
    let path = format!("/turns?conversation={}&limit=1000", first.as_str().expect("an id"));
    let turns = get(&proxy, TENANT, &path).await;
    let telling: Vec<&Value> = turns["data"].as_array().expect("a list").iter().filter(|turn| says_it(turn)).collect();
    assert!(!telling.is_empty(), "{turns}");
    for turn in &telling {
        let path = format!("/turns/{}", turn["id"].as_str().expect("an id"));
        assert_eq!(delete(&proxy, TENANT, &path).await, 1);
        assert_eq!(delete(&proxy, TENANT, &path).await, 0, "once is enough");
        assert_eq!(call(&proxy, TENANT, Method::GET, &path, "").await.status, 404);
    }
    assert!(!export(&proxy, TENANT).await.contains(CODE));
    assert!(!search(&proxy, TENANT, &question).await.to_string().contains(CODE));
    proxy.chat(window.body()).await;
    assert!(!upstream.last_request().contains(CODE), "what quoted it is not put back");
    let left = get(&proxy, TENANT, &path).await;
    assert_eq!(texts(&left).len(), texts(&turns).len() - telling.len(), "the others stay");
    wait_until("no byte of it is on disk", CLEARING, || async { files_with(&proxy.home().data(), CODE).is_empty() })
        .await;

    // Said again, it is new.
    proxy.chat(whole.body()).await;
    proxy.everything_searchable().await;
    assert!(export(&proxy, TENANT).await.contains(CODE));
    let before = "2100-01-01T00:00:00Z";
    assert!(delete(&proxy, TENANT, &format!("/memory?before={before}")).await > 30);
    assert_eq!(get(&proxy, TENANT, "/stats").await["turns"], 0);
    wait_until("nothing of it is on disk", CLEARING, || async { files_with(&proxy.home().data(), CODE).is_empty() })
        .await;
}

fn says_it(turn: &Value) -> bool {
    turn["text"].as_str().is_some_and(|text| text.contains(CODE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_memory_can_be_imported_elsewhere_and_is_the_same_there() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut told = Conversation::new();
    told.user("We meet at the harbour on 14 March.");
    upstream.say_next("At the harbour, then.");
    proxy.chat(told.body()).await;
    // An answer that is made anew begins a branch, and "Yes." is said in both.
    for answer in ["At the harbour, then.", "On 14 March, at the harbour."] {
        let mut goes_on = told.clone();
        goes_on.assistant(answer);
        goes_on.user("Yes.");
        upstream.say_next(&format!("Good. ({answer})"));
        proxy.chat(goes_on.body()).await;
        proxy.everything_read().await;
    }
    let exported = export(&proxy, TENANT).await;
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines.len(), 7, "the branch has three turns of its own: {exported}");
    let document = get(&proxy, TENANT, "/openapi.json").await;
    lines.iter().for_each(|line| conforms(&document, "Line", line));
    assert_eq!(lines.iter().filter(|line| !line["branches_from"].is_null()).count(), 1, "{exported}");

    for (taken, known) in [(6, 0), (0, 6)] {
        let answer = call(&proxy, OTHER, Method::POST, "/import", exported.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        conforms(&document, "Imported", &answer.json());
        assert_eq!(answer.json(), json!({"lines": 7, "turns_taken": taken, "turns_known": known}));
        assert_eq!(export(&proxy, OTHER).await, exported, "as it was");
        proxy.everything_searchable().await;
    }
    let found = search(&proxy, OTHER, "When do we meet at the harbour?").await;
    assert!(found["results"].to_string().contains("14 March"), "{found}");

    let conversations = get(&proxy, OTHER, "/conversations?limit=1").await;
    assert_eq!(conversations["has_more"], true, "{conversations}");
    let next = conversations["next"].as_str().expect("what comes next");
    let rest = get(&proxy, OTHER, &format!("/conversations?limit=1&after={next}")).await;
    assert_eq!((&rest["has_more"], &rest["next"]), (&json!(false), &Value::Null));
    assert_eq!(conversations["data"][0]["branches_from"]["conversation"], rest["data"][0]["id"]);
    let branch = conversations["data"][0]["id"].as_str().expect("an id");
    let page = |after: String| format!("/turns?conversation={branch}&limit=3{after}");
    let first = get(&proxy, OTHER, &page(String::new())).await;
    let after = format!("&after={}", first["next"].as_str().expect("what comes next"));
    let second = get(&proxy, OTHER, &page(after)).await;
    let line: Vec<&str> = texts(&first).into_iter().chain(texts(&second)).collect();
    let expected = [
        "We meet at the harbour on 14 March.",
        "On 14 March, at the harbour.",
        "Yes.",
        "Good. (On 14 March, at the harbour.)",
    ];
    assert_eq!(line, expected, "the branch reads on from what it shares");

    // The conversation takes its branch along, and the other caller's stays.
    let root = rest["data"][0]["id"].as_str().expect("an id");
    assert_eq!(delete(&proxy, OTHER, &format!("/conversations/{root}")).await, 6);
    assert_eq!(export(&proxy, OTHER).await, "");
    assert_eq!(export(&proxy, TENANT).await, exported);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_by_parameter_value_and_what_is_allowed() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let id = "0".repeat(32);
    let cases = [
        (
            Method::GET,
            "/conversations?limit=0".to_owned(),
            "",
            "limit",
            "limit = \"0\"; expected a whole number from 1",
        ),
        (Method::GET, "/conversations?limt=3".to_owned(), "", "limt", "expected no parameter but limit, after, scope"),
        (
            Method::GET,
            format!("/conversations?after={id}"),
            "",
            "after",
            "expected a time and the id of a conversation",
        ),
        (Method::GET, "/turns".to_owned(), "", "conversation", "conversation = missing"),
        (Method::GET, "/turns?conversation=x".to_owned(), "", "conversation", "32 hexadecimal digits"),
        (Method::GET, format!("/turns?conversation={id}&after=x"), "", "after", "after = \"x\"; expected a position"),
        (Method::GET, "/turns/x".to_owned(), "", "turn", "turn = \"x\"; expected the id of a turn"),
        (Method::DELETE, "/memory?before=yesterday".to_owned(), "", "before", "expected a time in RFC 3339"),
        (
            Method::DELETE,
            "/memory?before=9999-12-31T23:59:59-23:59".to_owned(),
            "",
            "before",
            "in the years 0001 to 9999 of UTC",
        ),
        (Method::POST, "/search".to_owned(), "{}", "question", "question = missing"),
        (
            Method::POST,
            "/import".to_owned(),
            "\n{\"conversation\":\"c\",\"role\":\"king\",\"text\":\"hi\"}",
            "role",
            "line 2: role = \"king\"; expected \"user\"",
        ),
    ];
    for (method, path, body, param, said) in cases {
        let refused = call(&proxy, TENANT, method, &path, body).await;
        assert_eq!(refused.status, 400, "{path}: {}", refused.text());
        let error = refused.error();
        assert_eq!((&error["param"], &error["type"]), (&json!(param), &json!("invalid_request_error")), "{path}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(said)), "{path}: {error}");
    }
    let missing = call(&proxy, TENANT, Method::GET, &format!("/turns?conversation={id}"), "").await;
    assert_eq!((missing.status.as_u16(), &missing.error()["code"]), (404, &json!("conversation_not_found")));
    let unknown = call(&proxy, TENANT, Method::GET, "/nothing", "").await;
    assert_eq!((unknown.status.as_u16(), &unknown.error()["code"]), (404, &json!("unknown_url")));
    let method = call(&proxy, TENANT, Method::PUT, "/turns/x", "").await;
    assert_eq!((method.status.as_u16(), method.header("allow")), (405, "GET, DELETE"));
    let page = proxy.client().delete(format!("http://{}/mainpoint/v1/memory", proxy.authority()));
    let page = page.header("origin", "https://elsewhere.example").send().await.expect("an answer");
    assert_eq!(page.status(), 403, "a page that somebody visits deletes nothing");
    assert!(upstream.requests().is_empty(), "nothing of it is forwarded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_older_than_they_may_be_are_deleted_by_themselves() {
    let upstream = ScriptedUpstream::start().await;
    let builder = builder(&upstream).setting("store", "maintenance_interval_seconds = 1");
    let proxy = builder.setting("store", "retain_days = 30").start().await;
    let line =
        |text: &str, time: &str| json!({"conversation": "c", "role": "user", "text": text, "time": time}).to_string();
    let old = line(&format!("The password is {CODE}."), "2001-01-01T00:00:00Z");
    let young = line("The sea is blue.", "2100-01-01T00:00:00Z");
    let imported = call(&proxy, TENANT, Method::POST, "/import", format!("{old}\n{young}\n")).await;
    assert_eq!(imported.json()["turns_taken"], 2, "{}", imported.text());
    wait_until("what is too old is gone", CLEARING, || async {
        let left = export(&proxy, TENANT).await;
        assert!(left.contains("The sea is blue."), "{left}");
        !left.contains(CODE) && files_with(&proxy.home().data(), CODE).is_empty()
    })
    .await;
    proxy.everything_read().await;
    let again = call(&proxy, TENANT, Method::POST, "/import", old).await;
    assert_eq!(again.json()["turns_taken"], 1, "{}", again.text());
}

/// Whether a value is as the document's schema of this name says, with no other keys.
pub(crate) fn conforms(document: &Value, schema: &str, value: &Value) {
    if let Err(reason) = compare(document, &document["components"]["schemas"][schema], value) {
        panic!("{value} is no {schema}: {reason}");
    }
}

fn compare(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let known = document.pointer(reference.trim_start_matches('#'));
        return compare(document, known.ok_or_else(|| format!("{reference} is not there"))?, value);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| compare(document, choice, value).is_ok());
        return fits.then_some(()).ok_or_else(|| format!("{value} is none of {choices:?}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allows = |allowed: &Value| allowed == kind || (allowed == "number" && kind == "integer");
    let is_allowed = match &schema["type"] {
        Value::Null => true,
        Value::Array(allowed) => allowed.iter().any(allows),
        allowed => allows(allowed),
    };
    if !is_allowed {
        return Err(format!("{value} should be {}", schema["type"]));
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let known = &schema["properties"][name];
        if known.is_null() {
            return Err(format!("{name} is not described"));
        }
        compare(document, known, inner).map_err(|reason| format!("{name}: {reason}"))?;
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("{name} is missing"));
        }
    }
    let mut items = value.as_array().into_iter().flatten();
    items.try_for_each(|item| compare(document, &schema["items"], item))
}
