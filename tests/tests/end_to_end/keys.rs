//! Keys of the proxy from the command line: drawn, used, listed and revoked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use mainpoint_tests::binary::{self, Finished};
use mainpoint_tests::proxy::Home;
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy, wait_until};
use serde_json::{Value, json};

use crate::shared::receipt_of;

const UPSTREAM_VARIABLE: &str = "MAINPOINT_TEST_KEYS_UPSTREAM";
/// How long a file that has changed may take to be read again on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A second, and what a busy machine adds to it.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_lets_its_owner_in_until_it_is_revoked_and_the_file_never_holds_it() {
    let (upstream, home) = (ScriptedUpstream::start().await, Home::new());
    let file = home.path().join("keys.toml");
    configured(&home, &format!("from = \"proxy-keys\"\nkeys_file = {file:?}"));
    let missing = keys(&home, &["list"]);
    assert_eq!(missing.code, 66, "{}", missing.said());
    assert!(missing.stderr.contains("`mainpoint keys add NAME` makes it"), "{}", missing.stderr);
    let ann = added(&home, &["add", "ann"]);
    let by_hand = "\n# Written by hand.\n[[keys]]\nname = \"cleo\"\nsha256 = \
                   \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";
    fs::write(&file, fs::read_to_string(&file).expect("the keys") + by_hand).expect("the keys are written");

    let proxy = StartedProxy::before(&upstream)
        .home(&home)
        .setting("upstream", &format!("api_key_env = {UPSTREAM_VARIABLE:?}"))
        .environment(UPSTREAM_VARIABLE, "sk-of-the-company")
        .setting("identity", "from = \"proxy-keys\"")
        .setting("identity", &format!("keys_file = {file:?}"))
        .start()
        .await;
    for key in [ann.as_str(), "abc"] {
        assert_eq!(chat(&proxy, key).await.status, 200);
        assert_eq!(upstream.last_request().header("authorization"), "Bearer sk-of-the-company");
    }
    assert_eq!(chat(&proxy, "mp-made-up").await.status, 401);

    let ben = added(&home, &["add", "ben", "--requests-per-minute", "2", "--stored-turns", "0"]);
    wait_until("the new key lets its owner in", PATIENCE, || async { chat(&proxy, &ben).await.status == 200 }).await;
    assert_eq!(chat(&proxy, &ben).await.status, 200);
    let limited = chat(&proxy, &ben).await;
    assert_eq!(limited.status, 429, "{}", limited.text());
    assert_eq!(chat(&proxy, &ann).await.status, 200, "the limit is ben's own");

    let dan = added(&home, &["add", "dan", "--stored-turns", "1"]);
    wait_until("the new key lets its owner in", PATIENCE, || async { chat(&proxy, &dan).await.status == 200 }).await;
    for (key, not_stored) in [(&dan, json!("stored_limit")), (&ann, Value::Null)] {
        let mut more = Conversation::new();
        more.user("Then let us have some.");
        let authorization = format!("Bearer {key}");
        let answer = proxy.chat_as(&authorization, more.body()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(receipt_of(&proxy, &authorization, &answer).await["not_stored"], not_stored);
    }

    let listed = keys(&home, &["list"]).successful().stdout;
    let line = |name: &str| listed.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(line("ann").contains("as configured") && line("ann").contains(" UTC"), "{listed}");
    assert!(line("ben").contains(" 2 ") && line("ben").contains("no limit"), "{listed}");
    assert!(line("cleo").contains("by hand"), "{listed}");
    let text = fs::read_to_string(&file).expect("the keys");
    for shown in [&text, &listed, &proxy.output()] {
        assert!(!shown.contains(&ann) && !shown.contains(&ben), "{shown}");
    }
    assert!(text.contains("# Written by hand."), "{text}");
    assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);

    keys(&home, &["revoke", "ann"]).successful();
    wait_until("the revoked key is refused", AT_ONCE, || async { chat(&proxy, &ann).await.status == 401 }).await;
    assert_eq!(chat(&proxy, "abc").await.status, 200, "nobody else is refused");
}

#[test]
fn what_cannot_be_done_with_keys_is_one_line_with_a_status_of_its_own() {
    let home = Home::new();
    let file = home.path().join("keys.toml");
    configured(&home, &format!("from = \"proxy-keys\"\nkeys_file = {file:?}"));
    added(&home, &["add", "ann"]);
    let before = fs::read(&file).expect("the keys");
    for (arguments, said) in [
        (&["add", "ann"][..], "there is a key of that name"),
        (&["add", ""], "expected a name of at most 100 bytes"),
        (&["add", "two\nlines"], "expected a name of at most 100 bytes"),
        (&["revoke", "ben"], "there is no key of that name"),
        (&["add", "ben", "--requests-per-minute", "many"], "--requests-per-minute"),
    ] {
        refused(&keys(&home, arguments), 64, said);
    }
    assert_eq!(fs::read(&file).expect("the keys"), before, "nothing was changed");

    fs::write(&file, "keys = \"mp-hidden\"").expect("the keys are written");
    for arguments in [&["list"][..], &["add", "ben"], &["revoke", "ann"]] {
        let wrong = keys(&home, arguments);
        refused(&wrong, 65, "line 1 is not as expected");
        assert!(!wrong.said().contains("mp-hidden"), "{}", wrong.said());
    }
    configured(&home, &format!("from = \"proxy-keys\"\nkeys_file = {:?}", home.path().join("nowhere/keys.toml")));
    refused(&keys(&home, &["add", "ben"]), 73, "cannot write");
    for other in ["from = \"credentials\"", "from = \"header\""] {
        configured(&home, other);
        for arguments in [&["list"][..], &["add", "ben"], &["revoke", "ann"]] {
            refused(&keys(&home, arguments), 78, "expected \"proxy-keys\"");
        }
    }
}

/// Writes a configuration whose other sections matter to no command here.
fn configured(home: &Home, identity: &str) {
    home.configure(&format!(
        "[upstream]\nurl = \"http://127.0.0.1:9/v1\"\napi_key_env = {UPSTREAM_VARIABLE:?}\n[identity]\n{identity}\n"
    ));
}

fn keys(home: &Home, arguments: &[&str]) -> Finished {
    let mut command = binary::command();
    command.arg("keys").args(arguments).arg("--config").arg(home.configuration());
    binary::finish(command, &[])
}

/// The key that was drawn, which is all of the standard output.
fn added(home: &Home, arguments: &[&str]) -> String {
    let added = keys(home, arguments).successful();
    let key = added.stdout.trim_end().to_owned();
    assert!(key.starts_with("mp-") && key.len() == 35 && !key.contains(char::is_whitespace), "{}", added.said());
    assert!(added.stderr.contains("shown once"), "{}", added.stderr);
    key
}

fn refused(finished: &Finished, code: i32, said: &str) {
    assert_eq!(finished.code, code, "{}", finished.said());
    assert!(finished.stderr.contains(said) && finished.stderr.lines().count() == 1, "{}", finished.stderr);
}

async fn chat(proxy: &StartedProxy, key: &str) -> Answer {
    let mut conversation = Conversation::new();
    conversation.user("Is the tea ready?");
    proxy.chat_as(&format!("Bearer {key}"), conversation.body()).await
}
