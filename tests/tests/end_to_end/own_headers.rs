//! What is said to mainpoint alone: its own headers and the user's end here, whatever way a request takes.

use http::Method;
use mainpoint_tests::websocket::{EchoUpstream, Line};
use mainpoint_tests::{Answer, ScriptedUpstream, StartedProxy};

const OWN: [(&str, &str); 5] = [
    ("x-mainpoint-mode", "on"),
    ("X-Mainpoint-User", "ann@example.com"),
    ("x-mainpoint", "1"),
    ("x-mainpoint-something-new", "1"),
    ("X-Tenant", "ann@example.com"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_mainpoint_sees_its_headers_and_the_users_in_any_mode_and_on_any_path() {
    let upstream = ScriptedUpstream::start().await;
    for mode in ["on", "shadow", "off"] {
        let builder = StartedProxy::builder().upstream(&upstream.base_url());
        let builder = builder.setting("memory", &format!("mode = \"{mode}\""));
        let proxy = builder.setting("memory", "user_header = \"x-tenant\"").start().await;
        for (method, path) in [
            (Method::POST, "/v1/chat/completions"),
            (Method::POST, "/v1/responses"),
            (Method::POST, "/v1/embeddings"),
            (Method::GET, "/v1/models"),
        ] {
            let mut request = proxy.request(method, path).header("x-tenants", "stays");
            for (name, value) in OWN {
                request = request.header(name, value);
            }
            let body = r#"{"model":"x","messages":[{"role":"user","content":"hi"}],"input":"hi"}"#;
            let answer = Answer::from_response(request.body(body).send().await.expect("an answer")).await;
            assert_eq!(answer.status, 200, "{mode} {path}");
            let received = upstream.last_request();
            for name in received.headers.keys() {
                assert!(!name.as_str().starts_with("x-mainpoint"), "{mode} {path}: {name}");
            }
            assert_eq!(received.header("x-tenant"), "", "{mode} {path}");
            assert_eq!(received.header("x-tenants"), "stays", "{mode} {path}");
            assert!(answer.header("x-mainpoint").starts_with("passthrough"), "{mode} {path}");
            let expected = match (mode, path) {
                ("off", _) => "mode-off",
                (_, "/v1/embeddings" | "/v1/models") => "other-path",
                _ => "",
            };
            assert_eq!(answer.reason(), expected, "{mode} {path}");
        }
    }
    let upstream = EchoUpstream::start().await;
    let proxy = StartedProxy::builder().upstream(&upstream.base_url()).start().await;
    let head = "GET /v1/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                X-Mainpoint-User: ann@example.com\r\nx-mainpoint-mode: on\r\n\r\n";
    Line::open(proxy.authority(), head).await;
    assert!(!upstream.last_head().to_ascii_lowercase().contains("mainpoint"), "{}", upstream.last_head());
}
