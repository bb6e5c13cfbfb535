//! Callers are told apart by every credential that they send, byte by byte, and their users by one header.
//!
//! Only whoever sends the credentials of a request opens its receipt, which tells whether two callers are one.

use http::{HeaderMap, HeaderValue};
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy, prompt};

use crate::isolation::small_talk;
use crate::shared::{chat, opens};

const DUMMY: (&str, &[u8]) = ("authorization", b"Bearer dummy");

/// Headers that services and gateways take credentials from, and one that only the configuration names.
const CREDENTIALS: [&str; 16] = [
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
    "cf-aig-authorization",
    "helicone-auth",
    "x-portkey-api-key",
    "x-portkey-virtual-key",
    "x-portkey-config",
    "x-litellm-api-key",
    "x-bf-vk",
    "x-auth-token",
    "x-amz-security-token",
    "openai-organization",
    "openai-project",
    "x-team",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_credential_tells_callers_apart_and_nothing_else_does() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "credential_headers = [\"X-Team\"]").start().await;
    let dummy = headers(&[DUMMY]);
    let of_dummy = receipt_of(&proxy, &dummy).await;
    for name in CREDENTIALS {
        let one = headers(&[DUMMY, (name, b"one")]);
        let receipt = receipt_of(&proxy, &one).await;
        assert!(opens(&proxy, &one, &receipt).await, "{name}: a caller's own receipt");
        let reordered = headers(&[("accept", b"*/*"), (name, b"one"), DUMMY, ("cookie", b"a=1")]);
        assert!(opens(&proxy, &reordered, &receipt).await, "{name}: in another order");
        for (other, lines) in [
            ("another value", headers(&[DUMMY, (name, b"two")])),
            ("no UTF-8", headers(&[DUMMY, (name, b"one\xff")])),
            ("none", dummy.clone()),
            ("no dummy", headers(&[(name, b"one")])),
            ("two lines", headers(&[DUMMY, (name, b"one"), (name, b"one")])),
        ] {
            assert!(!opens(&proxy, &lines, &receipt).await, "{name}: {other}");
        }
        assert!(!opens(&proxy, &one, &of_dummy).await, "{name}: the receipt of the dummy alone");
    }
    let (first, second) = (headers(&[DUMMY, ("api-key", b"\xfe")]), headers(&[DUMMY, ("api-key", b"\xff")]));
    let receipt = receipt_of(&proxy, &first).await;
    assert!(!opens(&proxy, &second, &receipt).await, "bytes that are no UTF-8 differ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn across_conversations_a_memory_is_found_by_the_same_credentials_and_the_same_bytes_of_a_user_alone() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .budget(200, 100)
        .setting("memory", "recall = \"caller\"")
        .setting("store", "flush_interval_ms = 50")
        .start()
        .await;
    let callers = [
        headers(&[DUMMY, ("api-key", b"one"), ("x-mainpoint-user", b"\xff")]),
        headers(&[DUMMY, ("api-key", b"two"), ("x-mainpoint-user", b"\xff")]),
        headers(&[DUMMY, ("api-key", b"one"), ("x-mainpoint-user", b"\xfe")]),
        headers(&[DUMMY, ("api-key", b"one"), ("x-mainpoint-user", "\u{fffd}".as_bytes())]),
        headers(&[DUMMY, ("api-key", b"one")]),
        headers(&[DUMMY, ("x-mainpoint-user", b"\xff")]),
        headers(&[DUMMY]),
        headers(&[("authorization", b"Bearer sk-another")]),
        headers(&[]),
    ];
    let mut telling = Conversation::new();
    telling.user("Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.");
    chat(&proxy, &callers[0], &telling).await;
    let asking = small_talk("Where does grandmother's recipe box stand?");
    for caller in &callers {
        chat(&proxy, caller, &asking).await;
    }
    proxy.everything_searchable().await;
    for (index, caller) in callers.iter().enumerate() {
        let answer = chat(&proxy, caller, &asking).await;
        assert_eq!(answer.outcome(), "rewritten", "{caller:?}");
        let forwarded = upstream.last_request();
        prompt::assert_well_formed(&forwarded.json());
        assert_eq!(forwarded.contains("31 marbles"), index == 0, "{caller:?} was sent {}", forwarded.json());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_users_in_one_request_are_refused_and_an_empty_one_is_nobody() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for (path, body) in [
        ("/chat/completions", r#"{"model":"x","messages":[{"role":"user","content":"a"}]}"#),
        ("/responses", r#"{"model":"x","input":"a"}"#),
    ] {
        for second in [b"ben".as_slice(), b"ann", b""] {
            let two = headers(&[DUMMY, ("x-mainpoint-user", b"ann"), ("x-mainpoint-user", second)]);
            let request = proxy.client().post(format!("{}{path}", proxy.base_url())).headers(two);
            let refused = Answer::from_response(request.body(body).send().await.expect("an answer")).await;
            assert_eq!(refused.status, 400, "{path}: {}", refused.text());
            let error = refused.error();
            assert_eq!(error["type"], "invalid_request_error");
            assert_eq!(error["param"], "x-mainpoint-user");
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.contains("x-mainpoint-user"), "{message}");
        }
    }
    assert!(upstream.requests().is_empty(), "nothing was forwarded");
    let nobody = headers(&[DUMMY, ("x-mainpoint-user", b"")]);
    let mut conversation = Conversation::new();
    conversation.user("Hello.");
    assert_eq!(chat(&proxy, &nobody, &conversation).await.status, 200);
}

fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value).expect("a header"));
    }
    headers
}

/// The id of a request that this caller sent.
async fn receipt_of(proxy: &StartedProxy, caller: &HeaderMap) -> String {
    let mut conversation = Conversation::new();
    conversation.user("Hello.");
    let answer = chat(proxy, caller, &conversation).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-mainpoint-request-id").to_owned()
}
