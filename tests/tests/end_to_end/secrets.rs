//! What must not be kept: secrets are masked in whatever is stored, and a request that says so leaves no byte.

use std::path::PathBuf;

use http::Method;
use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::models::LIGHT;
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{Answer, Conversation, ProxyBuilder, ScriptedUpstream, StartedProxy, binary, models, prompt};
use serde_json::json;

use crate::shared::{imported, receipt};

/// A key that was never given to anybody; it is not written in one piece, so that nobody takes this file for a leak.
fn secret() -> String {
    ["gh", "p_", "k3Tq9ZbXv7Lm2Rw8", "Yc5Hd1Js6Gf4Np0AeUoI"].concat()
}

const MASK: &str = "[secret: github]";

/// A proxy that quotes whatever comes nearest to a question, so that a test need not know how near that is.
fn quoting(upstream: &ScriptedUpstream) -> ProxyBuilder {
    StartedProxy::builder()
        .upstream(&upstream.base_url())
        .budget(4000, 700)
        .setting("memory", "least_match = -1")
        .setting("memory", "least_relevance = 0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_forwarded_and_never_stored_and_the_rest_of_its_turn_is_recalled() {
    let secret = secret();
    let upstream = ScriptedUpstream::start().await;
    let proxy = quoting(&upstream).setting("store", "flush_interval_ms = 50").start().await;
    let mut telling = Conversation::new();
    telling.exchanges(&everyday_chat("7391-K")[..4]);
    telling.user(&format!("The label printer of the bakery van wants {secret} and stands in bay 17."));
    let reply = format!("I have given {secret} to the label printer of the bakery van in bay 17.");
    upstream.say_next(&reply);
    let answer = proxy.chat(telling.streaming().body()).await;
    assert_eq!(answer.reply(), reply, "the client sees every byte of its answer");
    assert_eq!(upstream.last_request().body, telling.streaming().body(), "what is forwarded is not touched");
    proxy.everything_searchable().await;
    let masked = || async { proxy.metrics().await.sum("mainpoint_masked_secrets_total", &[("kind", "github")]) };
    assert_eq!(masked().await, 2.0, "one in the message and one in the answer");

    // The conversation goes on: its turns are known, though their words were stored without the secret.
    telling.assistant(&reply);
    telling.user("Thank you!");
    let before = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]);
    let answer = proxy.chat(telling.body()).await;
    assert_eq!(receipt(&proxy, &answer).await["stored"], true);
    proxy.everything_searchable().await;
    let read = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]) - before;
    assert!(read < 60.0, "{read} tokens were read of two short turns");
    assert_eq!(masked().await, 2.0, "nothing was stored again");

    // Another conversation recalls the turn, without its secret.
    let mut asking = Conversation::new();
    asking.user("In which bay does the label printer of the bakery van stand?");
    let asked = proxy.request(Method::POST, "/v1/chat/completions").header("x-mainpoint-recall", "caller");
    let asked = asked.header("content-type", "application/json").body(asking.body()).send();
    let answer = Answer::from_response(asked.await.expect("an answer")).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    let forwarded = upstream.last_request();
    let block = prompt::memory_block(&forwarded.json()).expect("a memory block");
    assert!(block.contains(&format!("wants {MASK} and stands in bay 17.")), "{block}");
    assert!(!forwarded.contains(&secret), "{block}");

    let output = proxy.output();
    let home = proxy.stop().await;
    assert!(!output.contains(&secret), "the log says it: {output}");
    assert_eq!(home.data_files_with(&secret), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_masking_is_off_a_secret_is_found_on_disk_so_that_the_other_tests_would_see_one() {
    let secret = secret();
    let upstream = ScriptedUpstream::start().await;
    let proxy = quoting(&upstream).setting("memory", "mask_secrets = false").start().await;
    let mut telling = Conversation::new();
    telling.user(&format!("The label printer of the bakery van wants {secret} and stands in bay 17."));
    assert_eq!(proxy.chat(telling.body()).await.status, 200);
    assert!(!proxy.metrics().await.has("mainpoint_masked_secrets_total"));
    let home = proxy.home();
    proxy.kill().await;
    assert!(!home.data_files_with(&secret).is_empty(), "what was acknowledged is in the journal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_not_to_be_stored_leaves_no_byte_and_is_given_memories_all_the_same() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = quoting(&upstream)
        .setting("memory", "honour_store_false = true")
        .setting("memory", "recall = \"caller\"")
        .setting("store", "flush_interval_ms = 50")
        .start()
        .await;
    let mut telling = Conversation::new();
    telling.user("Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.");
    assert_eq!(proxy.chat(telling.body()).await.status, 200);
    proxy.everything_searchable().await;

    let ask = |text: &str| {
        let mut asking = Conversation::default().member("model", "\"model-of-nobody\"");
        asking.user(&format!("Where does grandmother's recipe box stand? {text}"));
        asking
    };
    let send = |store: &'static str, body: String| {
        let request = proxy.request(Method::POST, "/v1/chat/completions").header("x-mainpoint-store", store);
        request.header("content-type", "application/json").body(body).send()
    };
    let sent = |answer: Result<reqwest::Response, reqwest::Error>| Answer::from_response(answer.expect("an answer"));

    upstream.say_next("Snorkelwax says: behind the marbles.");
    let answer = sent(send("off", ask("Quibberfoot wants to know.").body()).await).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(upstream.last_request().contains("31 marbles"), "{}", upstream.last_request().json());
    assert_eq!(upstream.last_request().header("x-mainpoint-store"), "");
    assert_eq!(receipt(&proxy, &answer).await["stored"], false);

    let answer = proxy.chat(ask("Wobblegate wants to know.").member("store", "false").body()).await;
    assert!(upstream.last_request().contains("\"store\" : false"), "the provider is told as well");
    assert_eq!(receipt(&proxy, &answer).await["stored"], false);
    let body = json!({"model": "model-of-nobody", "input": "Fizzlebrook wants to know.", "store": false}).to_string();
    let answer = proxy.post("/v1/responses", body).await;
    assert_eq!(receipt(&proxy, &answer).await["stored"], false);

    // What the header says goes before the body.
    let answer = sent(send("on", ask("Plumwhistle wants to know.").member("store", "false").body()).await).await;
    assert_eq!(receipt(&proxy, &answer).await["stored"], true);

    let arrived = upstream.requests().len();
    let refused = sent(send("sideways", ask("").body()).await).await;
    assert_eq!(refused.status, 400);
    for expected in ["x-mainpoint-store", "sideways", "\\\"on\\\" or \\\"off\\\"", "invalid_request_error"] {
        assert!(refused.text().contains(expected), "{expected} in {}", refused.text());
    }
    assert_eq!(upstream.requests().len(), arrived, "nothing was forwarded");

    proxy.everything_searchable().await;
    let home = proxy.stop().await;
    for word in ["Quibberfoot", "Snorkelwax", "Wobblegate", "Fizzlebrook"] {
        assert_eq!(home.data_files_with(word), Vec::<PathBuf>::new(), "{word}");
    }
    let configuration = home.configuration().display().to_string();
    let found = binary::run(&["search", "Who wants to know?", "--config", &configuration, "--json"]).successful();
    assert!(found.stdout.contains("Plumwhistle"), "{}", found.stdout);
    assert!(!found.stdout.contains("Quibberfoot"), "{}", found.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_not_asked_for_a_body_that_says_store_false_is_stored() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = quoting(&upstream).start().await;
    let mut telling = Conversation::new().member("store", "false");
    telling.user("The gardener comes on Thursdays at 7:15.");
    let answer = proxy.chat(telling.body()).await;
    assert_eq!(receipt(&proxy, &answer).await["stored"], true);
    let home = proxy.home();
    proxy.kill().await;
    assert!(!home.data_files_with("The gardener comes on Thursdays").is_empty());
}

#[test]
fn an_imported_history_is_stored_without_its_secrets() {
    models::require();
    let home = Home::new();
    home.configure(&format!("{LIGHT}[store]\ndirectory = {:?}\n", home.data()));
    let history = home.path().join("history.jsonl");
    let said = format!("The label printer of the bakery van wants {} and stands in bay 17.", secret());
    let line = json!({"messages": [{"role": "user", "content": said}]}).to_string();
    std::fs::write(&history, format!("{line}\n")).expect("a file");
    assert_eq!(imported(&home, &history)["turns"], 1);
    assert_eq!(imported(&home, &history)["turns_known"], 1, "it is known by the words that it had");
    assert_eq!(home.data_files_with(&secret()), Vec::<PathBuf>::new());
    let configuration = home.configuration().display().to_string();
    let found = binary::run(&["search", "label printer", "--config", &configuration, "--json"]).successful();
    assert!(found.stdout.contains(&format!("wants {MASK} and stands in bay 17.")), "{}", found.stdout);
}
