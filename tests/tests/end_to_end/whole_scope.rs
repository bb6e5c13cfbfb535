//! Where a caller's whole memory is searched, and not compared in whole, sketches find memories as well.
//!
//! That they were is told by the log.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, wait_until};

use crate::isolation::small_talk;

/// How long loading sketches may take on a machine that is busy with other tests.
const LOADING: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_of_another_conversation_is_found_with_the_sketches_of_the_whole_scope() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .budget(200, 100)
        .setting("memory", "recall = \"caller\"")
        .setting("memory", "scan_passages = 0")
        .setting("store", "flush_interval_ms = 50")
        .setting("log", "filter = \"info,mainpoint=debug\"")
        .start()
        .await;
    let mut telling = Conversation::new();
    telling.user("Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.");
    assert_eq!(proxy.chat(telling.body()).await.status, 200);
    // A question that was asked before has its memories already.
    let aside = |number: usize| small_talk(&format!("{number} neighbours: did they all get cake?"));
    assert_eq!(proxy.chat(aside(0).body()).await.status, 200);
    proxy.everything_searchable().await;
    let number = AtomicUsize::new(0);
    wait_until("the sketches of the whole scope are compared", LOADING, || async {
        let asking = aside(number.fetch_add(1, Ordering::Relaxed) + 1);
        assert_eq!(proxy.chat(asking.body()).await.outcome(), "rewritten");
        proxy.output().lines().any(|line| line.contains("compared sketches") && line.contains("is_whole=true"))
    })
    .await;
    let asking = small_talk("Where does grandmother's recipe box stand?");
    assert_eq!(proxy.chat(asking.body()).await.outcome(), "rewritten");
    let forwarded = upstream.last_request();
    assert!(forwarded.contains("31 marbles"), "sent {}", forwarded.json());
}
