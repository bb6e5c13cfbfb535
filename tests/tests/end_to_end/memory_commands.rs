//! `mainpoint list`, `topics`, `export`, `forget`, `stats`, `search` and `import`: through a running proxy, and from the store when none runs.

use std::fs;
use std::sync::Arc;

use mainpoint_tests::binary::{self, Finished};
use mainpoint_tests::models::LIGHT;
use mainpoint_tests::proxy::{Home, TENANT};
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy};
use serde_json::{Value, json};

use crate::memory_api::{self, ADMIN, ADMIN_VARIABLE};
use crate::shared::KEY_VARIABLE;

/// Runs a command with the key of the tests' own caller in its environment.
pub(crate) async fn run(home: &Arc<Home>, words: &[&str]) -> Finished {
    let token = |line: &'static str| line.strip_prefix("Bearer ").expect("a bearer token");
    let mut command = binary::command();
    command.args(words).arg("--config").arg(home.configuration());
    command.env(KEY_VARIABLE, token(TENANT)).env(ADMIN_VARIABLE, token(ADMIN));
    tokio::task::spawn_blocking(move || binary::finish(command, &[])).await.expect("a thread")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_is_listed_exported_counted_and_forgotten_through_a_proxy_and_without_one() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("server", "listen = \"127.0.0.1:9191\"").start().await;
    let mut told = Conversation::new();
    for said in ["The heron stands in the pond.", "The key lies under the mat.", "The train leaves at 7:15."] {
        told.user(said);
        upstream.say_next(&format!("Noted: {said}"));
        let reply = proxy.chat(told.body()).await.reply();
        told.assistant(&reply);
    }
    proxy.everything_read().await;
    let (home, url) = (proxy.home(), format!("http://{}", proxy.authority()));
    let remote = ["--url", url.as_str(), "--key-env", KEY_VARIABLE];
    let with = |words: &[&'static str]| [words, &remote].concat();

    let listed = run(&home, &with(&["list", "--json"])).await.successful();
    let page: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(page["data"][0]["turns"], 6, "{page}");
    let conversation = page["data"][0]["id"].as_str().expect("an id").to_owned();
    let shown = run(&home, &with(&["list"])).await.successful().stdout;
    assert!(shown.contains(&conversation) && shown.contains("The heron stands in the pond."), "{shown}");
    let words = [&with(&["list", "--json"])[..], &["--conversation", &conversation]].concat();
    let turns: Value = serde_json::from_str(&run(&home, &words).await.successful().stdout).expect("JSON");
    assert_eq!(turns["data"][2]["text"], "The key lies under the mat.", "{turns}");
    let turn = turns["data"][2]["id"].as_str().expect("an id");
    let exported = run(&home, &with(&["export"])).await.successful().stdout;
    assert_eq!(exported.lines().count(), 6, "{exported}");
    let words = [&with(&["forget"])[..], &["--turn", turn]].concat();
    let forgotten = run(&home, &words).await.successful().stdout;
    assert!(forgotten.starts_with("turns deleted: 1 "), "{forgotten}");
    let stats = run(&home, &with(&["stats"])).await.successful().stdout;
    assert!(stats.contains("turns: 5\n") && !stats.contains("bytes on disk"), "{stats}");

    // The store itself is the proxy's as long as that runs.
    let in_use = run(&home, &["stats"]).await;
    assert_eq!(in_use.code, 69, "{}", in_use.said());
    assert!(in_use.stderr.contains("--url http://127.0.0.1:9191, or stop it"), "{}", in_use.stderr);
    let wrong = run(&home, &["stats", "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(wrong.code, 69, "{}", wrong.said());
    let foreign = run(&home, &["forget", "--everything", "--url", &url, "--scope", "k-a"]).await;
    assert_eq!(foreign.code, 64, "{}", foreign.said());
    assert!(foreign.stderr.contains("--admin-token-env"), "{}", foreign.stderr);

    proxy.stop().await;
    let stats = run(&home, &["stats", "--json"]).await.successful();
    let stats: Value = serde_json::from_str(&stats.stdout).expect("JSON");
    assert_eq!((&stats["turns"], &stats["conversations"]), (&json!(5), &json!(1)), "{stats}");
    assert!(stats["bytes_on_disk"].as_u64().is_some_and(|bytes| bytes > 0), "{stats}");
    let kept = run(&home, &["export", "--key-env", KEY_VARIABLE]).await.successful().stdout;
    assert!(kept.lines().count() == 5 && !kept.contains("\"The key lies under the mat.\""), "{kept}");
    let forgotten = run(&home, &["forget", "--conversation", &conversation]).await.successful().stdout;
    assert!(forgotten.starts_with("turns deleted: 5 (off the disk)"), "{forgotten}");
    let rest = run(&home, &["export", "--key-env", KEY_VARIABLE]).await.successful().stdout;
    assert_eq!(rest, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_is_imported_into_a_running_proxy_and_found_there_by_who_brought_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("store", "flush_interval_ms = 50").start().await;
    let (home, url) = (proxy.home(), format!("http://{}", proxy.authority()));
    let told = "Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.";
    let of_ann = json!({"user": "ann", "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": told}, {"role": "assistant", "content": "Noted."},
    ]});
    let of_nobody = json!({"messages": [{"role": "user", "content": "The train leaves at 7:15."}]});
    let history = home.path().join("history.jsonl");
    let of_no_words = json!({"messages": [{"role": "user"}]});
    fs::write(&history, format!("{of_ann}\n{of_nobody}\n{of_no_words}\n")).expect("a file");
    let file = history.display().to_string();
    let remote = ["--url", url.as_str(), "--api-key-env", KEY_VARIABLE];
    for (taken, known) in [(3, 0), (0, 3)] {
        let imported = run(&home, &[&["import", &file, "--json"][..], &remote].concat()).await.successful();
        assert!(imported.stderr.contains("history.jsonl: line 3: skipped: no message has text"), "{}", imported.stderr);
        let imported: Value = serde_json::from_str(&imported.stdout).expect("JSON");
        assert_eq!(imported, json!({"conversations": 2, "turns_taken": taken, "turns_known": known}));
        proxy.everything_searchable().await;
    }

    let ann = ["--header", "x-mainpoint-user: ann"];
    for (whose, found) in [(&ann[..], true), (&["--user", "ann"], true), (&["--user", "ben"], false), (&[], false)] {
        let words = [&["search", "Where is grandmother's recipe box?", "--json"][..], &remote, whose].concat();
        let answer = run(&home, &words).await.successful().stdout;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["results"].to_string().contains("31 marbles"), found, "{whose:?}: {answer}");
    }
    let words = [&["search", "Where is grandmother's recipe box?"][..], &remote, &ann].concat();
    let shown = run(&home, &words).await.successful().stdout;
    assert!(shown.contains("31 marbles") && shown.contains("MaxSim") && shown.contains("the proxy recalls"), "{shown}");
    assert!(shown.contains("place by words") && shown.lines().all(|line| !line.ends_with(' ')), "{shown}");
    let words = [&["search", "Where is grandmother's recipe box?", "--json"][..], &remote, &ann].concat();
    let answer: Value = serde_json::from_str(&run(&home, &words).await.successful().stdout).expect("JSON");
    let id = answer["results"][0]["turn"].as_str().expect("an id");
    assert!(shown.contains(id), "{id} is missing: {shown}");
    let lacking = run(&home, &["search", "Where?", "--url", &url, "--api-key-env", "MAINPOINT_TEST_UNSET"]).await;
    assert_eq!(lacking.code, 64, "{}", lacking.said());
    assert!(lacking.stderr.contains("MAINPOINT_TEST_UNSET"), "{}", lacking.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_exported_is_imported_into_a_running_proxy_and_into_a_store_as_it_stood() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("store", "flush_interval_ms = 50").start().await;
    let (home, url) = (proxy.home(), format!("http://{}", proxy.authority()));
    let line = |position: u32, role: &str, text: &str| json!({"conversation": "recipes", "position": position, "role": role, "text": text, "time": "2024-05-08T13:56:00Z"});
    let (told, noted) = (line(3, "user", "The recipe box stands in the cupboard."), line(5, "assistant", "Noted."));
    let file = home.path().join("export.jsonl");
    fs::write(&file, format!("{told}\n{noted}\n")).expect("a file");
    let name = file.display().to_string();
    let remote = ["--url", url.as_str(), "--key-env", KEY_VARIABLE];
    for (taken, known) in [(2, 0), (0, 2)] {
        let imported = run(&home, &[&["import", &name, "--json"][..], &remote].concat()).await.successful();
        let imported: Value = serde_json::from_str(&imported.stdout).expect("JSON");
        assert_eq!(imported, json!({"conversations": 1, "turns_taken": taken, "turns_known": known}));
        proxy.everything_searchable().await;
    }
    let exported = run(&home, &[&["export"][..], &remote].concat()).await.successful().stdout;
    let places: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(places.len(), 2, "{exported}");
    for (place, sent) in places.iter().zip([&told, &noted]) {
        for key in ["position", "role", "text", "time"] {
            assert_eq!(place[key], sent[key], "{exported}");
        }
    }
    fs::write(&file, format!("{exported}{}", exported.replace("Noted.", "").replace("\"user\"", "\"critic\"")))
        .expect("a file");
    let refused = run(&home, &[&["import", &name][..], &remote].concat()).await;
    assert_eq!(refused.code, 65, "{}", refused.said());
    assert!(refused.stderr.contains("line 3") && refused.stderr.contains("role = \"critic\""), "{}", refused.stderr);
    proxy.stop().await;

    fs::write(&file, &exported).expect("a file");
    let directory = home.path().join("moved").display().to_string();
    let local = ["--data-dir", directory.as_str(), "--key-env", KEY_VARIABLE];
    for (read, known) in [(2, 0), (0, 2)] {
        let imported = run(&home, &[&["import", &name, "--json"][..], &local].concat()).await.successful();
        let imported: Value = serde_json::from_str(&imported.stdout).expect("JSON");
        let counts = [&imported["conversations"], &imported["turns"], &imported["turns_known"]];
        assert_eq!(counts, [&json!(1), &json!(read), &json!(known)], "{imported}");
    }
    let moved = run(&home, &[&["export"][..], &local].concat()).await.successful().stdout;
    assert_eq!(moved, exported);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_reaches_the_part_of_a_scope_that_is_named_and_no_other() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = memory_api::builder(&upstream).start().await;
    let (home, url) = (proxy.home(), format!("http://{}", proxy.authority()));
    let mut told = Conversation::new();
    told.user("The heron stands in the pond.");
    proxy.chat(told.body()).await;
    proxy.everything_read().await;
    let scopes = memory_api::get(&proxy, ADMIN, "/scopes").await;
    let scope = scopes["data"][0]["id"].as_str().expect("a scope").to_owned();
    let admin = ["--url", url.as_str(), "--scope", &scope, "--admin-token-env", ADMIN_VARIABLE];
    let asked = async |words: &[&str], part: &[&str]| run(&home, &[words, &admin, part].concat()).await;

    let of_ben = json!({"user": "ben", "messages": [{"role": "user", "content": "The key lies under the mat."}]});
    let of_nobody = json!({"messages": [{"role": "user", "content": "The train leaves at 7:15."}]});
    let history = home.path().join("history.jsonl");
    fs::write(&history, format!("{of_ben}\n{of_nobody}\n")).expect("a file");
    let file = history.display().to_string();
    asked(&["import", &file], &["--user", "ann"]).await.successful();
    proxy.everything_read().await;
    let holds = async |part: &[&str], expected: &[&str]| {
        let exported = asked(&["export"], part).await.successful().stdout;
        for said in ["heron", "mat", "train"] {
            assert_eq!(exported.contains(said), expected.contains(&said), "{part:?}: {exported}");
        }
    };
    holds(&[], &["heron"]).await;
    holds(&["--user", "ann"], &["train"]).await;
    holds(&["--user", "ben"], &["mat"]).await;
    holds(&["--project", "garden", "--user", "ann"], &[]).await;

    let forgotten = asked(&["forget", "--everything"], &["--user", "ann"]).await.successful().stdout;
    assert!(forgotten.starts_with("turns deleted: 1 "), "{forgotten}");
    holds(&["--user", "ann"], &[]).await;
    holds(&["--user", "ben"], &["mat"]).await;
    holds(&[], &["heron"]).await;

    let part = format!("{scope}.u-{}", "0".repeat(32));
    let words = ["forget", "--everything", "--url", &url, "--scope", &part, "--admin-token-env", ADMIN_VARIABLE];
    let refused = run(&home, &[&words[..], &["--user", "ann"]].concat()).await;
    assert_eq!(refused.code, 64, "{}", refused.said());
    assert!(refused.stderr.contains("is one user's part of a memory already"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_store_none_is_made() {
    let home = Home::new();
    home.configure(&format!("{LIGHT}[store]\ndirectory = {:?}\n", home.data()));
    for words in [&["list"][..], &["topics"], &["export"], &["stats"], &["forget", "--everything"]] {
        let refused = run(&home, words).await;
        assert_eq!(refused.code, 66, "{words:?}: {}", refused.said());
    }
    assert!(!home.data().exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_holds_nothing_yet_is_no_error_of_the_command_line() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let home = proxy.home();
    proxy.stop().await;
    for key in [&[][..], &["--key-env", KEY_VARIABLE]] {
        let stats = run(&home, &[&["stats", "--json"], key].concat()).await.successful().stdout;
        let stats: Value = serde_json::from_str(&stats).expect("JSON");
        let counts = ["turns", "conversations", "turns_waiting"].map(|count| &stats[count]);
        assert_eq!(counts, [&json!(0); 3], "{key:?}: {stats}");
        let listed = run(&home, &[&["list", "--json"], key].concat()).await.successful().stdout;
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        assert_eq!(listed, json!({"object": "list", "data": [], "has_more": false, "next": null}), "{key:?}");
        assert_eq!(run(&home, &[&["export"], key].concat()).await.successful().stdout, "", "{key:?}");
    }
    let id = "0".repeat(32);
    let unknown = run(&home, &["list", "--conversation", &id]).await;
    assert_eq!(unknown.code, 64, "{}", unknown.said());
}
