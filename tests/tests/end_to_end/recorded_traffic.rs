//! What real clients sent and real services streamed passes untouched, and is read as the official client reads it.
#![expect(clippy::print_stdout, reason = "how much was tried is to be seen")]

use std::time::Duration;

use http::Method;
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::recorded::{self, Interface, Recorded};
use mainpoint_tests::{Answer, Reply, ScriptedUpstream, StartedProxy, python, wait_until};
use serde_json::{Value, json};

/// The sizes of the pieces that every stream is cut into, in bytes.
const CUTS: [usize; 5] = [1, 2, 3, 17, 1024];
/// How long the receipt may take to tell of a reply that the client has already.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_requests_arrive_as_they_were_sent() {
    let directory = recorded::directory();
    let requests = recorded::requests(&directory);
    let (upstream, proxy) = start().await;
    for recorded in &requests {
        for mode in [None, Some("off")] {
            let answer = send(&proxy, recorded.interface, mode, recorded.body.clone()).await;
            let named = format!("{}, mode {mode:?}", recorded.file.display());
            assert_eq!(answer.status, 200, "{named}: {}", answer.text());
            let received = upstream.last_request();
            assert_eq!(received.target, recorded.interface.path(), "{named}");
            assert_eq!(received.body, recorded.body, "{named}: the request's bytes");
        }
    }
    assert_eq!(upstream.requests().len(), 2 * requests.len(), "each one was forwarded once");
    println!("{} recorded requests arrived as they were sent, with the memory on and off", requests.len());
    assert!(!requests.is_empty(), "no request in {}", directory.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_streams_arrive_byte_for_byte_at_every_chunking() {
    let directory = recorded::directory();
    let streams = recorded::streams(&directory);
    let (upstream, proxy) = start().await;
    let mut arrived = [0; CUTS.len()];
    for stream in &streams {
        for (size, arrived) in CUTS.into_iter().zip(&mut arrived) {
            upstream.reply_next(in_pieces(&stream.body, size));
            // Always the same question, so that the memory reads each reply only once.
            let answer = send(&proxy, stream.interface, None, question(stream.interface)).await;
            let named = format!("{} in pieces of {size} bytes", stream.file.display());
            assert_eq!(answer.status, 200, "{named}");
            assert_eq!(answer.header("content-type"), "text/event-stream", "{named}");
            assert_same(&named, &answer.body, stream.body.as_bytes());
            *arrived += 1;
        }
    }
    let cuts = CUTS.iter().zip(arrived);
    let cuts: Vec<String> = cuts.map(|(size, count)| format!("{count} in pieces of {size}")).collect();
    println!(
        "{} recorded streams × chunkings arrived byte for byte, of {} streams: {}",
        arrived.iter().sum::<usize>(),
        streams.len(),
        cuts.join(", ")
    );
    assert!(arrived.iter().all(|count| *count > 0), "a size was tried on no stream: {arrived:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_are_read_as_the_official_client_reads_them() {
    let directory = recorded::directory();
    let streams = recorded::streams(&directory);
    let (upstream, proxy) = start().await;
    for stream in &streams {
        upstream.reply_next(Reply::bytes("text/event-stream", stream.body.clone()));
    }
    let assembled = assemble(&proxy, &streams).await;
    assert_eq!(assembled.len(), streams.len(), "one line for each stream");
    assert_eq!(upstream.requests().len(), streams.len(), "one request for each stream, and no retries");

    let (mut unreadable, mut plain, mut compared) = (0, 0, 0);
    for (stream, seen) in streams.iter().zip(&assembled) {
        let named = format!("{}, of which the client says {seen}", stream.file.display());
        if seen.get("unreadable").is_some() {
            unreadable += 1;
            continue;
        }
        let is_plain = is_plain_text(seen);
        plain += usize::from(is_plain);
        let reply = noted_reply(&proxy, seen, is_plain).await;
        assert!(!is_plain || !reply.is_null(), "no reply was read from {named}");
        if !reply.is_null() {
            assert_eq!(reply["sha256"], seen["sha256"], "the reply of {named}");
            assert_eq!(reply["bytes"], seen["text"].as_str().map_or(0, str::len), "the reply of {named}");
            compared += 1;
        }
    }
    println!(
        "{compared} replies of {} recorded streams are what the official client put together; {plain} of them had to be read \
         because they are one plain text; the client cannot read {unreadable} of the streams",
        streams.len()
    );
    assert!(compared > 20, "only {compared} replies were compared");
}

async fn start() -> (ScriptedUpstream, StartedProxy) {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    (upstream, proxy)
}

async fn send(proxy: &StartedProxy, interface: Interface, mode: Option<&str>, body: String) -> Answer {
    let mut request = proxy.request(Method::POST, interface.path()).header("content-type", "application/json");
    if let Some(mode) = mode {
        request = request.header("x-mainpoint-mode", mode);
    }
    Answer::from_response(request.body(body).send().await.expect("an answer")).await
}

fn question(interface: Interface) -> String {
    let text = "What do the recordings say?";
    let question = match interface {
        Interface::ChatCompletions => {
            json!({"model": "x", "messages": [{"role": "user", "content": text}], "stream": true})
        }
        Interface::Responses => json!({"model": "x", "input": text, "stream": true}),
    };
    question.to_string()
}

fn in_pieces(body: &str, size: usize) -> Reply {
    let pieces = body.as_bytes().chunks(size);
    pieces.fold(Reply::events(), |reply, piece| reply.then(piece.to_vec()))
}

/// Compares two long bodies, and shows only where they part.
fn assert_same(named: &str, arrived: &[u8], sent: &[u8]) {
    let same = arrived.iter().zip(sent).take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let part = &bytes[same.saturating_sub(40)..bytes.len().min(same + 40)];
        String::from_utf8_lossy(part).into_owned()
    };
    assert!(
        arrived == sent,
        "{named}: {} bytes were sent, {} arrived, and they part at byte {same}: {:?} was sent, {:?} arrived",
        sent.len(),
        arrived.len(),
        around(sent),
        around(arrived)
    );
}

/// What the official client puts together of each stream, in order.
async fn assemble(proxy: &StartedProxy, streams: &[Recorded]) -> Vec<Value> {
    let key = TENANT.strip_prefix("Bearer ").expect("a bearer token");
    let interfaces: Vec<&str> = streams.iter().map(|stream| stream.interface.name()).collect();
    let (base_url, input) = (proxy.base_url().to_owned(), json!(interfaces).to_string());
    let run = tokio::task::spawn_blocking(move || python::run("assemble.py", &[&base_url, key], input.as_bytes()));
    let finished = run.await.expect("a thread").successful();
    let lines = finished.stdout.lines();
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    lines.map(parse).collect()
}

/// Whether the client saw one whole message of text and nothing else that belongs to the conversation.
fn is_plain_text(seen: &Value) -> bool {
    let is_whole = seen["finished"] == "stop" || seen["finished"] == "response.completed";
    is_whole && seen["messages"] == 1 && seen["more"] == false
}

/// What the receipt says of the reply; waits for it if it must come.
async fn noted_reply(proxy: &StartedProxy, seen: &Value, must_come: bool) -> Value {
    let path = format!("/mainpoint/receipts/{}", seen["id"].as_str().expect("an id"));
    let look = || async {
        let receipt = proxy.get(&path).await;
        assert_eq!(receipt.status, 200, "{}", receipt.text());
        receipt.json()["reply"].clone()
    };
    if must_come {
        let what = format!("the receipt tells of the reply of which the client says {seen}");
        wait_until(&what, PATIENCE, || async { !look().await.is_null() }).await;
    }
    look().await
}
