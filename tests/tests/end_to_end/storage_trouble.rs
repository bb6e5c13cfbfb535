//! A full disk and files that vanish: requests go on, the proxy says what does not work, and mends it without a restart.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use mainpoint_tests::metrics::Metrics;
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Conversation, ScriptedUpstream, SmallDisk, StartedProxy, wait_until};

use serde_json::Value;

use crate::shared::{KEY_VARIABLE, asked_again, receipt};
use crate::{memory_api, memory_commands};

/// How long mending may take on a busy machine; it is tried every few seconds.
const MENDING: Duration = Duration::from_secs(60);
/// What no single answer may take for trouble with the disk.
const AT_ONCE: Duration = Duration::from_secs(15);

/// A conversation that outgrows the budget, about something of its own.
fn long_chat(topic: &str) -> Conversation {
    let mut conversation = Conversation::new();
    for day in 0..10 {
        conversation.user(&format!(
            "Day {day}: we went to the {topic} and counted {day} boats, then we sat by the water until it was late."
        ));
        conversation.assistant(&format!("Boats at the {topic} on day {day}, that sounds like a good evening."));
    }
    conversation.user(&format!("On which day did we count no boat at the {topic}?"));
    conversation
}

/// What the receipt of a conversation's first request says of its turn.
async fn not_stored(proxy: &StartedProxy, text: &str) -> Value {
    let mut conversation = Conversation::new();
    conversation.user(text);
    let answer = proxy.chat(conversation.body()).await;
    receipt(proxy, &answer).await["not_stored"].clone()
}

fn degraded(metrics: &Metrics, part: &str) -> bool {
    metrics.sum("mainpoint_store_degraded", &[("part", part)]) > 0.0
}

async fn is_ready(proxy: &StartedProxy) -> bool {
    proxy.get("/readyz").await.status == 200
}

/// Whether a test is left out that removes something to make room for something else. The store's own tests on room for deletions need
/// no such file system.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told")]
fn is_skipped(test: &str, disk: &SmallDisk) -> bool {
    if !disk.is_mounted() {
        eprintln!(
            "SKIPPED: {test}, because no tmpfs can be mounted here, and a limit on the size of files leaves no room when something is \
             removed (run the tests as a user who may mount)"
        );
    }
    !disk.is_mounted()
}

/// Says so much that the full disk is noticed. Counts what is said.
async fn becomes_degraded(proxy: &StartedProxy, said: &AtomicUsize) {
    wait_until("the store is degraded", MENDING, || async {
        // Other words each time, until no free page of the journal is left.
        let number = said.fetch_add(1, Ordering::Relaxed);
        let mut long = Conversation::new();
        long.user(&format!("boat {number} lies in the bay tonight, ").repeat(250));
        let started = Instant::now();
        let answer = proxy.chat(long.body()).await;
        assert_eq!(answer.status, 200);
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        !is_ready(proxy).await
    })
    .await;
}

