//! `server.max_memory`: however much clients send at once, the process takes no more than it may, and everybody is answered.

#![expect(clippy::print_stdout, reason = "how much was taken is to be seen")]

use std::time::Duration;

use bytes::Bytes;
use mainpoint_tests::conversation::{Conversation, thirty_exchanges_and_the_question};
use mainpoint_tests::{
    Answer, Crowd, Gate, Reply, ScriptedUpstream, StartedProxy, compression, usage, wait_until, within,
};

/// What the process may take here, in MiB; half of it is for bodies and what is made of them.
const MAX_MEMORY: usize = 256;
/// Bytes of one body.
const BODY: usize = 3 << 20;
/// Clients at once, whose bodies are several times as much as may be held.
const CLIENTS: usize = 200;
/// What is not in the bound, in MiB: sockets' buffers, up to 128 KiB each way of client and upstream, and what the allocator has not
/// given back yet.
const ALLOWANCE: f64 = CLIENTS as f64 * 0.25;
/// How long all of them may take.
const ALL: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_with_large_bodies_are_answered_within_max_memory_and_so_is_everybody_after_them() {
    let upstream = ScriptedUpstream::start().await;
    upstream.forget_bodies();
    let proxy = StartedProxy::before(&upstream)
        .budget(1000, 200)
        .setting("server", &format!("max_memory = \"{MAX_MEMORY} MiB\""))
        .setting("server", "max_body_bytes = 8388608")
        .setting("memory", "deadline_ms = 5000")
        .start()
        .await;
    proxy.ready().await;
    assert_eq!(proxy.chat(greeting().body()).await.status, 200);
    let idle = usage::of_tree(proxy.process_id()).resident_mib;
    usage::forget_peaks(proxy.process_id());

    // The first answers begin when somebody was refused; each is a long stream then.
    let gate = Gate::closed();
    let slow = gate.clone();
    let words = "word ".repeat(400);
    upstream.always(move |_| Reply::stream(&words).paced(Duration::from_millis(1)).held_back(&slow));
    let bodies = [plain(), compression::compressed("gzip", &plain()), history()].map(Bytes::from);
    let asking = futures::future::join_all((0..CLIENTS).map(|client| {
        let (proxy, bodies) = (&proxy, &bodies);
        let which = [0, 0, 0, 1, 2][client % 5];
        async move {
            let request = proxy.request(http::Method::POST, "/v1/chat/completions");
            let request = request.header("content-type", "application/json").body(bodies[which].clone());
            let request = if which == 1 { request.header("content-encoding", "gzip") } else { request };
            Answer::from_response(request.send().await.expect("an answer")).await
        }
    }));
    let opening = async {
        wait_until("somebody is refused", ALL, || async { no_room(&proxy, "body").await > 0.0 }).await;
        gate.open();
    };
    let (answers, ()) = within("everybody is answered", ALL * 2, futures::future::join(asking, opening)).await;
    let peak = usage::of_tree(proxy.process_id()).peak_mib - idle;
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
    for answer in &refused {
        assert_eq!((&answer.error()["code"], answer.header("retry-after")), (&"no_room".into(), "1"));
    }
    let answered = answers.iter().filter(|answer| answer.status == 200 && answer.reply().split(' ').count() > 400);
    let answered = answered.count();
    println!(
        "{CLIENTS} clients with {} MiB each: {answered} answered, {} refused, {peak:.0} MiB over the {idle:.0} of the start; \
         server.max_memory is {MAX_MEMORY} MiB",
        BODY >> 20,
        refused.len(),
    );
    assert_eq!(answered + refused.len(), CLIENTS, "everybody is answered, or refused in the envelope");
    assert!(!refused.is_empty() && answered >= 20, "{answered} were answered");
    assert!(peak < MAX_MEMORY as f64 + ALLOWANCE, "{peak:.0} MiB over the {idle:.0} of the start");
    let without: Vec<&str> = answers.iter().map(Answer::reason).filter(|reason| *reason == "no-room").collect();
    assert_eq!(no_room(&proxy, "request").await, without.len() as f64, "whoever did without the memory is counted");

    // All that was held is free again, and the memory works.
    wait_until("nothing is held", ALL, || async { held(&proxy).await == 0.0 }).await;
    upstream.always(|request| request.said("All right."));
    let chat = thirty_exchanges_and_the_question("7391-K");
    let other = "Bearer sk-test-tenant-b";
    assert_eq!(proxy.chat_as(other, chat.body()).await.status, 200);
    wait_until("what was said is read", ALL, || async {
        let answer = proxy.chat_as(other, chat.body()).await;
        assert_eq!(answer.status, 200);
        answer.outcome() == "rewritten"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_do_not_come_keep_no_room_that_others_need_and_relayed_ones_take_none() {
    let upstream = ScriptedUpstream::start().await;
    upstream.forget_bodies();
    let proxy = StartedProxy::before(&upstream)
        .setting("server", "max_memory = \"64 MiB\"")
        .setting("server", "max_body_bytes = 16777216")
        .start()
        .await;
    // Six bodies of 5 MiB take nearly all that there is.
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{{",
        proxy.authority(),
        5 << 20,
    );
    let crowd = Crowd::gather(proxy.authority(), 6, head.as_bytes()).await.trickling(b' ');
    wait_until("room is taken", ALL, || async { held(&proxy).await >= f64::from(30 << 20) }).await;
    let relayed = proxy.post("/v1/embeddings", vec![b' '; 12 << 20]).await;
    assert_eq!((relayed.status.as_u16(), relayed.reason()), (200, "other-path"));
    let answer = proxy.chat(plain()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(no_room(&proxy, "body").await > 0.0);
    drop(crowd);
}

async fn no_room(proxy: &StartedProxy, what: &str) -> f64 {
    proxy.metrics().await.sum("mainpoint_no_room_total", &[("what", what)])
}

async fn held(proxy: &StartedProxy) -> f64 {
    let metrics = proxy.metrics().await;
    assert!(metrics.has("mainpoint_held_bytes"), "the metrics say nothing about what is held");
    metrics.sum("mainpoint_held_bytes", &[])
}

fn greeting() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.user("Hello there, and good morning!");
    conversation
}

/// A short question beside an image.
fn plain() -> Vec<u8> {
    let image = format!("data:image/png;base64,{}", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQ".repeat(BODY / 35));
    let mut conversation = Conversation::new();
    conversation.message(&serde_json::json!({"role": "user", "content": [
        {"type": "text", "text": "What is in this image?"},
        {"type": "image_url", "image_url": {"url": image}},
    ]}));
    conversation.streaming().body().into_bytes()
}

/// A history of very many small messages.
fn history() -> Vec<u8> {
    let message = r#"{"role":"user","content":"one more of very many"},"#;
    let messages = message.repeat(BODY / 4 / message.len());
    format!(r#"{{"model":"gpt-4o-mini","stream":true,"messages":[{messages}{{"role":"user","content":"the last"}}]}}"#)
        .into()
}
