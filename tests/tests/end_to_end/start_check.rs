//! `mainpoint serve --check` says of each part whether a start would find it in order, and changes nothing; what it says is what a
//! start says. Digests that the configuration names hold at every start.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mainpoint_tests::binary::{self, Finished};
use mainpoint_tests::models::{self, LIGHT};
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, wait_until};

/// Nobody listens there; nothing is forwarded in these tests.
const UPSTREAM: &str = "[upstream]\nurl = \"http://127.0.0.1:9/v1\"\n";
/// SHA-256 of the light model, and one that no file has.
const DIGEST: &str = "8803645f673f0f7b6408943634cb3489c4ea27b31dd752982e6c4d542fbcdd9a";
const OTHER: &str = "00000000000000000000000000000000000000000000000000000000000000ff";

#[test]
fn a_check_has_a_line_for_each_part_and_creates_nothing() {
    models::require();
    let home = with_configuration(LIGHT);
    let before = contents(home.path());
    let checked = check(&home).successful();
    let expected = [
        ("configuration", "config.toml"),
        ("models.reader", "all-minilm-l6-v2, bert, 384 numbers a vector"),
        ("store.directory", "holds no store yet; the first start makes one"),
    ];
    assert_parts(&checked.stdout, &expected);
    assert_eq!(checked.stderr, "");
    assert!(contents(home.path()) == before, "something was changed");
}

#[test]
fn without_an_upstream_the_model_that_answers_is_checked_too_and_each_fault_has_its_line() {
    models::require();
    let home = Home::new();
    home.configure(&format!("{LIGHT}chat = {:?}\n[store]\ndirectory = {:?}\n", models::light(), home.data()));
    let refused = check(&home);
    assert_eq!((refused.code, refused.stdout.as_str()), (65, ""), "{}", refused.said());
    assert_parts(
        &refused.stderr,
        &[("configuration", ""), ("models.reader", "bert"), ("models.chat", "NOT in order"), ("store.directory", "")],
    );
    let last = refused.stderr.lines().last().expect("a line");
    assert!(last.starts_with("mainpoint: ") && last.contains("models.chat needs an instruct model"), "{last}");

    home.configure(&format!("[models]\nreader = {:?}\n{UPSTREAM}", models::chat()));
    let refused = check(&home);
    assert_eq!(refused.code, 65, "{}", refused.said());
    assert!(refused.stderr.contains("models.reader needs an encoder"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_does_nothing_any_more_is_named_by_a_check_and_a_start_which_succeed() {
    const SAID: &str = "memory.digest_tokens does nothing: prompts have no digest";
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "digest_tokens = 400").start().await;
    wait_until("the start says so", Duration::from_secs(20), || async { proxy.output().contains(SAID) }).await;
    let home = proxy.stop().await;
    let checked = check(&home).successful();
    let line = checked.stdout.lines().find(|line| line.starts_with("configuration")).expect("a line");
    assert!(line.contains("in order") && line.contains(SAID), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_checked_against_the_reader_and_its_key_while_the_proxy_runs_and_afterwards() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    proxy.chat(serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "The heron stands in the pond."}]}).to_string()).await;
    proxy.everything_read().await;
    let home = proxy.home();
    assert!(check(&home).successful().stdout.contains("a running mainpoint has it open"));
    proxy.stop().await;

    let before = contents(home.path());
    let checked = check(&home).successful();
    assert!(checked.stdout.contains("layout version 3, turns stored: "), "{}", checked.stdout);
    assert!(contents(home.path()) == before, "something was changed");

    let text = fs::read_to_string(home.configuration()).expect("the configuration");
    home.configure(&text.replace("all-minilm-l6-v2", "embeddinggemma-300m"));
    let named = [
        "384",
        "256",
        "store.directory",
        "models.reader is \"embeddinggemma-300m\"",
        "filled with \"all-minilm-l6-v2\"",
    ];
    is_refused_by_both(&home, &named);
    home.configure(&text);
    fs::remove_file(home.data().join("scope.key")).expect("the key is removed");
    is_refused_by_both(&home, &["scope.key", "restore it from a backup"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_that_nobody_has_read_are_counted_by_a_check_and_by_a_search() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("server", "fault_injection = true").start().await;
    proxy.stop_part("reader").await;
    proxy.chat(serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "The heron stands in the pond."}]}).to_string()).await;
    let home = proxy.stop().await;
    let said = "turns waiting in the journal: 2 ";
    let checked = check(&home).successful().stdout;
    let line = checked.lines().find(|line| line.starts_with("store.directory")).expect("a line for the store");
    assert!(line.contains("turns stored: 0; ") && line.contains(said), "{line}");
    let found = run(&home, &["search", "Where is the heron?"]).successful().stdout;
    assert!(found.starts_with("Nothing was found.\n") && found.contains(said), "{found}");
    let found = run(&home, &["search", "Where is the heron?", "--json"]).successful().stdout;
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["turns_waiting"], 2);
    assert_eq!(found["evidence"]["is_enough"], false, "nothing was compared: {found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_of_a_store_without_memories_finds_nothing_and_says_why() {
    let upstream = ScriptedUpstream::start().await;
    let home = StartedProxy::before(&upstream).start().await.stop().await;
    let found = run(&home, &["search", "Where is the heron?"]).successful().stdout;
    assert_eq!(found, "The store holds no memories yet.\n");
    let found = run(&home, &["search", "Where is the heron?", "--json"]).successful().stdout;
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["results"], serde_json::json!([]), "{found}");
    let refused = run(&home, &["search", "Where is the heron?", "--scope", "k-1"]);
    assert_eq!(refused.code, 64, "{}", refused.said());
    assert!(refused.stderr.contains("--scope k-1: "), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_counts_the_waiting_turns_of_its_own_scope_alone() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("server", "fault_injection = true").start().await;
    proxy.stop_part("reader").await;
    for (caller, questions) in [("Bearer sk-one", 1), ("Bearer sk-two", 2)] {
        for number in 0..questions {
            let mut conversation = Conversation::new();
            conversation.user(&format!("Where does heron {number} stand?"));
            proxy.chat_as(caller, conversation.body()).await;
        }
    }
    let home = proxy.stop().await;
    let ambiguous = run(&home, &["search", "Where is the heron?"]);
    assert_eq!(ambiguous.code, 64, "{}", ambiguous.said());
    let word = |character: char| !(character.is_ascii_alphanumeric() || "-_.:".contains(character));
    let scopes: Vec<&str> = ambiguous.stderr.split(word).filter(|word| word.starts_with("k-")).collect();
    assert_eq!(scopes.len(), 2, "both scopes are named: {}", ambiguous.stderr);
    let waiting = scopes.iter().map(|scope| {
        let found = run(&home, &["search", "Where is the heron?", "--json", "--scope", scope]).successful().stdout;
        let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
        found["turns_waiting"].as_u64().expect("a number")
    });
    let mut waiting: Vec<u64> = waiting.collect();
    waiting.sort_unstable();
    assert_eq!(waiting, [2, 3], "each question, and the reply that all have got");
}

