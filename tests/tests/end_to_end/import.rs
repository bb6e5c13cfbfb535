//! `mainpoint import`: a recorded history becomes memory, once.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::models::LIGHT;
use mainpoint_tests::proxy::{Home, TENANT};
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, binary, models, prompt};
use serde_json::{Value, json};

use crate::memory_api::{delete, get};
use crate::shared::{KEY_VARIABLE, import, import_with, imported, receipt};

const CODE: &str = "7391-K";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_history_is_read_once_found_and_known_to_the_requests_that_go_on_with_it() {
    models::require();
    let home = configured();
    let (history, short) = (home.path().join("history.jsonl"), home.path().join("short.jsonl"));
    let mut told = Conversation::new();
    let mut chat = everyday_chat(CODE);
    let last = chat.pop().expect("sixty exchanges");
    told.exchanges(&chat);
    let ann = json!({"user": "ann", "conversation": "garden", "messages": [
        {"role": "user", "content": "The gardener comes on Thursdays at 7:15."},
        {"role": "assistant", "content": "Noted: Thursdays, 7:15.", "created_at": "2026-05-09T08:00:00+02:00"}]});
    write(&short, std::slice::from_ref(&ann));
    write(&history, &[as_line(&told), ann]);

    // A part of it first, as if the rest had been cut off.
    let first = imported(&home, &short);
    assert_eq!((&first["turns"], &first["turns_known"]), (&json!(2), &json!(0)));
    let rest = imported(&home, &history);
    assert_eq!((&rest["conversations"], &rest["turns_known"]), (&json!(2), &json!(2)));
    assert_eq!(rest["turns"], 118, "fifty-nine exchanges: {rest}");
    for figure in ["tokens", "tokens_per_second", "bytes_per_turn"] {
        assert!(rest[figure].as_f64().is_some_and(|value| value > 0.0), "{figure}: {rest}");
    }
    let again = imported(&home, &history);
    assert_eq!(
        (&again["turns"], &again["turns_known"], &again["tokens"]),
        (&json!(0), &json!(120), &json!(0)),
        "nothing is read twice"
    );
    assert_eq!(again["turns_stored"], 120, "nothing is stored twice: {again}");
    let tokens = |run: &Value, key: &str| run[key].as_u64().expect("tokens");
    assert_eq!(
        tokens(&again, "tokens_known"),
        tokens(&first, "tokens") + tokens(&rest, "tokens"),
        "what is known was read in one run or the other"
    );
    let shown = import(&home, &history, &[]).successful().stdout;
    for word in ["conversations", "already in memory", "bytes a turn", "peak memory"] {
        assert!(shown.contains(word), "{word} is missing: {shown}");
    }

    let scopes: Vec<&str> = again["scopes"].as_array().expect("scopes").iter().filter_map(Value::as_str).collect();
    let (users, whole): (Vec<&str>, Vec<&str>) = scopes.iter().copied().partition(|scope| scope.contains(".u-"));
    assert_eq!((users.len(), whole.len()), (1, 1), "{scopes:?}");
    let found = search(&home, whole[0], "padlock code of the climbing gym locker");
    assert!(found.contains(CODE) && !found.contains("gardener"), "{found}");
    let found = search(&home, users[0], "When does the gardener come?");
    assert!(found.contains("7:15") && found.contains("2026-05-09T06:00:00"), "{found}");

    // The first request that goes on with it finds its turns read, and recalls what has to leave.
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::builder().home(&home).upstream(&upstream.base_url()).budget(2000, 700).start().await;
    let in_use = import(&home, &history, &[]);
    assert_eq!(in_use.code, 69, "{}", in_use.said());
    told.user(&last.user);
    let answer = proxy.chat(told.body()).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    let block = prompt::memory_block(&upstream.last_request().json()).expect("a memory block");
    assert!(block.contains(CODE), "{block}");
    told.assistant("One moment.");
    told.user("I need the code of the padlock on my locker at the climbing gym. What is it?");
    let answer = proxy.chat(told.body()).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(answer.count("x-mainpoint-memories") > 0, "{:?}", answer.headers);
    let receipt = receipt(&proxy, &answer).await;
    for step in [
        "prepare",
        "ledger",
        "eviction",
        "snapshot",
        "question",
        "search",
        "candidates",
        "comparing",
        "ranking",
        "texts",
        "pack",
        "rewrite",
        "record",
    ] {
        let time = &receipt["milliseconds"]["steps"][step];
        assert!(time.as_f64().is_some_and(|time| time >= 0.0), "{step}: {receipt}");
    }
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_conversations_are_listed_by_when_they_began_whatever_their_order_in_the_file() {
    models::require();
    let home = configured();
    let file = home.path().join("history.jsonl");
    let begun = ["2026-05-09", "2026-03-01", "2026-08-07", "2026-07-01", "2026-01-12"];
    let line = |day: &&str| {
        let messages = json!([{"role": "user", "content": format!("A letter from {day}")}]);
        json!({"conversation": day, "created_at": format!("{day}T08:00:00Z"), "messages": messages})
    };
    write(&file, &begun.iter().map(line).collect::<Vec<_>>());
    assert_eq!(imported(&home, &file)["conversations"], 5);
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::builder().home(&home).upstream(&upstream.base_url()).start().await;

    let mut newest_first = begun;
    newest_first.sort_unstable();
    newest_first.reverse();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&proxy, TENANT, &format!("/conversations?limit=2{after}")).await;
        for conversation in page["data"].as_array().expect("a list") {
            seen.push(conversation["first_words"].as_str().expect("words").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
        // The conversation that the page ended with goes, and a newer one comes.
        let last = page["data"][1]["id"].as_str().expect("an id");
        assert_eq!(delete(&proxy, TENANT, &format!("/conversations/{last}")).await, 1);
        let mut new = Conversation::new();
        new.user(&format!("Something new, number {}", seen.len()));
        proxy.chat(new.body()).await;
        proxy.everything_read().await;
    }
    assert_eq!(seen, newest_first.map(|day| format!("A letter from {day}")));
    proxy.stop().await;
}

#[test]
fn a_history_on_standard_input_is_imported_as_one_in_a_file_and_so_is_an_export() {
    models::require();
    let home = configured();
    let line = json!({"messages": [
        {"role": "user", "content": "The gardener comes on Thursdays at 7:15."},
        {"role": "assistant", "content": "Noted: Thursdays, 7:15."}]});
    let dash = Path::new("-");
    let told = |run: binary::Finished| -> Value { serde_json::from_str(&run.successful().stdout).expect("JSON") };
    let first = told(import_with(&home, dash, &["--json"], format!("{line}\n").as_bytes()));
    assert_eq!((&first["turns"], &first["turns_known"]), (&json!(2), &json!(0)));
    let file = home.path().join("history.jsonl");
    write(&file, std::slice::from_ref(&line));
    let again = imported(&home, &file);
    assert_eq!((&again["turns"], &again["turns_known"]), (&json!(0), &json!(2)), "they are the same turns");
    let scope = first["scopes"][0].as_str().expect("a scope");
    let mut command = binary::command();
    command.args(["export", "--scope", scope, "--config"]).arg(home.configuration());
    let exported = binary::finish(command, &[]).successful().stdout;
    let taken = told(import_with(&configured(), dash, &["--json"], exported.as_bytes()));
    assert_eq!(taken["turns"], 2, "{taken}");
    let refused = import_with(&home, dash, &[], b"{\"messages\": 3}\n");
    assert!(refused.code == 65 && refused.stderr.contains("standard input"), "{}", refused.said());
}

#[test]
fn a_line_that_cannot_be_used_is_named_before_anything_is_made() {
    let home = configured();
    let file = home.path().join("history.jsonl");
    let good = r#"{"messages":[{"role":"user","content":"hello"}]}"#;
    for (bad, reason) in [
        ("{\"messages\":", "line 3: not JSON"),
        (r#"{"message":[]}"#, "line 3: messages is missing"),
        (
            r#"{"messages":[{"role":"user","content":"x"}],"created_at":"May 8"}"#,
            "line 3: created_at = \"May 8\"; expected a time in RFC 3339",
        ),
        (r#"{"messages":[{"role":"user","content":"x"}],"user":7}"#, "line 3: user = 7; expected text"),
    ] {
        fs::write(&file, format!("{good}\n\n{bad}\n{good}\n")).expect("a file");
        let refused = import(&home, &file, &[]);
        assert_eq!(refused.code, 65, "{}", refused.said());
        assert!(
            refused.stderr.contains(reason) && refused.stderr.contains("history.jsonl"),
            "{bad}: {}",
            refused.stderr
        );
        assert_eq!(refused.stderr.trim().lines().count(), 1, "{}", refused.stderr);
    }
    fs::write(&file, "\n").expect("a file");
    assert_eq!(import(&home, &file, &[]).code, 65);
    assert_eq!(import(&home, &home.path().join("none.jsonl"), &[]).code, 66);

    fs::write(&file, good).expect("a file");
    let unset = binary::run(&[
        "import",
        &file.display().to_string(),
        "--config",
        &home.configuration().display().to_string(),
        "--key-env",
        "MAINPOINT_TEST_NEVER_SET",
    ]);
    assert_eq!(unset.code, 64, "{}", unset.said());
    assert!(unset.stderr.contains("--key-env MAINPOINT_TEST_NEVER_SET"), "{}", unset.stderr);
    assert!(!home.data().exists(), "nothing was made");
}

#[test]
fn messages_that_the_proxy_passes_over_are_passed_over_and_named_by_line() {
    models::require();
    let home = configured();
    let file = home.path().join("history.jsonl");
    let good = r#"{"role":"user","content":"The heron stands in the pond."}"#;
    let lines = [
        format!(r#"{{"messages":[{good}]}}"#),
        format!(
            r#"{{"conversation":"pond","messages":[{{"role":"critic","content":"No."}},{good},{{"role":"user","content":"\ud83d"}}]}}"#
        ),
    ];
    fs::write(&file, lines.join("\n")).expect("a file");
    let done = import(&home, &file, &["--json"]).successful();
    let notes: Vec<&str> = done.stderr.lines().filter(|line| line.contains("passed over")).collect();
    assert_eq!(notes.len(), 1, "{}", done.stderr);
    for named in [
        "history.jsonl: line 2: ",
        "messages[0] (unknown-role)",
        "messages[2] (lone-surrogate)",
        "(conversation \"pond\")",
    ] {
        assert!(notes[0].contains(named), "{}", notes[0]);
    }
    let told: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(
        (&told["turns"], &told["turns_known"]),
        (&json!(1), &json!(1)),
        "what is said twice is read once: {told}"
    );
    assert_eq!(told["messages_passed_over"], 2, "{told}");
}

#[test]
fn a_history_of_instructions_alone_is_said_to_hold_nothing_to_remember() {
    models::require();
    let home = configured();
    let file = home.path().join("history.jsonl");
    fs::write(&file, r#"{"messages":[{"role":"system","content":"Be brief."}]}"#).expect("a file");
    let done = import(&home, &file, &[]).successful();
    assert!(done.stderr.contains("history.jsonl: there was nothing to remember"), "{}", done.stderr);
    fs::write(&file, r#"{"messages":[{"role":"user","content":"hello"}]}"#).expect("a file");
    for _ in 0..2 {
        let done = import(&home, &file, &[]).successful();
        assert!(!done.stderr.contains("nothing to remember"), "{}", done.stderr);
    }
}

#[test]
fn a_line_without_text_is_skipped_said_and_no_conversation() {
    models::require();
    let home = configured();
    let file = home.path().join("history.jsonl");
    let good = r#"{"messages":[{"role":"user","content":"The heron stands in the pond."},{"role":"assistant"}]}"#;
    fs::write(&file, format!("{good}\n{}\n", r#"{"messages":[{"role":"user"}]}"#)).expect("a file");
    let done = import(&home, &file, &["--json"]).successful();
    for said in ["line 1: passed over, without \"content\": messages[1]", "line 2: skipped: no message has text"] {
        assert!(done.stderr.contains(&format!("history.jsonl: {said}")), "{}", done.stderr);
    }
    let told: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((&told["conversations"], &told["turns"]), (&json!(1), &json!(1)), "{told}");
}

#[test]
fn a_history_of_which_nothing_can_be_used_is_refused_with_few_words_and_makes_nothing() {
    let home = configured();
    let file = home.path().join("history.jsonl");
    let line = r#"{"messages":[{"role":"critic","content":"No."}]}"#;
    fs::write(&file, format!("{line}\n").repeat(500)).expect("a file");
    let refused = import(&home, &file, &[]);
    assert_eq!(refused.code, 65, "{}", refused.said());
    let said: Vec<&str> = refused.stderr.lines().collect();
    assert_eq!(said.len(), 22, "twenty lines, a count and the error: {}", refused.stderr);
    assert!(said[20].ends_with(": 480") && said[21].contains("every message is passed over"), "{}", refused.stderr);
    assert!(!home.data().exists(), "nothing was made");
}

#[test]
fn every_credential_of_the_command_line_counts_and_other_headers_are_refused() {
    let home = configured();
    home.configure(&format!("[store]\ndirectory = {:?}\n[memory]\ncredential_headers = [\"x-team\"]\n", home.data()));
    let file = home.path().join("history.jsonl");
    fs::write(&file, r#"{"messages":[{"role":"user","content":"hello"}]}"#).expect("a file");
    let key = format!("={KEY_VARIABLE}");
    for (option, value) in [
        ("--header-env", format!("accept{key}")),
        ("--header-env", "x-team".to_owned()),
        ("--header-env", "x-team=MAINPOINT_TEST_NEVER_SET".to_owned()),
        ("--key-header", "accept".to_owned()),
    ] {
        let refused = import(&home, &file, &[option, &value]);
        assert_eq!(refused.code, 64, "{}", refused.said());
        assert!(refused.stderr.contains(&format!("{option} {value}")), "{}", refused.stderr);
    }
    assert!(!home.data().exists(), "nothing was made");

    models::require();
    let scope = |more: &[&str]| {
        let finished = import(&home, &file, &[&["--json"], more].concat()).successful();
        let told: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        told["scopes"].to_string()
    };
    let (team, project) = (format!("x-team{key}"), format!("openai-project{key}"));
    let scopes = [
        scope(&[]),
        scope(&["--key-header", "api-key"]),
        scope(&["--header-env", &team]),
        scope(&["--header-env", &team, "--header-env", &project]),
    ];
    for (index, one) in scopes.iter().enumerate() {
        assert!(!scopes[..index].contains(one), "{scopes:?}");
    }
    assert_eq!(scopes[3], scope(&["--header-env", &project, "--header-env", &team]), "their order does not count");
}

fn configured() -> Arc<Home> {
    let home = Home::new();
    home.configure(&format!("{LIGHT}[store]\ndirectory = {:?}\n", home.data()));
    home
}

fn as_line(conversation: &Conversation) -> Value {
    serde_json::from_str(&conversation.body()).expect("JSON")
}

fn write(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).expect("a file");
}

fn search(home: &Home, scope: &str, question: &str) -> String {
    let configuration = home.configuration().display().to_string();
    let arguments = ["search", question, "--config", &configuration, "--json", "--limit", "5"];
    binary::run(&[&arguments[..], &["--scope", scope]].concat()).successful().stdout
}
