//! Headers in both directions, and every path that is not a chat.

use http::{Method, StatusCode};
use mainpoint_tests::{Answer, Gate, Reply, ScriptedUpstream, StartedProxy, wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_travel_both_ways_except_those_of_one_connection() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for (path, body) in [
        ("/v1/chat/completions", r#"{"messages":[{"role":"user","content":"hi"}],"model":"x"}"#),
        ("/v1/embeddings", r#"{"input":"hi","model":"x"}"#),
    ] {
        upstream.reply_next(
            Reply::bytes("application/json; charset=utf-8", "{}")
                .header("x-ratelimit-remaining", "41")
                .header("openai-processing-ms", "12")
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                .header("x-secret-of-the-hop", "yes")
                .header("keep-alive", "timeout=99")
                .header("connection", "x-secret-of-the-hop"),
        );
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: somewhere.example\r\nAuthorization: Bearer sk-caller\r\n\
             OpenAI-Organization: org-1\r\nX-Custom: b\r\nX-Custom: a\r\nUser-Agent: odd/1.0\r\n\
             TE: trailers\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic eA==\r\n\
             X-Hop: private\r\nConnection: close, X-Hop\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        let answer = wire::exchange(proxy.authority(), request.as_bytes()).await;
        let answer = String::from_utf8(answer).expect("text").to_lowercase();
        assert_eq!(wire::status(answer.as_bytes()), 200, "{path}");
        for relayed in [
            "content-type: application/json; charset=utf-8\r\n",
            "x-ratelimit-remaining: 41\r\n",
            "openai-processing-ms: 12\r\n",
            "set-cookie: a=1\r\n",
            "set-cookie: b=2\r\n",
        ] {
            assert!(answer.contains(relayed), "{path}: the answer lacks {relayed}{answer}");
        }
        for stripped in ["x-secret-of-the-hop", "timeout=99"] {
            assert!(!answer.contains(stripped), "{path}: the answer has {stripped}\n{answer}");
        }

        let received = upstream.last_request();
        assert_eq!(received.target, path);
        assert_eq!(received.body, body);
        assert_eq!(received.header("authorization"), "Bearer sk-caller", "{path}");
        assert_eq!(received.header("openai-organization"), "org-1", "{path}");
        assert_eq!(received.header("user-agent"), "odd/1.0", "{path}");
        assert_eq!(received.header("host"), upstream.base_url().replace("http://", "").replace("/v1", ""), "{path}");
        let encodings = received.header("accept-encoding");
        assert!(["", "identity"].contains(&encodings), "{path}: nobody asked for {encodings}");
        let custom: Vec<_> = received.headers.get_all("x-custom").iter().collect();
        assert_eq!(custom, ["b", "a"], "{path}");
        for stripped in ["x-hop", "te", "keep-alive", "proxy-authorization"] {
            assert_eq!(received.header(stripped), "", "{path}: {stripped} belongs to the caller's connection");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_headers_travel_both_ways() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        upstream.reply_next(
            (0..900).fold(Reply::chat("Yes."), |reply, number| reply.header("x-many", &number.to_string())),
        );
        let lines = (0..900).fold(String::new(), |lines, number| format!("{lines}X-Many: {number}\r\n"));
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let answer = wire::exchange(proxy.authority(), format!("{head}{lines}\r\n{body}").as_bytes()).await;
        let shown = String::from_utf8_lossy(&answer).to_lowercase();
        assert_eq!(wire::status(&answer), 200, "{path}: {shown}");
        assert_eq!(shown.matches("x-many:").count(), 900, "{path}");
        assert_eq!(upstream.last_request().headers.get_all("x-many").iter().count(), 900, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_path_is_relayed_with_method_query_body_and_status() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let multipart =
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n\x00\xff\r\n--b--\r\n";
    let requests: [(Method, &str, &[u8], StatusCode); 7] = [
        (Method::GET, "/v1/models?limit=2&after=a%2Fb+c", b"", StatusCode::OK),
        (Method::POST, "/v1/embeddings", br#"{ "input":["a","b"] }"#, StatusCode::OK),
        (Method::POST, "/v1/files", multipart, StatusCode::CREATED),
        (Method::DELETE, "/v1/files/file-1", b"", StatusCode::NO_CONTENT),
        (Method::GET, "/v1/chat/completions/chatcmpl-1", b"", StatusCode::NOT_FOUND),
        (Method::GET, "/v1/chat/completions", b"", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/v1/responses", br#"{"input":"x","previous_response_id":"resp_1"}"#, StatusCode::IM_A_TEAPOT),
    ];
    for (method, path, body, status) in requests {
        let mut scripted = Reply::status(status).header("x-answer", path);
        if status != StatusCode::NO_CONTENT {
            scripted = scripted.then(vec![0, 1, 255, b'\r', b'\n']);
        }
        let sent_back = scripted.body();
        upstream.reply_next(scripted);
        let request = proxy.request(method.clone(), path).header("content-type", "multipart/form-data; boundary=b");
        let answer = Answer::from_response(request.body(body.to_vec()).send().await.expect("an answer")).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.body, sent_back, "{method} {path}");
        assert_eq!(answer.header("x-answer"), path);
        let received = upstream.last_request();
        assert_eq!((&received.method, received.target.as_str()), (&method, path));
        assert_eq!(received.body, body, "{method} {path}");
        assert_eq!(received.header("content-type"), "multipart/form-data; boundary=b");
    }

    // Some services insist on being told that there is no body.
    for path in ["/v1/responses/resp_1/cancel", "/v1/chat/completions"] {
        let raw = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(wire::status(&wire::exchange(proxy.authority(), raw.as_bytes()).await), 200, "{path}");
        assert_eq!(upstream.last_request().header("content-length"), "0", "{path}");
    }

    // A redirect is the caller's to follow.
    upstream.reply_next(Reply::status(StatusCode::TEMPORARY_REDIRECT).header("location", "/v1/elsewhere"));
    let before = upstream.requests().len();
    let raw = format!("GET /v1/old HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.authority());
    assert_eq!(wire::status(&wire::exchange(proxy.authority(), raw.as_bytes()).await), 307);
    assert_eq!(upstream.requests().len(), before + 1, "the redirect was not followed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_answer_streams_and_an_upload_in_chunks_arrives_whole() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let gate = Gate::closed();
    upstream.reply_next(Reply::events().then("data: one\n\n").then_wait(&gate).then("data: two\n\n"));
    let parts = ["first ", "second ", "third"].map(|part| Ok::<_, std::io::Error>(bytes::Bytes::from(part)));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(parts));
    let mut response = proxy.request(Method::POST, "/v1/responses").body(body).send().await.expect("an answer");
    let first = response.chunk().await.expect("a chunk").expect("the first event");
    assert_eq!(first, "data: one\n\n", "the first event is here while the second is not sent yet");
    gate.open();
    assert_eq!(response.bytes().await.expect("the rest"), "data: two\n\n");
    assert_eq!(upstream.last_request().body, "first second third");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configured_key_is_used_when_the_caller_has_none_and_is_never_said() {
    let secret = "sk-configured-key-that-nobody-may-see";
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .setting("upstream", "api_key_env = \"MAINPOINT_TEST_UPSTREAM_KEY\"")
        .setting("log", "filter = \"debug\"")
        .environment("MAINPOINT_TEST_UPSTREAM_KEY", secret)
        .start()
        .await;
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"model":"x"}"#;
    let url = format!("{}/chat/completions", proxy.base_url());
    let answer = Answer::from_response(proxy.client().post(url).body(body).send().await.expect("an answer")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.last_request().header("authorization"), format!("Bearer {secret}"));
    let caller = "Bearer sk-callers-own-key-is-secret-as-well";
    assert_eq!(proxy.chat_as(caller, body).await.status, 200);
    assert_eq!(upstream.last_request().header("authorization"), caller, "the caller's own key goes first");

    let metrics = proxy.get("/metrics").await.text();
    let output = proxy.output();
    assert!(output.contains("mainpoint"), "the log is there: {output}");
    for text in [&output, &metrics] {
        assert!(!text.contains(secret) && !text.contains("sk-callers-own-key"), "a key was said: {text}");
    }
    for key in [secret, "sk-callers-own-key"] {
        assert_eq!(proxy.home().data_files_with(key), Vec::<std::path::PathBuf>::new(), "they hold a key");
    }
}
