//! TLS on the listening socket: everything is as without it, whoever does not speak it is told so, and certificates are renewed.

use std::fs;
use std::time::Duration;

use mainpoint_tests::certificates::{FIRST, ISSUER, SECOND, client, connect, files};
use mainpoint_tests::proxy::Home;
use mainpoint_tests::websocket::{EchoUpstream, FAREWELL, Line};
use mainpoint_tests::{
    Answer, Conversation, Crowd, Gate, Reply, ScriptedUpstream, StartedProxy, binary, sse, wait_until, wire,
};
use serde_json::Value;

use crate::bad_configuration::{assert_refused, serve_with};
use crate::shared::KEY_VARIABLE;
use crate::websockets::handshake;

/// How long a change may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

fn chat() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.user("The boat leaves at seven.");
    conversation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_streams_and_clients_that_leave_are_over_tls_as_without_it_in_http_1_and_2() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).tls().start().await;
    assert!(proxy.base_url().starts_with("https://127.0.0.1:"), "{}", proxy.base_url());
    proxy.ready().await;
    let issuer = reqwest::Certificate::from_pem(ISSUER.as_bytes()).expect("a certificate");
    let of_http_1 = wire::builder().http1_only().add_root_certificate(issuer).build().expect("a client");
    let never = Gate::closed();
    for (index, (client, version)) in
        [(of_http_1, http::Version::HTTP_11), (client(), http::Version::HTTP_2)].into_iter().enumerate()
    {
        let ask = |body: String| client.post(format!("{}/chat/completions", proxy.base_url())).body(body).send();
        upstream.reply_next(Reply::stream("It leaves at seven."));
        let answer = ask(chat().streaming().body()).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        let answer = Answer::from_response(answer).await;
        assert!(sse::is_done(&answer.body), "{}", answer.text());
        assert_eq!(upstream.last_request().body, chat().streaming().body());

        upstream.reply_next(Reply::events().event("{\"choices\":[]}").then_wait(&never));
        let mut leaving = ask(chat().streaming().body()).await.expect("an answer");
        assert!(leaving.chunk().await.expect("a stream").is_some());
        drop((leaving, client));
        upstream.abandoned(index + 1).await;
    }
    assert_eq!(proxy.chat(chat().body()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_tunnelled_over_tls() {
    let upstream = EchoUpstream::start().await;
    let proxy = StartedProxy::builder().upstream(&upstream.base_url()).tls().start().await;
    let (mut line, head) = Line::over(connect(proxy.authority()).await, &handshake("/v1/realtime", "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(line.receive(5).await, b"hello");
    line.send(&[7; 100_000]).await;
    assert_eq!(line.receive(100_000).await, [7; 100_000]);
    line.end().await;
    assert_eq!(line.rest().await, FAREWELL, "the other side may still speak");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_tls_is_told_so_and_a_handshake_where_there_is_none_is_no_request() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").tls().start().await;
    let request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    let answer = wire::exchange(proxy.authority(), request).await;
    assert_eq!(wire::status(&answer), 400);
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.contains("\"tls_required\"") && answer.contains("https://"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    let answer = wire::exchange(proxy.authority(), b"HELLO\r\n\r\n").await;
    assert_eq!(wire::status(&answer), 400);
    assert!(upstream.requests().is_empty(), "nothing was sent on");

    let plain = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").start().await;
    let hello = [&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[9; 194]].concat();
    let answer = wire::exchange(plain.authority(), &hello).await;
    assert!(String::from_utf8_lossy(&answer).contains("\"malformed_request\""), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_lock_nobody_out_and_are_given_up() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").tls();
    let proxy = builder.setting("server", "head_timeout_seconds = 3").start().await;
    let silent = Crowd::gather(proxy.authority(), 50, b"").await;
    let half = Crowd::gather(proxy.authority(), 50, &[22, 3, 1, 0, 200, 1, 0]).await;
    let metrics = proxy.metrics().await;
    assert!(metrics.sum("mainpoint_connections", &[]) >= 1.0, "connections are counted");
    wait_until("each handshake is a connection", PATIENCE, || async {
        proxy.metrics().await.sum("mainpoint_connections", &[]) >= 100.0 || silent.closed() > 0
    })
    .await;
    assert_eq!(proxy.chat(chat().body()).await.status, 200);
    silent.is_sent_away().await;
    half.is_sent_away().await;
    let closed = proxy.metrics().await.sum("mainpoint_connections_closed_total", &[("reason", "head_timeout")]);
    assert!(closed >= 100.0, "{closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_leaves_the_last() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").tls().start().await;
    let (home, authority) = (proxy.home(), proxy.authority());
    assert!(FIRST.is_shown(&connect(authority).await));
    let [certificate, _] = files(home.path());
    let said = |words: &str| proxy.output().contains(words);

    // Only one of the two files is the new one.
    fs::write(&certificate, SECOND.chain).expect("the certificate is written");
    wait_until("the broken renewal is said", PATIENCE, || async {
        connect(authority).await;
        said("the certificate and its key cannot be read again")
    })
    .await;
    assert!(said("its key does not fit the certificate in"), "{}", proxy.output());
    assert!(FIRST.is_shown(&connect(authority).await));

    SECOND.install(home.path());
    wait_until("the renewed certificate is shown", PATIENCE, || async { SECOND.is_shown(&connect(authority).await) })
        .await;
    assert_eq!(proxy.chat(chat().body()).await.status, 200);
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_by_a_start_and_by_a_check() {
    mainpoint_tests::models::require();
    let home = Home::new();
    let [certificate, key] = files(home.path());
    let text = format!("[server]\ntls_certificate = {certificate:?}\ntls_key = {key:?}\nlisten = \"127.0.0.1:0\"\n");
    let refused = |code: i32, named: &[&str]| {
        for arguments in [&["--check", "--listen", "127.0.0.1:0"][..], &["--listen", "127.0.0.1:0"]] {
            assert_refused(&serve_with(&home, &text, arguments), &[code], named);
        }
    };
    refused(66, &["server.tls_certificate", "certificate.pem"]);
    FIRST.install(home.path());
    fs::write(&key, FIRST.chain).expect("a file");
    refused(65, &["server.tls_key", "key.pem", "no private key in it"]);
    fs::write(&key, SECOND.key).expect("a file");
    refused(65, &["server.tls_key", "key.pem", "does not fit", "certificate.pem"]);
    fs::write(&certificate, FIRST.key).expect("a file");
    refused(65, &["server.tls_certificate", "certificate.pem", "no certificate in it"]);
    fs::remove_file(&key).expect("the file is removed");
    FIRST.install(home.path());
    fs::remove_file(&key).expect("the file is removed");
    refused(66, &["server.tls_key", "key.pem"]);

    for (one, other) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
        let refused = serve_with(&home, &format!("[server]\n{one} = \"a.pem\"\n"), &["--listen", "127.0.0.1:0"]);
        assert_refused(&refused, &[78], &[":2:", &format!("server.{one} = \"a.pem\""), &format!("server.{other}")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_ask_a_proxy_with_tls_if_they_trust_its_issuer() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).tls().start().await;
    proxy.chat(chat().body()).await;
    proxy.everything_read().await;
    let issuer = proxy.home().path().join("issuer.pem");
    fs::write(&issuer, ISSUER).expect("a file");
    let url = format!("https://{}", proxy.authority());
    let stats = |trusted: Option<&std::path::Path>| {
        let mut command = binary::command();
        command.args(["stats", "--json", "--url", &url, "--key-env", KEY_VARIABLE]);
        command.env(KEY_VARIABLE, "sk-test-tenant-a").env_remove("SSL_CERT_DIR");
        trusted.map(|issuer| command.env("SSL_CERT_FILE", issuer));
        tokio::task::spawn_blocking(move || binary::finish(command, &[]))
    };
    let asked = stats(Some(&issuer)).await.expect("a thread").successful();
    let said: Value = serde_json::from_str(&asked.stdout).expect("JSON");
    assert!(said["turns"].as_u64() > Some(0), "{said}");
    let refused = stats(None).await.expect("a thread");
    assert_eq!(refused.code, 69, "{}", refused.said());
}
