//! Other spellings of what means the same, and what reaches the upstream exactly as it was spelled.

use http::{Method, StatusCode};
use mainpoint_tests::{Answer, Reply, ScriptedUpstream, StartedProxy, wire};

const CHAT: &str = r#"{"model":"x","messages":[{"role":"user","content":"hi"}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spelling_of_the_path_of_a_chat_takes_the_memory_path_and_goes_on_as_it_was_written() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for (path, sent) in [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1//chat/completions", "/v1//chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions/"),
        ("/v1///chat//completions//?a='b'", "/v1///chat//completions//?a='b'"),
        ("//v1/chat/completions", "/v1/chat/completions"),
        ("/v1/%63hat/completion%73", "/v1/%63hat/completion%73"),
        ("/%761/chat/completions", "/v1/chat/completions"),
        ("/v1//responses/", "/v1//responses/"),
    ] {
        let body = CHAT.replace("\"messages\"", "\"input\":\"hi\",\"messages\"");
        let raw = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nCONTENT-TYPE: Application/JSON; Charset=UTF-8\r\ncontent-length: {}\r\n\
             connection: Close\r\n\r\n{body}",
            body.len()
        );
        let answer = wire::exchange(proxy.authority(), raw.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200 "), "{path}: {answer}");
        assert!(answer.contains("\r\nx-mainpoint: passthrough\r\n"), "{path} is no chat: {answer}");
        assert!(answer.contains("\r\nx-mainpoint-tokens-in: "), "{path}: {answer}");
        let received = upstream.last_request();
        assert_eq!(received.target, sent, "{path}");
        assert_eq!(received.body, body, "{path}");
    }
    for path in ["/v1/chat%2Fcompletions", "/v1/Chat/completions", "/v1/chat/completions/x"] {
        let answer = post(&proxy, path).await;
        assert_eq!(answer.reason(), "other-path", "{path}");
        assert_eq!(upstream.last_request().target, path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_model_answers_under_every_spelling() {
    let proxy = StartedProxy::builder().start().await;
    for path in ["/v1//models/", "//v1/models", "/v1/%6dodels"] {
        let answer = proxy.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()["object"], "list", "{path}");
    }
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = proxy.request(Method::POST, "/v1//chat/completions/").body(body);
    let answer = Answer::from_response(request.send().await.expect("an answer")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["object"], "chat.completion");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_queries_reach_the_upstream_character_by_character() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for target in [
        "/v1/models?filter=name%20eq%20'x'&order=it's",
        "/v1/models?a=b+c%2Fd&e=(f)*!~;g:h@i/j?k,$&'()*+,;=:@/?",
        "/v1/models?[a]={b}|^`\\x&empty=&&=",
        "/v1/models?",
        "/v1/files/a{b}c|d^e",
        "/v1/files/it's(1)~!*;v=1,2",
        "/v1/files/a\\b",
        "/v1/files/\u{e9}?q=\u{6f22}",
        "/v1/files/%C3%A9%2f%2F%20?q=%e6%BC%a2",
        "/v1/x%27y?z=%27",
    ] {
        for (method, body) in [("GET", ""), ("POST", CHAT)] {
            let raw = format!(
                "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let answer = wire::exchange(proxy.authority(), raw.as_bytes()).await;
            assert_eq!(wire::status(&answer), 200, "{method} {target}");
            let received = upstream.last_request();
            assert_eq!(received.target, target, "{method}");
            assert_eq!(received.body, body, "{method} {target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_mode_off_the_upstream_gets_the_callers_headers_and_no_others() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").start().await;
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        for lines in [
            "",
            "accept: text/event-stream\r\naccept-encoding: gzip, br;q=0.5\r\ncookie: a=1; b=2\r\nx-empty: \r\n",
            "accept: */*\r\naccept-encoding: identity;q=0\r\naccept: application/json\r\n",
        ] {
            let raw = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}content-length: {}\r\n\r\n{CHAT}",
                CHAT.len()
            );
            assert_eq!(wire::status(&wire::exchange(proxy.authority(), raw.as_bytes()).await), 200);
            let received = upstream.last_request();
            let mut got: Vec<String> = received
                .headers
                .iter()
                .filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()))
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
                .collect();
            let mut sent: Vec<String> = lines.lines().map(|line| line.trim_end().to_owned()).collect();
            sent.iter_mut().filter(|line| line.ends_with(':')).for_each(|line| line.push(' '));
            got.sort();
            sent.sort();
            assert_eq!(got, sent, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookies_of_http_2_arrive_as_one_header_of_http_1() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        let request = wire::client_of_http_2().post(format!("http://{}{path}", proxy.authority()));
        let request = request.header("cookie", "a=1").header("cookie", "b=2, 3").header("cookie", "c=\"4\"");
        let answer = request.header("x-list", "1").header("x-list", "2").body(CHAT).send().await.expect("an answer");
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert_eq!(answer.status(), 200, "{path}");
        let received = upstream.last_request();
        let cookies: Vec<_> = received.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2, 3; c=\"4\""], "{path}");
        let list: Vec<_> = received.headers.get_all("x-list").iter().collect();
        assert_eq!(list, ["1", "2"], "{path}: other headers stay apart");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_is_remembered_is_asked_for_plainly_and_any_other_as_the_caller_wants_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for (path, mode, expected) in [
        ("/v1/chat/completions", "on", "identity"),
        ("/v1/chat/completions", "shadow", "identity"),
        ("/v1/chat/completions", "off", "gzip, br"),
        ("/v1/embeddings", "on", "gzip, br"),
    ] {
        upstream.reply_next(Reply::status(StatusCode::OK).then("{}"));
        let request = proxy.request(Method::POST, path).header("accept-encoding", "gzip, br");
        let request = request.header("x-mainpoint-mode", mode).body(CHAT);
        assert_eq!(request.send().await.expect("an answer").status(), 200);
        assert_eq!(upstream.last_request().header("accept-encoding"), expected, "{path} {mode}");
    }
}

async fn post(proxy: &StartedProxy, path: &str) -> Answer {
    let request = proxy.request(Method::POST, path).body(CHAT);
    Answer::from_response(request.send().await.expect("an answer")).await
}
