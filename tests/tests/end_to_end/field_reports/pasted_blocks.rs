//! A question that holds a block or a digest which the user pasted: those are the user's own words, forwarded and remembered.
//!
//! It must not know how the proxy tells its own blocks from others.

use mainpoint_tests::binary;
use mainpoint_tests::prompt::BLOCK_START;
use serde_json::Value;

use super::stage::{CODE, Report, Seen, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_that_begins_a_question_is_forwarded_and_remembered_with_it() {
    is_the_users_own("c-the-question-begins-with-a-pasted-digest.json", "UNIQUE-DIGEST-78").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_ends_a_question_is_forwarded_and_remembered_with_it() {
    is_the_users_own("c-the-question-itself-ends-in-a-pasted-block.json", "UNIQUE-PASTE-77").await;
}

async fn is_the_users_own(name: &'static str, pasted: &str) {
    let report = Report::named(name);
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, 7, 8], &[0, report.last()]);
    seen.check_recalled(CODE);
    let question = report.text(report.last());
    assert!(question.contains(pasted));
    let forwarded = last_text(&seen);
    let behind = forwarded.split_once(&question).map(|(_, behind)| behind.trim_start());
    assert!(
        behind.is_some_and(|behind| behind.starts_with(BLOCK_START)),
        "the whole question, then our block: {forwarded}"
    );

    let home = stage.proxy.stop().await;
    let configuration = home.configuration().display().to_string();
    let asked = ["search", question.as_str(), "--limit", "50", "--json", "--config", configuration.as_str()];
    let found: Value = serde_json::from_str(&binary::run(&asked).successful().stdout).expect("JSON");
    let turns = found["results"].as_array().expect("a list");
    assert!(
        turns.iter().any(|turn| turn["text"] == question.as_str()),
        "the question is remembered word for word: {turns:#?}"
    );
    let own = turns.iter().filter(|turn| turn["text"].as_str().is_some_and(|text| text.contains(pasted)));
    assert_eq!(own.count(), 1, "it is remembered once: {turns:#?}");
}

/// The text of the last message that was forwarded.
fn last_text(seen: &Seen) -> String {
    let last = seen.values().pop().expect("a message");
    last["content"].as_str().expect("a text").to_owned()
}
