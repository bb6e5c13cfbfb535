//! Clients that leave, take nothing, say everything at once or are answered early. What else clients may do wrong is in
//! `connections`, `bad_requests`, `upstream_connections` and `stopping`.

use std::time::{Duration, Instant};

use mainpoint_tests::faulty_upstream::Act::{Flood, Hold, Keep, Say};
use mainpoint_tests::faulty_upstream::{Act, FaultyUpstream, SCRIPT};
use mainpoint_tests::proxy::ProxyBuilder;
use mainpoint_tests::{Answer, StartedProxy, wait_until, wire, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::no_panic;

const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const EVENT: &str = "data: {\"choices\":[]}\n\n";
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon an upstream sees that a client has gone. The machine may be busy, so that the best of several tries counts.
const AT_ONCE: Duration = Duration::from_millis(100);
const TRIES: usize = 5;

async fn started(scripts: impl IntoIterator<Item = (String, Vec<Act>)>) -> (FaultyUpstream, StartedProxy) {
    let scripts = scripts.into_iter().map(|(name, acts)| (name, vec![acts]));
    let upstream = FaultyUpstream::start(scripts).await;
    let builder = ProxyBuilder::as_shipped().upstream(&upstream.base_url()).setting("memory", "mode = \"off\"");
    let proxy = builder.start().await;
    (upstream, proxy)
}

/// A request of HTTP/1.1 as it is written.
fn written(script: &str) -> String {
    format!("GET /v1/models HTTP/1.1\r\nhost: x\r\n{SCRIPT}: {script}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_of_a_client_that_leaves_is_let_go_within_a_tenth_of_a_second() {
    let begun = Say(EVENTS.into());
    let answers = [
        ("before", vec![Hold]),
        ("after", vec![begun.clone(), Say(EVENT.into()), Hold]),
        ("endless", vec![begun, Flood(EVENT.repeat(100).into())]),
    ];
    let named = |name: &str, version: usize, turn: usize| format!("{name}-{version}-{turn}");
    let scripts = answers
        .iter()
        .flat_map(|(name, acts)| (0..2 * TRIES).map(move |number| (named(name, number % 2, number / 2), acts.clone())));
    let (upstream, proxy) = started(scripts).await;
    for (version, client) in [wire::client(), wire::client_of_http_2()].into_iter().enumerate() {
        for (name, _) in &answers {
            let mut soonest = PATIENCE;
            for turn in 0..TRIES {
                let script = named(name, version, turn);
                let request = client.post(format!("{}/chat/completions", proxy.base_url())).header(SCRIPT, &script);
                let asking = tokio::spawn(async move {
                    let mut response = request.body("{}").send().await.expect("an answer");
                    assert!(response.chunk().await.expect("a stream").is_some());
                    response
                });
                wait_until("the request is there", PATIENCE, || async { upstream.taken(&script) == 1 }).await;
                let gone = if *name == "before" {
                    asking.abort();
                    let _ = asking.await;
                    Instant::now()
                } else {
                    let response = within("it begins", PATIENCE, asking).await.expect("a task");
                    drop(response);
                    Instant::now()
                };
                wait_until("the upstream is let go", PATIENCE, || async { upstream.left(&script).is_some() }).await;
                let left = upstream.left(&script).expect("it was let go");
                soonest = soonest.min(left.saturating_duration_since(gone));
            }
            assert!(soonest < AT_ONCE, "{name} the first byte, HTTP/{}: {soonest:?}", version + 1);
        }
    }
    no_panic(&proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_its_half_has_left() {
    let (upstream, proxy) = started([("half".to_owned(), vec![Hold])]).await;
    let mut stream = TcpStream::connect(proxy.authority()).await.expect("a connection");
    stream.write_all(written("half").as_bytes()).await.expect("it is sent");
    wait_until("the request is there", PATIENCE, || async { upstream.taken("half") == 1 }).await;
    stream.shutdown().await.expect("half a connection");
    let mut answer = Vec::new();
    within("the connection ends", PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    wait_until("the upstream is let go", PATIENCE, || async { upstream.left("half").is_some() }).await;
    no_panic(&proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_at_once_are_answered_in_their_order() {
    const REQUESTS: usize = 20;
    let answer = |number: usize| {
        let body = format!("answer {number:02};");
        Say(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into())
    };
    let scripts = (0..REQUESTS).map(|number| (number.to_string(), vec![answer(number), Keep]));
    let (upstream, proxy) = started(scripts).await;
    let mut stream = TcpStream::connect(proxy.authority()).await.expect("a connection");
    let all: String = (0..REQUESTS).map(|number| written(&number.to_string())).collect();
    stream.write_all(all.as_bytes()).await.expect("they are sent");
    let mut answers = String::new();
    while !answers.contains(&format!("answer {:02};", REQUESTS - 1)) {
        let mut piece = [0; 4096];
        let length = within("more comes", PATIENCE, stream.read(&mut piece)).await.expect("an answer");
        assert!(length > 0, "it ended after {answers}");
        answers.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let places: Vec<_> = (0..REQUESTS).map(|number| answers.find(&format!("answer {number:02};"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{answers}");
    assert!((0..REQUESTS).all(|number| upstream.taken(&number.to_string()) == 1), "each was sent once");
    no_panic(&proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_waits_for_a_client_that_takes_nothing_and_goes_on_when_it_does() {
    const MOST: usize = 64 << 20;
    let flood = vec![Say(EVENTS.into()), Flood(EVENT.repeat(1000).into())];
    let (upstream, proxy) = started([("flood".to_owned(), flood)]).await;
    let mut stream = TcpStream::connect(proxy.authority()).await.expect("a connection");
    stream.write_all(written("flood").as_bytes()).await.expect("it is sent");
    let still = || async {
        let before = upstream.flooded();
        tokio::time::sleep(Duration::from_millis(500)).await;
        before > 0 && upstream.flooded() == before
    };
    wait_until("the upstream waits", PATIENCE, still).await;
    let held = upstream.flooded();
    assert!(held < MOST, "{held} bytes are on the way");
    let mut taken = 0;
    let mut buffer = vec![0; 1 << 20];
    while taken < 2 * held {
        let length = within("more comes", PATIENCE, stream.read(&mut buffer)).await.expect("a stream");
        assert!(length > 0, "it ended after {taken} bytes");
        taken += length;
    }
    assert!(upstream.flooded() > held, "the upstream goes on");
    drop(stream);
    wait_until("the upstream is let go", PATIENCE, || async { upstream.left("flood").is_some() }).await;
    no_panic(&proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_before_the_request_is_whole_reaches_the_client() {
    const ANSWER: &[u8] =
        b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 10\r\nconnection: close\r\n\r\ntoo large.";
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("the port"));
    let upstream = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_exact(&mut [0; 64]).await.expect("a head");
            stream.write_all(ANSWER).await.expect("it is sent");
            // What still comes is read, so that the answer is not lost.
            let mut rest = vec![0; 1 << 20];
            while let Ok(1..) = stream.read(&mut rest).await {}
        }
    });
    let builder = ProxyBuilder::as_shipped().upstream(&url).setting("memory", "mode = \"off\"");
    let proxy = builder.start().await;
    for path in ["/v1/files", "/v1/chat/completions"] {
        let request = proxy.request(http::Method::POST, path).body(vec![b'a'; 16 << 20]).send();
        let answer = within("an answer", PATIENCE, request).await.expect("an answer");
        let answer = Answer::from_response(answer).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (413, "too large."), "{path}");
    }
    upstream.abort();
    no_panic(&proxy);
}
