//! The OpenAPI document of the memory's API: it is valid, and every operation that it has answers as it says.

use mainpoint_tests::{ScriptedUpstream, StartedProxy};
use serde_json::{Value, json};

use crate::shared::{PYTHON_KEY, told_by_python};

const ADMIN: &str = "admin-of-the-document";
const ADMIN_VARIABLE: &str = "MAINPOINT_TEST_DOCUMENT_ADMIN";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_that_is_served_is_valid_and_every_operation_answers_as_it_says() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .setting("store", "flush_interval_ms = 50")
        .setting("server", &format!("admin_token_env = {ADMIN_VARIABLE:?}"))
        .environment(ADMIN_VARIABLE, ADMIN)
        .start()
        .await;
    upstream.say_next("I will remember the blue cupboard.");
    upstream.say_next("Then let us swim.");
    let plan = json!({"server": format!("http://{}", proxy.authority()), "key": PYTHON_KEY, "admin": ADMIN});
    let answers = told_by_python("memory_api.py", &plan).await;

    let exported = answers["exportMemory"].as_array().expect("lines");
    assert_eq!(exported.len(), 4, "{exported:?}");
    assert_eq!(answers["importMemory"], json!({"lines": 4, "turns_taken": 0, "turns_known": 4}));
    assert_eq!(answers["getStats"]["turns"], 4);
    let found = answers["search"]["results"][0]["text"].as_str().unwrap_or_default();
    assert!(found.contains("31 marbles"), "{}", answers["search"]);
    let deleted = ["deleteTurn", "deleteConversation", "deleteMemory"].map(|call| &answers[call]["turns_deleted"]);
    assert_eq!(deleted, [1, 1, 2].map(Value::from).each_ref());
}
