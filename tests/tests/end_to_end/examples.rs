//! The examples in `tests/examples`: what mainpoint makes of six requests, in files that people can read.
//!
//! `MAINPOINT_UPDATE_EXAMPLES=1` writes the forwarded requests anew.

use mainpoint_tests::example::{self, Example};
use mainpoint_tests::recorded::Interface;
use mainpoint_tests::{RecordedRequest, ScriptedUpstream, StartedProxy, prompt};

/// The folders of all examples.
const NAMES: [&str; 6] = ["image", "long-results", "over-budget", "responses", "tool-calls", "within-budget"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_within_the_budget_is_forwarded_byte_for_byte() {
    let example = Example::named("within-budget");
    let forwarded = played(&example, "passthrough").await;
    assert_eq!(forwarded.body, example.request());
    example.assert_forwarded(&forwarded.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_budget_old_turns_leave_and_memories_are_put_in() {
    let example = Example::named("over-budget");
    let forwarded = played(&example, "rewritten").await;
    prompt::assert_well_formed(&forwarded.json());
    example.assert_forwarded(&forwarded.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tool_calls_and_their_results_leave_together_or_stay_together() {
    let example = Example::named("tool-calls");
    let forwarded = played(&example, "rewritten").await;
    prompt::assert_well_formed(&forwarded.json());
    example.assert_forwarded(&forwarded.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_results_of_tools_are_shortened_to_their_main_points_before_rounds_leave() {
    let example = Example::named("long-results");
    let forwarded = played(&example, "rewritten").await;
    prompt::assert_well_formed(&forwarded.json());
    example.assert_forwarded(&forwarded.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_with_an_image_stays_while_older_and_newer_ones_leave() {
    let example = Example::named("image");
    let forwarded = played(&example, "rewritten").await;
    prompt::assert_well_formed(&forwarded.json());
    example.assert_forwarded(&forwarded.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_the_responses_interface_is_rewritten_by_the_same_rules() {
    let example = Example::named("responses");
    let forwarded = played(&example, "rewritten").await;
    example.assert_forwarded(&forwarded.body);
}

#[test]
fn every_example_is_played_and_stands_in_the_readme() {
    let entries = std::fs::read_dir(example::folder()).expect("the examples");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<String> = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    folders.sort();
    assert_eq!(folders, NAMES);
    let readme = std::fs::read_to_string(example::folder().join("README.md")).expect("a README");
    for name in NAMES {
        assert!(readme.contains(&format!("({name}/)")), "{name} stands in README.md");
    }
}

/// Sends the example's request, waits until its turns have been read, and sends it again. What comes back is what the upstream
/// received the second time.
async fn played(example: &Example, outcome: &str) -> RecordedRequest {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream);
    let proxy = example.configured(builder).start().await;
    let request = example.request();
    let path = Interface::of_request(&request).expect("a request").path();
    let first = proxy.post(path, request.clone()).await;
    assert_eq!(first.outcome(), "passthrough", "what has not been read does not leave");
    proxy.everything_read().await;
    let second = proxy.post(path, request).await;
    assert_eq!(second.outcome(), outcome, "{:?}", second.headers);
    proxy.stop().await;
    upstream.last_request()
}
