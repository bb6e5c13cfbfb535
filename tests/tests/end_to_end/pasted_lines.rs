//! A question with lines pasted before or behind it finds what the question alone finds, and nothing where that finds
//! nothing.

use http::Method;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};

const BERTH: &str = "My boat Seeadler lies at berth 23 in Wismar.";
const QUESTION: &str = "At which berth does my boat Seeadler lie?";
const MAIL: &str = "Dear all,\n\nthe summer party moves to the garden of the old mill this year, and there will be \
    music. Please bring a cake or a salad, and something warm to wear.\nCould you also tell me who needs a bed?\n\n\
    See you there, and all the best\nMarta";
const CODE: &str = "```python\nimport sys\n\ndef total(rows):\n    found = [row.price for row in rows if row.is_paid]\n\
    \x20   return sum(found) / max(1, len(found))\n\nprint(total(load(sys.argv[1])))\n```";

fn log(lines: usize) -> String {
    let line = |at: usize| {
        let (hour, worker, time) = (at % 10, at % 7, at * 37 % 9973);
        format!("2026-11-29T0{hour}:{:02}:11Z INFO worker-{worker} took {time} ms in the cache", at % 60)
    };
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

async fn told() -> (ScriptedUpstream, StartedProxy) {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .default_model()
        .setting("memory", "recall = \"caller\"")
        .setting("store", "flush_interval_ms = 50")
        .start()
        .await;
    for told in [BERTH, "My sister Paula breeds sheep in Galway.", "The dentist wants to see me on the 9th of March."] {
        let mut chat = Conversation::new();
        chat.user(told);
        assert_eq!(proxy.chat(chat.body()).await.status, 200);
    }
    proxy.everything_searchable().await;
    (upstream, proxy)
}

/// The memory block that a message gets, of which nothing is stored.
async fn block(proxy: &StartedProxy, upstream: &ScriptedUpstream, message: &str) -> Option<String> {
    let mut chat = Conversation::new();
    chat.user(message);
    let asked = proxy.request(Method::POST, "/v1/chat/completions").header("x-mainpoint-store", "off");
    let asked = asked.header("content-type", "application/json");
    let answer = asked.body(chat.body()).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    prompt::memory_block(&upstream.last_request().json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_beside_pasted_lines_finds_what_it_finds_alone() {
    let (upstream, proxy) = told().await;
    let (few, many) = (log(6), log(150));
    for pasted in [&few, &many, MAIL, CODE] {
        for message in [format!("{pasted}\n\n{QUESTION}"), format!("{QUESTION}\n\n{pasted}")] {
            let block = block(&proxy, &upstream, &message).await;
            assert!(block.is_some_and(|block| block.contains("berth 23")), "{message}");
        }
    }
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_talk_beside_pasted_lines_finds_nothing() {
    let (upstream, proxy) = told().await;
    // So long that the log is not asked for.
    let log = log(60);
    for greeting in ["Hello, how are you doing today?", "Good evening, how are you?"] {
        assert_eq!(block(&proxy, &upstream, &format!("{greeting}\n\n{log}")).await, None, "{greeting}");
    }
    proxy.stop().await;
}
