//! Pages in browsers: they may use the embedded model, and a remote one as far as it says.

use http::{Method, StatusCode};
use mainpoint_tests::{Answer, Reply, ScriptedUpstream, StartedProxy};

const PAGE: &str = "https://app.example";
const TOLD: [&str; 5] = [
    "x-mainpoint",
    "x-mainpoint-tokens-in",
    "x-mainpoint-tokens-forwarded",
    "x-mainpoint-memories",
    "x-mainpoint-request-id",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_with_a_key_may_use_the_embedded_model_and_read_what_is_told_about_its_request() {
    let proxy = StartedProxy::builder().start().await;
    for path in ["/v1/chat/completions", "/v1/models", "/v1//models/", "/mainpoint/receipts/1"] {
        let asked = "authorization, content-type, x-mainpoint-mode, x-mainpoint-user, x-stainless-os";
        let answer = preflight(&proxy, path, PAGE, asked).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), "POST", "{path}");
        let allowed = answer.header("access-control-allow-headers");
        for name in asked.split(", ") {
            assert!(allowed.contains(name), "{path}: {name} in {allowed}");
        }
        assert!(answer.body.is_empty());
    }
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
    for (body, status) in [(body, 200), ("nonsense", 400)] {
        let request = proxy.request(Method::POST, "/v1/chat/completions").header("origin", PAGE);
        let answer = Answer::from_response(request.body(body).send().await.expect("an answer")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        let exposed = answer.header("access-control-expose-headers");
        for name in TOLD {
            assert!(exposed.split(',').any(|exposed| exposed.trim() == name), "{name} in {exposed}");
        }
    }
    let plain = proxy.get("/v1/models").await;
    assert_eq!(plain.header("access-control-allow-origin"), "", "nobody asked for a page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_only_pages_of_this_machine_may_ask() {
    let proxy = StartedProxy::builder().start().await;
    for (origin, expected) in [
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (PAGE, ""),
        ("null", ""),
        ("http://localhost.evil.example", ""),
    ] {
        let asked = preflight(&proxy, "/v1/chat/completions", origin, "content-type").await;
        assert_eq!(asked.header("access-control-allow-origin"), expected, "{origin}");
        let request = proxy.client().get(format!("{}/models", proxy.base_url())).header("origin", origin);
        let answer = Answer::from_response(request.send().await.expect("an answer")).await;
        assert_eq!(answer.header("access-control-allow-origin"), expected, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_of_another_machine_sends_without_a_key_is_relayed_and_leaves_nothing_in_the_memory() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Our landlord's account is ACME-777 now."}]}"#;
    for (origin, reason) in [(PAGE, "foreign-page"), ("http://localhost:3000", "")] {
        let request = proxy.client().post(format!("{}/chat/completions", proxy.base_url())).header("origin", origin);
        let answer = Answer::from_response(request.body(body).send().await.expect("an answer")).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (200, reason), "{origin}");
        assert_eq!(upstream.last_request().body, body, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remote_upstream_says_itself_what_pages_may_do_and_our_headers_are_added() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    upstream.reply_next(
        Reply::status(StatusCode::NO_CONTENT)
            .header("access-control-allow-origin", "*")
            .header("access-control-allow-headers", "authorization, content-type")
            .header("access-control-max-age", "7"),
    );
    let asked = "authorization,content-type,x-mainpoint-mode,x-mainpoint-user";
    let answer = preflight(&proxy, "/v1/chat/completions", PAGE, asked).await;
    assert_eq!(answer.status, 204);
    assert_eq!(upstream.last_request().method, Method::OPTIONS);
    assert_eq!(
        upstream.last_request().header("access-control-request-headers"),
        "authorization, content-type",
        "the upstream is not asked about what it never gets"
    );
    assert_eq!(answer.header("access-control-max-age"), "7");
    let allowed = listed(&answer, "access-control-allow-headers");
    for name in asked.split(',') {
        assert!(allowed.iter().any(|allowed| allowed == name), "{name} in {allowed:?}");
    }

    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        upstream.reply_next(
            Reply::chat("Yes.")
                .header("access-control-allow-origin", PAGE)
                .header("access-control-expose-headers", "x-request-id"),
        );
        let answer = ask(&proxy, path).await;
        let exposed = listed(&answer, "access-control-expose-headers");
        for name in TOLD.iter().chain(&["x-request-id"]) {
            assert!(exposed.iter().any(|exposed| exposed == name), "{path}: {name} in {exposed:?}");
        }
        // Where the upstream allows no page, neither do we.
        let answer = ask(&proxy, path).await;
        for name in ["access-control-allow-origin", "access-control-expose-headers"] {
            assert_eq!(answer.header(name), "", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_page_may_use_a_remote_model_and_the_memory_whatever_the_upstream_says_of_pages() {
    let upstream = ScriptedUpstream::start().await;
    let proxy =
        StartedProxy::before(&upstream).setting("server", &format!("allowed_origins = [{PAGE:?}]")).start().await;
    let asked = preflight(&proxy, "/v1/chat/completions", PAGE, "authorization, x-mainpoint-user").await;
    assert_eq!((asked.status.as_u16(), asked.header("access-control-allow-origin")), (200, PAGE));
    assert!(upstream.requests().is_empty(), "the upstream is not asked");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Our landlord's account is ACME-777 now."}]}"#;
    for (origin, allowed, reason) in [(PAGE, PAGE, ""), ("https://other.example", "*", "foreign-page")] {
        upstream.reply_next(Reply::chat("Noted.").header("access-control-allow-origin", "*"));
        let request = proxy.client().post(format!("{}/chat/completions", proxy.base_url())).header("origin", origin);
        let answer = Answer::from_response(request.body(body).send().await.expect("an answer")).await;
        let told = (answer.header("access-control-allow-origin"), answer.reason());
        assert_eq!(told, (allowed, reason), "{origin}");
    }
    let api = proxy.request(Method::GET, "/mainpoint/v1/stats").header("origin", PAGE);
    let answer = Answer::from_response(api.send().await.expect("an answer")).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, PAGE));
}

async fn preflight(proxy: &StartedProxy, path: &str, origin: &str, headers: &str) -> Answer {
    let request = proxy.client().request(Method::OPTIONS, format!("http://{}{path}", proxy.authority()));
    let request = request
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers);
    Answer::from_response(request.send().await.expect("an answer")).await
}

async fn ask(proxy: &StartedProxy, path: &str) -> Answer {
    let request = proxy.request(Method::POST, path).header("origin", PAGE);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    Answer::from_response(request.body(body).send().await.expect("an answer")).await
}

fn listed(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.get_all(name).iter();
    let values = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    values.map(|name| name.trim().to_ascii_lowercase()).collect()
}