#[test]
fn a_configured_digest_is_compared_at_every_start_and_its_record_saves_reading_the_file_again() {
    let home = Home::new();
    let model = home.path().join("own.gguf");
    fs::copy(models::light(), &model).expect("a copy");
    let record = home.path().join("own.gguf.sha256.json");
    let configure = |digest: &str| {
        let models = format!("[models]\nreader = {model:?}\nreader_sha256 = {digest:?}\n");
        home.configure(&format!("{models}{UPSTREAM}[store]\ndirectory = {:?}\n", home.data()));
    };
    configure(OTHER);
    let named = ["models.reader_sha256", OTHER, DIGEST, "own.gguf"];
    assert_refused(&check(&home), 65, &named);
    assert!(!record.exists(), "a check leaves nothing behind");
    for _ in 0..2 {
        assert_refused(&serve(&home), 65, &named);
        assert!(record.exists(), "what was read is not read again");
    }
    configure(DIGEST);
    let checked = check(&home).successful();
    assert!(checked.stdout.contains("SHA-256 as configured (models.reader_sha256)"), "{}", checked.stdout);

    // Another file in its place is noticed, though there is a record.
    let mut bytes = fs::read(&model).expect("the model");
    bytes.push(0);
    fs::write(&model, bytes).expect("the model");
    let refused = serve(&home);
    assert_refused(&refused, 65, &["models.reader_sha256", DIGEST, "own.gguf"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_says_only_what_an_operator_needs() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let said = proxy.output();
    assert!(!said.contains("WARN") && !said.contains("llama"), "{said}");
    proxy.stop().await;

    let verbose = StartedProxy::before(&upstream).setting("log", "filter = \"llama_cpp=debug\"");
    let proxy = verbose.start().await;
    assert!(proxy.output().contains("DEBUG llama_cpp"), "{}", proxy.output());
    proxy.stop().await;
}

/// A home whose configuration reads with this model, forwards, and keeps its data in the home.
fn with_configuration(models: &str) -> Arc<Home> {
    let home = Home::new();
    home.configure(&format!("{models}{UPSTREAM}[store]\ndirectory = {:?}\n", home.data()));
    home
}

fn check(home: &Home) -> Finished {
    run(home, &["serve", "--check"])
}

fn serve(home: &Home) -> Finished {
    run(home, &["serve", "--listen", "127.0.0.1:0"])
}

fn run(home: &Home, arguments: &[&str]) -> Finished {
    let mut command = binary::command();
    command.current_dir(home.path()).args(arguments).arg("--config").arg(home.configuration());
    binary::finish(command, &[])
}

/// A check and a start refuse the store for the same reason, and change nothing.
fn is_refused_by_both(home: &Home, words: &[&str]) {
    let before = contents(&home.data());
    let checked = check(home);
    assert_refused(&checked, 65, words);
    assert!(contents(&home.data()) == before, "something was changed");
    let served = serve(home);
    assert_refused(&served, 65, words);
    let last = |finished: &Finished| finished.stderr.lines().last().map(str::to_owned);
    assert_eq!(last(&checked), last(&served), "both say the same");
}

/// The last line names all of `words`.
fn assert_refused(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, code, "{}", finished.said());
    let last = finished.stderr.lines().last().expect("a line");
    for word in words {
        assert!(last.starts_with("mainpoint: ") && last.contains(word), "{word:?} is not named in {last}");
    }
}

/// There is a line for each part, in this order, that says this of it.
fn assert_parts(said: &str, parts: &[(&str, &str)]) {
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("mainpoint: ")).collect();
    assert_eq!(lines.len(), parts.len(), "{said}");
    for (line, (part, words)) in lines.iter().zip(parts) {
        assert!(line.starts_with(part) && line.contains(words), "{part:?} and {words:?} are not in {line}");
    }
}

fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    found
}
