//! Memory that belongs to somebody whatever the credentials are: the subject of a token, whom a gateway names, the name of a key of
//! the proxy's own. Projects divide it.

use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{
    Answer, Conversation, ProxyBuilder, Reply, ScriptedUpstream, StartedProxy, binary, prompt, wait_until,
};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::isolation::small_talk;
use crate::shared::{chat, opens};

const FACT: &str = "Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.";
const DETAIL: &str = "31 marbles";
const QUESTION: &str = "Where does grandmother's recipe box stand?";
const ISSUER: &str = "https://login.example";
/// How long a file that has changed may take to be read again.
const PATIENCE: Duration = Duration::from_secs(60);
const UPSTREAM_VARIABLE: &str = "MAINPOINT_TEST_IDENTITY_KEY";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refreshed_token_finds_the_memory_and_one_that_does_not_count_gets_its_answer_and_nothing_else() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let (issuer, forger) = (Issuer::new(), Issuer::new());
    let file = home.path().join("jwks.json");
    fs::write(&file, issuer.jwks()).expect("the keys are written");
    let proxy = remembering(&upstream, &home)
        .setting("identity", "from = \"jwt\"")
        .setting("identity", &format!("issuer = {ISSUER:?}"))
        .setting("identity", &format!("jwks_file = {file:?}"))
        .start()
        .await;
    let caller = |issuer: &Issuer, subject: &str, expires: i64| bearer(&issuer.token(ISSUER, subject, expires));

    chat(&proxy, &caller(&issuer, "ann", 300), &telling()).await;
    let (ann, ben) = (caller(&issuer, "ann", 600), caller(&issuer, "ben", 300));
    assert_ne!(ann, caller(&issuer, "ann", 300), "the refreshed token is another one");
    finds(&proxy, &upstream, &[(&ann, true), (&ben, false)]).await;
    for (receipt_of, opened) in [(&ann, true), (&caller(&issuer, "ann", 900), true), (&ben, false)] {
        let id = chat(&proxy, &ann, &telling()).await.header("x-mainpoint-request-id").to_owned();
        assert_eq!(opens(&proxy, receipt_of, &id).await, opened);
    }

    let expired = caller(&issuer, "ann", -300);
    let foreign = bearer(&issuer.token("https://other.example", "ann", 300));
    let nameless = bearer(&issuer.signed(&json!({"iss": ISSUER})));
    let key = bearer("sk-no-token-at-all");
    let twice = headers(&[("authorization", &value(&ann)), ("authorization", &value(&ann))]);
    let forged = caller(&forger, "ann", 300);
    for nobody in [&forged, &expired, &foreign, &nameless, &key, &twice, &HeaderMap::new()] {
        has_no_identity(&proxy, &upstream, nobody).await;
    }

    // An issuer that signs with new keys from now on is believed without a restart, and its old ones are not.
    fs::write(&file, forger.jwks().replace("}]}", "}] }")).expect("the keys are written");
    wait_until("the new keys hold", PATIENCE, || async {
        chat(&proxy, &forged, &small_talk(QUESTION)).await.reason() != "no-identity"
    })
    .await;
    has_no_identity(&proxy, &upstream, &ann).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_on_trust_is_believed_only_where_the_upstream_takes_it() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let (issuer, forger) = (Issuer::new(), Issuer::new());
    let proxy = remembering(&upstream, &home)
        .setting("identity", "from = \"jwt\"")
        .setting("identity", "verified_upstream = true")
        .start()
        .await;
    let ann = bearer(&issuer.token(ISSUER, "ann", 300));
    let refreshed = bearer(&issuer.token(ISSUER, "ann", 600));
    let forged = bearer(&forger.token(ISSUER, "ann", 300));
    let refused = value(&forged);
    upstream.always(move |request| {
        if request.header("authorization") == refused {
            Reply::error(StatusCode::UNAUTHORIZED, "This token is forged.")
        } else {
            request.said("All right.")
        }
    });
    chat(&proxy, &ann, &telling()).await;
    finds(&proxy, &upstream, &[(&refreshed, true)]).await;

    let before = tokens_read(&proxy).await;
    let mut new = small_talk(QUESTION);
    new.assistant("In the green cupboard, says somebody who made a token up.");
    new.user("Is that so?");
    let answer = chat(&proxy, &forged, &new).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    for header in ["x-mainpoint", "x-mainpoint-memories", "x-mainpoint-tokens-forwarded"] {
        assert_eq!(answer.header(header), "", "a refused token learns nothing from {header}");
    }
    let id = answer.header("x-mainpoint-request-id").to_owned();
    for caller in [&forged, &ann] {
        assert!(!opens(&proxy, caller, &id).await);
    }
    assert!((tokens_read(&proxy).await - before).abs() < 1.0, "something of a refused request was read");
    let id = chat(&proxy, &ann, &telling()).await.header("x-mainpoint-request-id").to_owned();
    for (caller, opened) in [(&ann, true), (&refreshed, false), (&forged, false)] {
        assert_eq!(opens(&proxy, caller, &id).await, opened, "a receipt is for the very same token");
    }

    let mut with_a_key = refreshed.clone();
    with_a_key.insert("api-key", HeaderValue::from_static("sk-own"));
    has_no_identity(&proxy, &upstream, &with_a_key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_trusted_gateway_names_is_remembered_whatever_the_key() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let builder = || remembering(&upstream, &home).setting("identity", "from = \"header\"");
    let named = |key: &str, name: &str| headers(&[("authorization", key), ("x-authenticated-user", name)]);
    let (first, second) = (named("Bearer sk-old", "ann"), named("Bearer sk-new", "ann"));
    let ben = named("Bearer sk-old", "ben");

    let proxy = builder().start().await;
    chat(&proxy, &first, &telling()).await;
    finds(&proxy, &upstream, &[(&second, true), (&ben, false)]).await;
    let forwarded = upstream.last_request();
    assert_eq!(forwarded.header("x-authenticated-user"), "", "nobody else needs the name");
    assert_eq!(forwarded.header("authorization"), "Bearer sk-new");
    for nobody in [
        &headers(&[("authorization", "Bearer sk-old")]),
        &named("Bearer sk-old", ""),
        &headers(&[("x-authenticated-user", "ann"), ("x-authenticated-user", "ann")]),
    ] {
        has_no_identity(&proxy, &upstream, nobody).await;
    }

    // A page must not name anybody, not even where the upstream lets pages send what they like.
    upstream.always(|_| {
        let reply = Reply::status(StatusCode::NO_CONTENT).header("access-control-allow-origin", "*");
        reply.header("access-control-allow-headers", "*")
    });
    for (asked, allowed) in [("x-authenticated-user, content-type", false), ("content-type", true)] {
        let request = proxy.client().request(Method::OPTIONS, format!("{}/chat/completions", proxy.base_url()));
        let request = request.header("origin", "https://app.example").header("access-control-request-method", "POST");
        let sent = request.header("access-control-request-headers", asked).send().await.expect("an answer");
        let answer = Answer::from_response(sent).await;
        assert_eq!(!answer.header("access-control-allow-origin").is_empty(), allowed, "{asked}");
    }
    proxy.stop().await;

    upstream.always(|request| request.said("All right."));
    let proxy = builder().setting("identity", "trusted_peers = [\"10.1.2.3\"]").start().await;
    has_no_identity(&proxy, &upstream, &first).await;
    assert_eq!(upstream.last_request().header("x-authenticated-user"), "", "whoever sets it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_name_leads_here_is_nobody_whatever_key_it_makes_up_and_a_listed_gateway_is_believed() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let proxy = remembering(&upstream, &home)
        .setting("identity", "from = \"header\"")
        .setting("identity", "trusted_hosts = [\"chat.example.com\"]")
        .start()
        .await;
    let ann = |more: &[(&'static str, &str)]| {
        let mut all = headers(&[("authorization", "Bearer junk"), ("x-authenticated-user", "ann")]);
        all.extend(headers(more));
        all
    };
    chat(&proxy, &ann(&[]), &telling()).await;
    proxy.everything_searchable().await;
    let evil = ann(&[("host", "evil.example:8787")]);
    let evil_with_origin = ann(&[("host", "evil.example:8787"), ("origin", "http://evil.example:8787")]);
    let own = ann(&[("host", "Chat.example.com"), ("origin", "https://chat.example.com")]);
    let through_it = ann(&[("host", "chat.example.com"), ("origin", "https://evil.example")]);

    for (caller, param) in [(&evil, "host"), (&evil_with_origin, "origin"), (&through_it, "origin")] {
        for (method, path, body) in [
            (Method::GET, "/export", ""),
            (Method::GET, "/stats", ""),
            (Method::POST, "/search", r#"{"question":"recipe box"}"#),
            (Method::DELETE, "/memory", ""),
        ] {
            let request = proxy.client().request(method, format!("http://{}/mainpoint/v1{path}", proxy.authority()));
            let sent = request.headers(caller.clone()).body(body).send().await.expect("an answer");
            let answer = Answer::from_response(sent).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {caller:?}: {}", answer.text());
            let error = answer.error();
            assert_eq!(error["param"], param, "{path} {caller:?}");
            assert!(error["message"].as_str().is_some_and(|text| text.contains("identity.trusted_hosts")), "{error}");
        }
    }
    for (caller, reason) in
        [(&evil, "foreign-host"), (&evil_with_origin, "foreign-page"), (&through_it, "foreign-page")]
    {
        let answer = chat(&proxy, caller, &small_talk(QUESTION)).await;
        assert_eq!((answer.outcome(), answer.reason()), ("passthrough", reason), "{caller:?}");
        assert!(!upstream.last_request().contains(DETAIL), "{caller:?}");
    }
    let export = proxy.client().get(format!("http://{}/mainpoint/v1/export", proxy.authority()));
    let export = Answer::from_response(export.headers(own.clone()).send().await.expect("an answer")).await;
    assert!(export.text().contains(DETAIL), "{}", export.text());
    finds(&proxy, &upstream, &[(&own, true)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_the_proxy_have_names_and_the_upstream_sees_none_of_them() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let file = home.path().join("keys.toml");
    let mut listed = String::new();
    for (name, key) in [("ann", "mp-ann-1"), ("ann", "mp-ann-2"), ("ben", "mp-ben")] {
        let digest = hexadecimal(digest(&SHA256, key.as_bytes()).as_ref());
        write!(listed, "[[keys]]\nname = {name:?}\nsha256 = {digest:?}\n").expect("text");
    }
    fs::write(&file, listed).expect("the keys are written");
    let proxy = remembering(&upstream, &home)
        .setting("upstream", &format!("api_key_env = {UPSTREAM_VARIABLE:?}"))
        .environment(UPSTREAM_VARIABLE, "sk-of-the-company")
        .setting("identity", "from = \"proxy-keys\"")
        .setting("identity", &format!("keys_file = {file:?}"))
        .start()
        .await;
    let (first, second, ben) = (bearer("mp-ann-1"), bearer("mp-ann-2"), bearer("mp-ben"));
    chat(&proxy, &first, &telling()).await;
    finds(&proxy, &upstream, &[(&second, true), (&ben, false)]).await;
    let mut with_another = ben.clone();
    with_another.insert("api-key", HeaderValue::from_static("mp-ben"));
    let protocols = HeaderValue::from_static("realtime, openai-insecure-api-key.mp-ben, openai-beta.realtime-v1");
    with_another.insert("sec-websocket-protocol", protocols);
    for (method, path) in [(Method::POST, "/chat/completions"), (Method::GET, "/models"), (Method::POST, "/embeddings")]
    {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}).to_string();
        let asked = |caller: &HeaderMap| {
            let request = proxy.client().request(method.clone(), format!("{}{path}", proxy.base_url()));
            request.headers(caller.clone()).body(body.clone()).send()
        };
        assert_eq!(asked(&with_another).await.expect("an answer").status(), 200, "{path}");
        let forwarded = upstream.last_request();
        assert_eq!(forwarded.header("authorization"), "Bearer sk-of-the-company", "{path}");
        assert!(!format!("{:?}", forwarded.headers).contains("mp-ben"), "{path}: {:?}", forwarded.headers);
        assert_eq!(forwarded.header("sec-websocket-protocol"), "realtime, openai-beta.realtime-v1", "{path}");

        let in_query = proxy
            .client()
            .request(method.clone(), format!("{}{path}?b=%7e&api-key=mp-ben&c&token=mp-ben", proxy.base_url()));
        let answer = in_query.headers(ben.clone()).body(body.clone()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(upstream.last_request().target, format!("/v1{path}?b=%7e&c"));

        let before = upstream.requests().len();
        for caller in
            [bearer("mp-ann-3"), bearer("sk-of-the-company"), headers(&[("api-key", "mp-ben")]), HeaderMap::new()]
        {
            let refused = Answer::from_response(asked(&caller).await.expect("an answer")).await;
            assert_eq!(refused.status, 401, "{path} {caller:?}");
            let error = refused.error();
            assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &json!("invalid_api_key")));
            assert_eq!(refused.header("www-authenticate"), "Bearer");
            assert!(!refused.text().contains("mp-") && !refused.text().contains("sk-"), "{}", refused.text());
        }
        assert_eq!(upstream.requests().len(), before, "{path}: nothing was forwarded");
    }
    assert_eq!(
        proxy.client().get(format!("http://{}/healthz", proxy.authority())).send().await.expect("an answer").status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_has_a_memory_of_its_own_and_within_it_every_user() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let proxy = remembering(&upstream, &home).start().await;
    let part = |lines: &[(&'static str, &str)]| {
        let mut all = bearer("sk-a");
        for (name, part) in lines {
            all.append(*name, HeaderValue::from_str(part).expect("a header"));
        }
        all
    };
    let garden = part(&[("x-mainpoint-project", "garden"), ("x-mainpoint-user", "ann")]);
    chat(&proxy, &garden, &telling()).await;
    finds(
        &proxy,
        &upstream,
        &[
            (&garden, true),
            (&part(&[("x-mainpoint-user", "ann"), ("x-mainpoint-project", "garden")]), true),
            (&part(&[("x-mainpoint-project", "garden")]), false),
            (&part(&[("x-mainpoint-user", "ann")]), false),
            (&part(&[("x-mainpoint-project", "ann"), ("x-mainpoint-user", "garden")]), false),
            (&part(&[("x-mainpoint-project", "kitchen"), ("x-mainpoint-user", "ann")]), false),
        ],
    )
    .await;
    assert_eq!(upstream.last_request().header("x-mainpoint-project"), "");
    let two = part(&[("x-mainpoint-project", "garden"), ("x-mainpoint-project", "kitchen")]);
    let refused = chat(&proxy, &two, &telling()).await;
    assert_eq!((refused.status, &refused.error()["param"]), (StatusCode::BAD_REQUEST, &json!("x-mainpoint-project")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_is_imported_for_a_name_and_a_project() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let builder = || remembering(&upstream, &home).setting("identity", "from = \"header\"");
    // The first start writes the configuration that the import reads.
    builder().start().await.stop().await;
    let history = home.path().join("history.jsonl");
    fs::write(&history, json!({"messages": [{"role": "user", "content": FACT}]}).to_string()).expect("a file");
    let import = |more: &[&str]| {
        let mut command = binary::command();
        command.arg("import").arg(&history).arg("--config").arg(home.configuration()).args(more);
        binary::finish(command, &[])
    };
    for wrong in [&[][..], &["--identity", "ann", "--identity", "ben"], &["--identity", "ann", "--scope", "i-1"]] {
        let refused = import(wrong);
        assert_eq!(refused.code, 64, "{wrong:?}: {}", refused.said());
    }
    import(&["--identity", "ann", "--project", "garden"]).successful();

    let proxy = builder().start().await;
    let ann = headers(&[("x-authenticated-user", "ann")]);
    let garden = headers(&[("x-authenticated-user", "ann"), ("x-mainpoint-project", "garden")]);
    let bens = headers(&[("x-authenticated-user", "ben"), ("x-mainpoint-project", "garden")]);
    finds(&proxy, &upstream, &[(&garden, true), (&ann, false), (&bens, false)]).await;
}

/// A proxy with a small budget that recalls from all conversations of a caller.
fn remembering(upstream: &ScriptedUpstream, home: &Arc<Home>) -> ProxyBuilder {
    StartedProxy::builder()
        .home(home)
        .upstream(&upstream.base_url())
        .budget(200, 100)
        .setting("memory", "recall = \"caller\"")
        .setting("store", "flush_interval_ms = 50")
}

/// Asks for the fact as each of these callers; those that are to find it do, and nobody else.
async fn finds(proxy: &StartedProxy, upstream: &ScriptedUpstream, callers: &[(&HeaderMap, bool)]) {
    let asking = small_talk(QUESTION);
    for (caller, _) in callers {
        chat(proxy, caller, &asking).await;
    }
    proxy.everything_searchable().await;
    for (caller, found) in callers.iter().rev() {
        let answer = chat(proxy, caller, &asking).await;
        assert_eq!(answer.outcome(), "rewritten", "{caller:?}: {:?}", answer.headers);
        let forwarded = upstream.last_request();
        prompt::assert_well_formed(&forwarded.json());
        assert_eq!(forwarded.contains(DETAIL), *found, "{caller:?} was sent {}", forwarded.json());
    }
}

/// Whoever sends these headers is answered and forwarded as it came, and nothing is remembered or recalled.
async fn has_no_identity(proxy: &StartedProxy, upstream: &ScriptedUpstream, caller: &HeaderMap) {
    let before = tokens_read(proxy).await;
    let mut conversation = small_talk(QUESTION);
    conversation.assistant("I could not say.");
    conversation.user("Then forget that I ever asked you about a box of that kind.");
    let answer = chat(proxy, caller, &conversation).await;
    assert_eq!((answer.status, answer.outcome(), answer.reason()), (StatusCode::OK, "passthrough", "no-identity"));
    assert!(!answer.reply().is_empty(), "{caller:?}");
    let forwarded = upstream.last_request();
    assert_eq!(forwarded.body, conversation.body().as_bytes(), "{caller:?}");
    assert_eq!(forwarded.headers.get("authorization"), caller.get("authorization"), "{caller:?}");
    let id = answer.header("x-mainpoint-request-id").to_owned();
    assert!(!opens(proxy, caller, &id).await, "there is nothing to tell");
    assert!((tokens_read(proxy).await - before).abs() < 1.0, "something was read of {caller:?}");
}

async fn tokens_read(proxy: &StartedProxy) -> f64 {
    proxy.everything_read().await;
    proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[])
}

fn telling() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.user(FACT);
    conversation
}

fn bearer(token: &str) -> HeaderMap {
    headers(&[("authorization", &format!("Bearer {token}"))])
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).expect("a header"));
    }
    headers
}

/// The value of `authorization`.
fn value(headers: &HeaderMap) -> String {
    headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whoever issues tokens, with a key of its own.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("the key"))
    }

    /// Its public key as a JWKS.
    fn jwks(&self) -> String {
        let point = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "1", "x": point}]}).to_string()
    }

    /// A token for a subject that expires so many seconds from now.
    fn token(&self, issuer: &str, subject: &str, expires: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        let end = i64::try_from(now).expect("seconds") + expires;
        self.signed(&json!({"iss": issuer, "sub": subject, "exp": end}))
    }

    fn signed(&self, claims: &Value) -> String {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(&json!({"alg": "EdDSA", "typ": "JWT", "kid": "1"})), encoded(claims));
        let signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
