//! A store that cannot be used as it is: the start is refused with what to do, and nothing of it is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use mainpoint_tests::models::LIGHT;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, binary, checkout, models};

/// The exit status of data that are wrong.
const DATA: i32 = 65;
/// The exit status where something is missing.
const MISSING: i32 = 66;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_scope_key_beside_memories_is_refused_and_a_restored_one_opens_them_again() {
    let upstream = ScriptedUpstream::start().await;
    let home = with_memories(&upstream).await;
    let key = home.data().join("scope.key");
    let bytes = fs::read(&key).expect("the key");
    fs::remove_file(&key).expect("the key is removed");
    let names = |home: &Home| contents(&home.data()).into_keys().collect::<Vec<_>>();
    let before = names(&home);
    is_refused(&home, &["scope.key", "restore it from a backup", "move"]);
    assert_eq!(names(&home), before, "no other key is made, and nothing moved");

    fs::write(&key, bytes).expect("the key is restored");
    let proxy = builder(&upstream).home(&home).start().await;
    assert!(proxy.metrics().await.has("mainpoint_store_degraded"));
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_key_is_made_where_there_are_no_memories_though_a_store_was_begun() {
    let upstream = ScriptedUpstream::start().await;
    let home = builder(&upstream).start().await.stop().await;
    let key = home.data().join("scope.key");
    fs::remove_file(&key).expect("the key is removed");
    builder(&upstream).home(&home).start().await.stop().await;
    assert_eq!(fs::read(&key).expect("a new key").len(), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_a_journal_of_a_newer_version_are_refused_with_who_wrote_them() {
    let upstream = ScriptedUpstream::start().await;
    let home = with_memories(&upstream).await;
    let journal = home.data().join("journal.redb");
    let whole = fs::read(&journal).expect("the journal");
    let mut newer = whole.clone();
    // The version of redb's file format, at the head of both commit slots.
    for at in [64, 192] {
        newer[at] = 9;
    }
    fs::write(&journal, newer).expect("the journal is written");
    is_left_alone(&home, &["journal.redb", "file format 9", "use the mainpoint that wrote it"]);
    fs::write(&journal, whole).expect("the journal is restored");

    let manifest = newest_manifest(&home.data().join("lance").join("points.lance"));
    let whole = fs::read(&manifest).expect("the manifest");
    fs::write(&manifest, with_unknown_feature(&whole)).expect("the manifest is written");
    is_left_alone(&home, &["points.lance", "lance 99.0.0", "use the mainpoint that wrote it"]);
    fs::write(&manifest, whole).expect("the manifest is restored");
    builder(&upstream).home(&home).start().await.stop().await;
}

#[test]
fn a_store_of_version_2_is_refused_with_the_command_that_reads_it_again_and_that_command_loses_nothing() {
    models::require();
    let home = Home::new();
    home.configure(&format!(
        "{LIGHT}[upstream]\nurl = \"http://127.0.0.1:9/v1\"\n[store]\ndirectory = {:?}\n",
        home.data()
    ));
    let archive = checkout::root().join("tests/data/store-version-2.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(home.path()).status();
    assert!(unpacked.expect("tar").success());
    is_left_alone(&home, &["version 2", "mainpoint migrate"]);

    // Without the key that says whose the memories are nothing is read again, since no start would take what came of it.
    let configuration = home.configuration().display().to_string();
    let key = home.data().join("scope.key");
    let bytes = fs::read(&key).expect("the key");
    fs::remove_file(&key).expect("the key is removed");
    let refused = binary::run(&["migrate", "--config", &configuration]);
    assert_eq!(refused.code, DATA, "{}", refused.said());
    assert!(refused.stderr.contains("scope.key") && refused.stderr.contains("restore it"), "{}", refused.stderr);
    assert!(!home.path().join("data.migrating").exists(), "nothing was begun");
    fs::write(&key, bytes).expect("the key is restored");

    binary::run(&["migrate", "--config", &configuration]).successful();
    for (question, fact) in
        [("Where does grandmother's recipe box stand?", "31 marbles"), ("When does the gardener come?", "7:15")]
    {
        let found = binary::run(&["search", question, "--config", &configuration, "--json"]).successful();
        assert!(found.stdout.contains(fact), "{question}: {}", found.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrating_says_whether_there_was_nothing_to_do_or_nothing_that_it_could_be_done_with() {
    let upstream = ScriptedUpstream::start().await;
    let empty = Home::new();
    empty.configure(&format!("[store]\ndirectory = {:?}\n", empty.data()));
    let migrate = |home: &Home| binary::run(&["migrate", "--config", &home.configuration().display().to_string()]);
    for is_made in [false, true] {
        if is_made {
            fs::create_dir(empty.data()).expect("an empty directory");
        }
        let refused = migrate(&empty);
        assert_eq!(refused.code, MISSING, "{}", refused.said());
        assert!(refused.stderr.contains("there is no store in"), "{}", refused.stderr);
    }
    assert_eq!(contents(&empty.data()), BTreeMap::new(), "nothing was made");

    let home = with_memories(&upstream).await;
    let before = contents(&home.data());
    let done = migrate(&home).successful();
    assert!(done.stdout.contains("is of the present layout version"), "{}", done.stdout);
    assert!(contents(&home.data()) == before, "something was changed");

    let manifest = newest_manifest(&home.data().join("lance").join("points.lance"));
    let whole = fs::read(&manifest).expect("the manifest");
    for (newer, named) in
        [(with_layout(&whole, "4"), "layout version 4"), (with_unknown_feature(&whole), "lance 99.0.0")]
    {
        fs::write(&manifest, newer).expect("the manifest is written");
        let refused = migrate(&home);
        assert_eq!(refused.code, DATA, "{}", refused.said());
        for words in [named, "use the mainpoint that wrote it"] {
            assert!(refused.stderr.contains(words), "{}", refused.stderr);
        }
    }
}

fn builder(upstream: &ScriptedUpstream) -> mainpoint_tests::ProxyBuilder {
    StartedProxy::before(upstream).budget(200, 80)
}

/// The home of a proxy that has read a conversation and was stopped.
async fn with_memories(upstream: &ScriptedUpstream) -> Arc<Home> {
    let proxy = builder(upstream).start().await;
    let mut conversation = Conversation::new();
    conversation.user("We meet at the harbour on 14 March, at noon.");
    conversation.assistant("At the harbour, 14 March, noon.");
    conversation.user("When do we meet?");
    proxy.chat(conversation.body()).await;
    proxy.everything_read().await;
    proxy.stop().await
}

/// A start with this home ends with the status of wrong data and says all of `words`.
fn is_refused(home: &Home, words: &[&str]) {
    let mut command = binary::command();
    command.arg("serve").arg("--config").arg(home.configuration());
    command.args(["--listen", "127.0.0.1:0"]);
    let refused = binary::finish(command, &[]);
    assert_eq!(refused.code, DATA, "{}", refused.said());
    let line = refused.stderr.lines().rfind(|line| line.starts_with("mainpoint: "));
    let line = line.unwrap_or_else(|| panic!("no line says what is wrong: {}", refused.said()));
    for word in words {
        assert!(line.contains(word), "{word:?} is not in: {line}");
    }
}

/// As [`is_refused`], and no file is touched.
fn is_left_alone(home: &Home, words: &[&str]) {
    let before = contents(&home.data());
    is_refused(home, words);
    assert!(contents(&home.data()) == before, "something was changed");
}

fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    found
}

/// Lance counts the names of manifests down.
fn newest_manifest(table: &Path) -> PathBuf {
    let entries = fs::read_dir(table.join("_versions")).expect("versions");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let manifests = paths.filter(|path| path.extension().is_some_and(|extension| extension == "manifest"));
    manifests.min().expect("a manifest")
}

/// The manifest with a feature that readers have to know and nobody does, written by a later version.
fn with_unknown_feature(manifest: &[u8]) -> Vec<u8> {
    let writer = field(13, &[field(1, b"lance"), field(2, b"99.0.0")].concat());
    let flags = [9 << 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    with_fields(manifest, &[&writer[..], &flags].concat())
}

/// The manifest of a table of this layout version.
fn with_layout(manifest: &[u8], version: &str) -> Vec<u8> {
    let metadata = [field(1, b"mainpoint.layout_version"), field(2, version.as_bytes())].concat();
    with_fields(manifest, &field(5, &metadata))
}

/// A field with a length, as manifests have them.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short field");
    [&[number << 3 | 2, length][..], content].concat()
}

fn with_fields(manifest: &[u8], fields: &[u8]) -> Vec<u8> {
    let (body, footer) = manifest.split_at(manifest.len() - 16);
    let position = u64::from_le_bytes(footer[..8].try_into().expect("eight bytes")) as usize;
    let message = [&body[position + 4..], fields].concat();
    let length = u32::try_from(message.len()).expect("a short message").to_le_bytes();
    [&body[..position], &length, &message, footer].concat()
}
