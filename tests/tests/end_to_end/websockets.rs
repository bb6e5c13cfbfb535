//! WebSockets: they are passed on in both directions, and the answer says that the memory does not apply.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use mainpoint_tests::websocket::{EchoUpstream, FAREWELL, Line};
use mainpoint_tests::{StartedProxy, python, wait_until};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_tunnelled_with_its_headers_until_both_sides_have_ended() {
    let upstream = EchoUpstream::start().await;
    let proxy = StartedProxy::builder().upstream(&upstream.base_url()).start().await;
    for path in ["/v1/realtime?model=gpt-realtime&x='", "/v1/responses", "/v1//anything/"] {
        let (mut line, head) =
            Line::open(proxy.authority(), &handshake(path, "Authorization: Bearer sk-caller\r\n")).await;
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{path}: {head}");
        for expected in [
            "upgrade: websocket\r\n",
            "connection: upgrade\r\n",
            "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
            "sec-websocket-protocol: realtime\r\n",
            "x-session: 7\r\n",
            "x-mainpoint: passthrough; reason=websocket\r\n",
        ] {
            assert!(head.contains(expected), "{path}: {expected} in {head}");
        }
        let sent = upstream.last_head();
        assert!(sent.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{sent}");
        let sent = sent.to_ascii_lowercase();
        for expected in [
            "connection: upgrade\r\n",
            "sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n",
            "sec-websocket-protocol: realtime, openai-beta.realtime-v1\r\n",
            "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n",
            "authorization: bearer sk-caller\r\n",
            "origin: https://app.example\r\n",
        ] {
            assert!(sent.contains(expected), "{path}: {expected} in {sent}");
        }
        assert!(!sent.contains("x-mainpoint") && !sent.contains("x-hop"), "{sent}");

        assert_eq!(line.receive(5).await, b"hello", "{path}: what came right behind the head");
        let message: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
        for part in message.chunks(70_000) {
            line.send(part).await;
            assert!(line.receive(part.len()).await == part, "{path}: the bytes come back as they were");
        }
        line.end().await;
        assert_eq!(line.rest().await, FAREWELL, "{path}: the other side may still speak");
    }
    wait_until("every tunnel is closed", TIMEOUT, || async {
        proxy.metrics().await.sum("mainpoint_tunnels", &[]) == 0.0
    })
    .await;
    let metrics = proxy.metrics().await;
    let counted = metrics.sum("mainpoint_requests_total", &[("route", "tunnel"), ("status", "101")]);
    let reasons = metrics.sum("mainpoint_passthrough_total", &[("reason", "websocket")]);
    assert!((counted - 3.0).abs() < f64::EPSILON && (reasons - 3.0).abs() < f64::EPSILON, "{counted} {reasons}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_that_the_upstream_refuses_is_refused_in_its_words() {
    let upstream = EchoUpstream::start().await;
    let builder = StartedProxy::builder().upstream(&upstream.base_url());
    let builder = builder.setting("upstream", "api_key_env = \"MAINPOINT_TEST_UPSTREAM_KEY\"");
    let proxy = builder.environment("MAINPOINT_TEST_UPSTREAM_KEY", "sk-configured").start().await;
    let refused = handshake("/v1/realtime", "Authorization: Bearer nobody\r\n");
    let (mut line, head) = Line::open(proxy.authority(), &refused).await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert!(head.to_ascii_lowercase().contains("x-reason: key\r\n"), "{head}");
    assert_eq!(line.receive(16).await, b"{\"error\":\"none\"}");

    // A page can only bring its key as a protocol; then the configured one is not added. Without any it is.
    let page = handshake("/v1/realtime", "Sec-WebSocket-Protocol: openai-insecure-api-key.sk-page\r\n");
    Line::open(proxy.authority(), &page).await;
    assert!(!upstream.last_head().to_ascii_lowercase().contains("\r\nauthorization:"), "{}", upstream.last_head());
    Line::open(proxy.authority(), &handshake("/v1/realtime", "")).await;
    assert!(upstream.last_head().contains("Bearer sk-configured"), "{}", upstream.last_head());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_a_websocket_no_longer_than_for_a_request() {
    let upstream = EchoUpstream::start().await;
    let proxy =
        StartedProxy::builder().upstream(&upstream.base_url()).setting("server", "drain_seconds = 2").start().await;
    let (mut line, head) = Line::open(proxy.authority(), &handshake("/v1/realtime", "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(line.receive(5).await, b"hello");
    let stopping = tokio::spawn(proxy.stop());
    line.send(b"still here?").await;
    assert_eq!(line.receive(11).await, b"still here?");
    stopping.await.expect("the proxy ends with status 0");
    assert!(line.rest().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_client_exchanges_messages_of_every_kind_with_its_server() {
    let mut command = python::command("websocket.py", &[]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = command.spawn().expect("the script starts");
    let lines = BufReader::new(script.stdout.take().expect("a pipe")).lines();
    let (port, lines) = next_line(lines).await;
    let upstream = format!("http://127.0.0.1:{port}/v1");
    let proxy = StartedProxy::builder().upstream(&upstream).start().await;
    let url = format!("ws://{}/v1/realtime?model=x", proxy.authority());
    let mut input = script.stdin.take().expect("a pipe");
    writeln!(input, "{url}").expect("the script reads");
    let (said, _) = next_line(lines).await;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(said["echoed"], true, "{said}");
    assert_eq!(said["is_alive"], true, "{said}");
    assert_eq!(said["subprotocol"], "realtime", "{said}");
    assert_eq!(said["outcome"], "passthrough; reason=websocket", "{said}");
    assert_eq!(said["close_code"], 1000, "{said}");
    let ended = tokio::task::spawn_blocking(move || script.wait()).await.expect("a thread");
    assert!(ended.expect("the script ends").success());
}

/// The next line that the script says. When it ends instead, its own words are on standard error.
async fn next_line(mut lines: Lines<BufReader<ChildStdout>>) -> (String, Lines<BufReader<ChildStdout>>) {
    let read = tokio::task::spawn_blocking(move || (lines.next(), lines));
    let (line, lines) = read.await.expect("a thread");
    (line.expect("a line of the script").expect("text"), lines)
}

/// A request to become a WebSocket, with further lines.
pub(crate) fn handshake(path: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: proxy.example\r\nConnection: keep-alive, Upgrade, X-Hop\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: realtime, openai-beta.realtime-v1\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: https://app.example\r\n\
         X-Hop: 1\r\nX-Mainpoint-User: ann\r\n{lines}\r\n"
    )
}