/// The conversation is read, and rewritten from memory.
async fn is_remembered(proxy: &StartedProxy, conversation: &Conversation) {
    wait_until("the conversation is rewritten", MENDING, || async {
        asked_again(proxy, conversation.body()).await.outcome() == "rewritten"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_got_over_without_a_restart_while_requests_pass() {
    let (upstream, disk) = (ScriptedUpstream::start().await, SmallDisk::new());
    let builder = disk.proxy().upstream(&upstream.base_url()).budget(200, 80);
    let proxy = builder.start().await;
    let before = long_chat("harbour");
    is_remembered(&proxy, &before).await;
    assert!(is_ready(&proxy).await);

    disk.fill(&proxy);
    let said = AtomicUsize::new(0);
    becomes_degraded(&proxy, &said).await;
    wait_until("the receipt says that new turns are not stored", MENDING, || async {
        let number = said.fetch_add(1, Ordering::Relaxed);
        let reason = not_stored(&proxy, &format!("boat {number} lies in the bay tonight, ").repeat(250)).await;
        reason.as_str().is_some_and(|reason| reason.starts_with("store_journal"))
    })
    .await;
    let ready = proxy.get("/readyz").await;
    assert_eq!(ready.status, 503);
    let body = ready.json();
    assert_eq!((&body["status"], &body["parts"]["store"]), (&"degraded".into(), &"degraded".into()));
    assert!(body["troubles"][0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{body}");
    let what = body["troubles"][0]["what"].as_str().unwrap_or_default().to_owned();
    assert!(degraded(&proxy.metrics().await, &what), "{what}");
    for conversation in [&before, &long_chat("lake")] {
        let started = Instant::now();
        let answer = proxy.chat(conversation.body()).await;
        assert_eq!((answer.status.as_u16(), answer.reply()), (200, "All right.".to_owned()));
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
    assert_eq!(proxy.get("/healthz").await.status, 200);

    disk.free(&proxy);
    wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
    wait_until("the receipt says nothing of that any more", MENDING, || async {
        not_stored(&proxy, "The boats are in the bay again.").await.is_null()
    })
    .await;
    let metrics = proxy.metrics().await;
    for part in ["journal", "tables", "maintenance"] {
        assert!(!degraded(&metrics, part), "{part}");
    }
    let losses = metrics.sum("mainpoint_store_losses_total", &[]);
    assert!(losses.abs() < f64::EPSILON, "{losses}");
    assert_eq!(proxy.chat(before.body()).await.outcome(), "rewritten", "what was kept is kept");
    is_remembered(&proxy, &long_chat("river")).await;
    assert!(!proxy.output().contains("nothing is lost"), "nothing is claimed that is not so");
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_can_be_deleted_on_a_full_disk() {
    let (upstream, disk) = (ScriptedUpstream::start().await, SmallDisk::new());
    if is_skipped("a_memory_can_be_deleted_on_a_full_disk", &disk) {
        return;
    }
    let builder = disk.proxy().upstream(&upstream.base_url()).budget(200, 80);
    let builder = builder.setting("store", "flush_interval_ms = 200");
    let proxy = builder.start().await;
    is_remembered(&proxy, &long_chat("harbour")).await;
    proxy.everything_searchable().await;

    disk.fill(&proxy);
    becomes_degraded(&proxy, &AtomicUsize::new(0)).await;
    let deleted = memory_api::delete(&proxy, TENANT, "/memory").await;
    assert!(deleted >= 20, "{deleted}");
    let left = memory_api::call(&proxy, TENANT, Method::GET, "/export", "").await;
    assert!(left.status == 200 && !left.text().contains("harbour"), "{}", left.text());

    disk.free(&proxy);
    wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
    is_remembered(&proxy, &long_chat("river")).await;
    assert!(proxy.home().data().join("reserve").exists(), "room is kept for the next deletion");
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_can_be_forgotten_on_a_full_disk_when_no_proxy_runs() {
    let (upstream, disk) = (ScriptedUpstream::start().await, SmallDisk::new());
    if is_skipped("a_memory_can_be_forgotten_on_a_full_disk_when_no_proxy_runs", &disk) {
        return;
    }
    let proxy = disk.proxy().upstream(&upstream.base_url()).start().await;
    proxy.chat(long_chat("harbour").body()).await;
    proxy.everything_searchable().await;
    let home = proxy.home();
    disk.fill_up();
    let in_use = memory_commands::run(&home, &["forget", "--everything"]).await;
    assert_eq!(in_use.code, 69, "{}", in_use.said());
    assert!(home.data().join("reserve").exists(), "what is kept for the proxy's deletions stays");
    disk.empty();
    proxy.stop().await;

    disk.fill_up();
    let counted = memory_commands::run(&home, &["stats", "--key-env", KEY_VARIABLE]).await;
    assert_eq!(counted.code, 0, "it can be looked at: {}", counted.said());
    let forgotten = memory_commands::run(&home, &["forget", "--everything"]).await.successful().stdout;
    assert!(forgotten.starts_with("turns deleted: 2"), "{forgotten}");
    disk.empty();
    let left = memory_commands::run(&home, &["export", "--key-env", KEY_VARIABLE]).await.successful().stdout;
    assert_eq!(left, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_finds_no_room_on_a_full_disk_says_so_and_is_possible_later() {
    let (upstream, disk) = (ScriptedUpstream::start().await, SmallDisk::new());
    if is_skipped("a_deletion_that_finds_no_room_on_a_full_disk_says_so_and_is_possible_later", &disk) {
        return;
    }
    let proxy = disk.proxy().upstream(&upstream.base_url()).start().await;
    proxy.chat(long_chat("harbour").body()).await;
    proxy.everything_searchable().await;
    fs::remove_file(proxy.home().data().join("reserve")).expect("room is kept for deletions");
    disk.fill(&proxy);
    becomes_degraded(&proxy, &AtomicUsize::new(0)).await;
    let refused = memory_api::call(&proxy, TENANT, Method::DELETE, "/memory", "").await;
    assert_eq!((refused.status.as_u16(), &refused.error()["code"]), (507, &Value::from("store_full")));
    assert!(refused.text().contains("is full"), "{}", refused.text());

    disk.free(&proxy);
    wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
    // What had begun may have been carried out by now, since it is tried again by itself.
    memory_api::delete(&proxy, TENANT, "/memory").await;
    let left = memory_api::call(&proxy, TENANT, Method::GET, "/export", "").await;
    assert!(left.status == 200 && !left.text().contains("harbour"), "{}", left.text());
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_again_while_a_deletion_of_it_cannot_be_carried_out_outlives_it() {
    const DELETED: &str = "Day 5: we went to the harbour";
    let upstream = ScriptedUpstream::start().await;
    let proxy = memory_api::builder(&upstream).start().await;
    let chat = long_chat("harbour");
    proxy.chat(chat.body()).await;
    proxy.everything_searchable().await;
    let conversations = memory_api::get(&proxy, TENANT, "/conversations").await;
    let conversation = conversations["data"][0]["id"].as_str().expect("a conversation").to_owned();
    let path = format!("/turns?conversation={conversation}&limit=100");
    let turns = memory_api::get(&proxy, TENANT, &path).await;
    let is_deleted = |turn: &&Value| turn["text"].as_str().is_some_and(|text| text.starts_with(DELETED));
    let turn = turns["data"].as_array().expect("turns").iter().find(is_deleted).expect("the turn").clone();

    // Where the tables would note the rows that are gone stands a file.
    let in_the_way = ["turns", "points"]
        .map(|table| proxy.home().data().join("lance").join(format!("{table}.lance")).join("_deletions"));
    for path in &in_the_way {
        fs::write(path, "").expect("nothing was deleted before");
    }
    let path = format!("/turns/{}", turn["id"].as_str().expect("an id"));
    let refused = memory_api::call(&proxy, TENANT, Method::DELETE, &path, "").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    let again = proxy.chat(chat.body()).await;
    assert_eq!(again.status, 200);
    assert_eq!(receipt(&proxy, &again).await["not_stored"], Value::Null);

    for path in &in_the_way {
        fs::remove_file(path).expect("the file is removed");
    }
    wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
    let left = memory_api::call(&proxy, TENANT, Method::GET, "/export", "").await;
    assert!(left.status == 200 && left.text().contains(DELETED), "{}", left.text());
    assert_eq!(left.text().matches("we went to the harbour").count(), 10, "each turn once: {}", left.text());
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_on_the_size_of_files_is_a_full_disk_and_does_not_end_the_process() {
    let (upstream, disk) = (ScriptedUpstream::start().await, SmallDisk::limited());
    let proxy = disk.proxy().upstream(&upstream.base_url()).budget(200, 80).start().await;
    is_remembered(&proxy, &long_chat("harbour")).await;
    disk.fill(&proxy);
    becomes_degraded(&proxy, &AtomicUsize::new(0)).await;
    assert_eq!(proxy.get("/healthz").await.status, 200);
    disk.free(&proxy);
    wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
    is_remembered(&proxy, &long_chat("river")).await;
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_starts_on_a_full_disk_and_goes_on_by_itself_when_there_is_space() {
    for is_first_start in [true, false] {
        let (upstream, disk) = (ScriptedUpstream::start().await, SmallDisk::new());
        if is_skipped("a_proxy_starts_on_a_full_disk_and_goes_on_by_itself_when_there_is_space", &disk) {
            return;
        }
        let builder = || disk.proxy().upstream(&upstream.base_url()).budget(200, 80);
        let chat = long_chat("harbour");
        if !is_first_start {
            let proxy = builder().start().await;
            is_remembered(&proxy, &chat).await;
            proxy.everything_searchable().await;
            proxy.stop().await;
        }
        disk.fill_up();
        let proxy = builder().start().await;
        let answer = proxy.chat(chat.body()).await;
        assert_eq!((answer.status.as_u16(), answer.reply()), (200, "All right.".to_owned()));
        if is_first_start {
            assert_eq!(answer.outcome(), "failed-open");
            let ready = proxy.get("/readyz").await;
            assert_eq!((ready.status.as_u16(), &ready.json()["parts"]["store"]), (503, &"degraded".into()));
            assert!(degraded(&proxy.metrics().await, "journal"));
            let refused = memory_api::call(&proxy, TENANT, Method::GET, "/export", "").await;
            assert_eq!((refused.status.as_u16(), &refused.error()["code"]), (503, &Value::from("store_not_open")));
        }
        disk.free(&proxy);
        wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
        is_remembered(&proxy, &chat).await;
        proxy.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_the_scopes_is_put_back_while_the_proxy_runs_and_the_next_start_finds_it() {
    let upstream = ScriptedUpstream::start().await;
    let builder = || StartedProxy::builder().upstream(&upstream.base_url()).budget(200, 80);
    let proxy = builder().start().await;
    let chat = long_chat("harbour");
    is_remembered(&proxy, &chat).await;
    for name in ["scope.key", "model"] {
        let path = proxy.home().data().join(name);
        let whole = fs::read(&path).expect("the file");
        fs::remove_file(&path).expect("the file is removed");
        wait_until("it is put back", MENDING, || async { fs::read(&path).is_ok_and(|found| found == whole) }).await;
    }
    wait_until("it is counted", MENDING, || async {
        proxy.metrics().await.sum("mainpoint_store_losses_total", &[]) > 0.0
    })
    .await;
    let home = proxy.stop().await;
    let proxy = builder().home(&home).start().await;
    assert_eq!(proxy.chat(chat.body()).await.outcome(), "rewritten");
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_removed_are_begun_anew_and_their_turns_read_again_without_a_restart() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::builder().upstream(&upstream.base_url()).budget(200, 80);
    let proxy = builder.setting("store", "flush_interval_ms = 200").start().await;
    let chat = long_chat("harbour");
    is_remembered(&proxy, &chat).await;
    proxy.everything_searchable().await;

    fs::remove_dir_all(proxy.home().data().join("lance")).expect("the tables are removed");
    wait_until("the loss is counted", MENDING, || async {
        let answer = proxy.chat(chat.body()).await;
        assert_eq!(answer.status, 200);
        proxy.metrics().await.sum("mainpoint_store_losses_total", &[]) > 0.0
    })
    .await;
    wait_until("the store is in order", MENDING, || is_ready(&proxy)).await;
    assert!(proxy.output().contains("turns_gone"), "the log says how much is gone");
    is_remembered(&proxy, &chat).await;
    let home = proxy.stop().await;

    let again = StartedProxy::builder().upstream(&upstream.base_url()).budget(200, 80);
    let proxy = again.home(&home).start().await;
    assert_eq!(proxy.chat(chat.body()).await.outcome(), "rewritten");
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_was_cut_short_does_not_stop_the_start_and_the_tables_stay() {
    let upstream = ScriptedUpstream::start().await;
    let builder = || StartedProxy::builder().upstream(&upstream.base_url()).budget(200, 80);
    let proxy = builder().start().await;
    let chat = long_chat("harbour");
    is_remembered(&proxy, &chat).await;
    proxy.everything_searchable().await;
    let mut home = proxy.stop().await;
    for length in [100, 0] {
        cut(&home.data().join("journal.redb"), length);
        let proxy = builder().home(&home).start().await;
        wait_until("the start is said", MENDING, || async { proxy.output().contains("begun anew") }).await;
        assert_eq!(proxy.chat(chat.body()).await.outcome(), "rewritten", "cut to {length}");
        home = proxy.stop().await;
    }
}

fn cut(path: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("the journal");
    file.set_len(length).expect("the journal is cut");
}
