//! Requests that are made of very many pieces, or of pieces that take much to hold: they end at the deadline, and nobody else
//! waits for them.

use std::time::{Duration, Instant};

use mainpoint_tests::{ScriptedUpstream, StartedProxy, within};

/// How long the memory may take for a request here, in milliseconds.
const DEADLINE: u64 = 2000;
/// What somebody else may wait meanwhile, on a machine that is busy with other tests.
const PROMPT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn others_are_answered_at_once_while_requests_of_very_many_pieces_are_prepared() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream).budget(2000, 100);
    let proxy = builder.setting("memory", &format!("deadline_ms = {DEADLINE}")).start().await;
    let large = [
        format!(
            r#"{{"model":"gpt-4o","messages":[{}{{"role":"user","content":"last"}}]}}"#,
            r#"{"role":"user","content":"a b c"},"#.repeat(100_000)
        ),
        format!(
            r#"{{"model":"some-model","messages":[{}{{"role":"user","content":"last"}}]}}"#,
            r#"{"role":"user","content":"a"},"#.repeat(100_000)
        ),
        format!(r#"{{"messages":[{{"role":"user","content":[{}1]}}]}}"#, "1,".repeat(4_000_000)),
        format!(r#"{{"messages":[{}1]}}"#, "{},".repeat(2_000_000)),
    ];
    // More of them than the process has threads for requests, each a second time, when it is known.
    let asking = async {
        for body in &large {
            let started = Instant::now();
            let answers = futures::future::join_all((0..4).map(|_| proxy.chat(body.clone()))).await;
            for answer in answers {
                assert_eq!(answer.status, 200);
                assert_ne!(answer.outcome(), "rewritten");
            }
            let most = Duration::from_millis(DEADLINE) * 2 + PROMPT * 2;
            assert!(started.elapsed() < most, "{} bytes took {:?}", body.len(), started.elapsed());
        }
    };
    let others = async {
        let mut slowest = Duration::ZERO;
        loop {
            let started = Instant::now();
            assert_eq!(proxy.get("/healthz").await.status, 200);
            let small = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
            assert_eq!(proxy.chat(small).await.status, 200);
            slowest = slowest.max(started.elapsed());
            assert!(slowest < PROMPT, "somebody else waited {slowest:?}");
        }
    };
    let both = async {
        tokio::select! {
            () = asking => {}
            () = others => {}
        }
    };
    within("every large request is answered", Duration::from_secs(100), both).await;
}
