//! What several tests do: ask again once everything was read, look into a receipt, import a history, reach nobody.

use std::path::Path;

use http::HeaderMap;
use mainpoint_tests::binary::{self, Finished};
use mainpoint_tests::conversation::{SYSTEM, everyday_chat};
use mainpoint_tests::proxy::{Home, TENANT};
use mainpoint_tests::{Answer, Conversation, RecordedRequest, ScriptedUpstream, StartedProxy, python};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

/// The variable that has the key of the tests' own caller when a command runs.
pub(crate) const KEY_VARIABLE: &str = "MAINPOINT_TEST_IMPORT_KEY";
/// The key of applications in Python.
pub(crate) const PYTHON_KEY: &str = "sk-test-python";

/// Sends a chat, waits until all of it has been read, and sends it again.
pub(crate) async fn asked_again(proxy: &StartedProxy, body: impl Into<String>) -> Answer {
    let body = body.into();
    proxy.chat(body.clone()).await;
    proxy.everything_read().await;
    proxy.chat(body).await
}

/// The receipt of a request of the tests' own caller.
pub(crate) async fn receipt(proxy: &StartedProxy, answer: &Answer) -> Value {
    receipt_of(proxy, TENANT, answer).await
}

/// The receipt of a request of another caller.
pub(crate) async fn receipt_of(proxy: &StartedProxy, authorization: &str, answer: &Answer) -> Value {
    let path = format!("/mainpoint/receipts/{}", answer.header("x-mainpoint-request-id"));
    let receipt = proxy.get_as(authorization, &path).await;
    assert_eq!(receipt.status, 200, "{}", receipt.text());
    receipt.json()
}

/// Sends a conversation as somebody.
pub(crate) async fn chat(proxy: &StartedProxy, caller: &HeaderMap, conversation: &Conversation) -> Answer {
    let request = proxy.client().post(format!("{}/chat/completions", proxy.base_url()));
    let request = request.headers(caller.clone()).body(conversation.body());
    Answer::from_response(request.send().await.expect("an answer")).await
}

/// Whether somebody may see a receipt.
pub(crate) async fn opens(proxy: &StartedProxy, caller: &HeaderMap, receipt: &str) -> bool {
    let url = format!("http://{}/mainpoint/receipts/{receipt}", proxy.authority());
    let answer = proxy.client().get(url).headers(caller.clone()).send().await;
    let status = answer.expect("an answer").status();
    assert!([200, 404].contains(&status.as_u16()), "{status}");
    status == 200
}

/// So many exchanges of the everyday chat, the third of which tells the code, with other messages before some of them, and the
/// question for the code.
pub(crate) fn everyday_messages(code: &str, exchanges: usize, extra: &[(usize, &str)]) -> Vec<String> {
    let mut messages = vec![SYSTEM.to_owned()];
    for (index, exchange) in everyday_chat(code)[..exchanges].iter().enumerate() {
        for (_, message) in extra.iter().filter(|(before, _)| *before == index) {
            messages.push((*message).to_owned());
            messages.push(r#"{"role":"assistant","content":"I see."}"#.to_owned());
        }
        messages.push(json!({"role": "user", "content": exchange.user}).to_string());
        messages.push(json!({"role": "assistant", "content": exchange.assistant}).to_string());
    }
    let question = "What was the padlock code of my locker at the climbing gym again?";
    messages.push(json!({"role": "user", "content": question}).to_string());
    messages
}

/// Imports a file for the tests' own caller.
pub(crate) fn import(home: &Home, file: &Path, more: &[&str]) -> Finished {
    import_with(home, file, more, &[])
}

/// The same with `input` on the standard input.
pub(crate) fn import_with(home: &Home, file: &Path, more: &[&str], input: &[u8]) -> Finished {
    let key = TENANT.strip_prefix("Bearer ").expect("a bearer token");
    let mut command = binary::command();
    command.arg("import").arg(file).arg("--config").arg(home.configuration());
    command.args(["--key-env", KEY_VARIABLE]).args(more).env(KEY_VARIABLE, key);
    binary::finish(command, input)
}

/// What an import says of a file; it reads what the memory does not know.
pub(crate) fn imported(home: &Home, file: &Path) -> Value {
    serde_json::from_str(&import(home, file, &["--json"]).successful().stdout).expect("JSON")
}

/// Runs an application in Python with a plan as its input: what it printed.
pub(crate) async fn told_by_python(script: &'static str, plan: &Value) -> Value {
    let input = plan.to_string();
    let run = tokio::task::spawn_blocking(move || python::run(script, &[], input.as_bytes()));
    let finished = run.await.expect("a thread").successful();
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said()))
}

/// Runs an application in Python: what it saw and what the upstream received, without and with streaming.
pub(crate) async fn run_in_python(
    script: &'static str,
    proxy: &StartedProxy,
    upstream: &ScriptedUpstream,
    request: &Value,
) -> [(&'static str, Value, RecordedRequest); 2] {
    let before = upstream.requests().len();
    let (base_url, input) = (proxy.base_url().to_owned(), request.to_string());
    let run = tokio::task::spawn_blocking(move || python::run(script, &[&base_url, PYTHON_KEY], input.as_bytes()));
    let finished = run.await.expect("a thread").successful();
    let answers: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said()));
    let received = upstream.requests().split_off(before);
    assert_eq!(received.len(), 2, "one request for each kind of answer, and no retries");
    assert_eq!(received[1].json()["stream"], true);
    let one = |kind, index: usize| (kind, answers[kind].clone(), received[index].clone());
    [one("plain", 0), one("streamed", 1)]
}

/// The base URL of an upstream that refuses every connection, as long as its socket is kept.
pub(crate) fn nobody() -> (TcpSocket, String) {
    // A socket that is bound and does not listen refuses every connection, and nobody else can take its port.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let url = format!("http://{}/v1", socket.local_addr().expect("the port"));
    (socket, url)
}
