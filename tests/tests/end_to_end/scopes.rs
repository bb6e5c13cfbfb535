//! The scopes that the admin names: those that the store holds, and no other.

use http::Method;
use mainpoint_tests::{Conversation, ScriptedUpstream};
use serde_json::json;

use crate::memory_api::{ADMIN, builder, call, get};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_the_store_does_not_hold_is_not_found_and_only_an_import_makes_one() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let mut told = Conversation::new();
    told.user("The heron stands in the pond.");
    proxy.chat(told.body()).await;
    proxy.everything_read().await;
    let id = "0".repeat(32);
    for (method, path) in [
        (Method::GET, "/stats".to_owned()),
        (Method::GET, "/conversations".to_owned()),
        (Method::GET, "/topics".to_owned()),
        (Method::GET, "/export".to_owned()),
        (Method::GET, format!("/turns/{id}")),
        (Method::POST, "/search".to_owned()),
        (Method::DELETE, "/memory".to_owned()),
        (Method::DELETE, format!("/turns/{id}")),
        (Method::DELETE, format!("/conversations/{id}")),
    ] {
        let body = json!({"question": "Where does the heron stand?"}).to_string();
        let refused = call(&proxy, ADMIN, method, &format!("{path}?scope=typo"), body).await;
        let error = refused.error();
        let told = (refused.status.as_u16(), &error["code"], &error["param"]);
        assert_eq!(told, (404, &json!("scope_not_found"), &json!("scope")), "{path}: {}", refused.text());
        let message = error["message"].as_str().expect("a text");
        assert!(
            message.starts_with("scope = \"typo\"; expected") && message.contains("/mainpoint/v1/scopes"),
            "{message}"
        );
    }
    let line = json!({"conversation": "trip", "role": "user", "text": "The key lies under the mat."});
    let made = call(&proxy, ADMIN, Method::POST, "/import?scope=restored", line.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(get(&proxy, ADMIN, "/stats?scope=restored").await["turns"], 1);
    let scopes = get(&proxy, ADMIN, "/scopes").await;
    assert_eq!(scopes["data"].as_array().map(Vec::len), Some(2), "{scopes}");
}
