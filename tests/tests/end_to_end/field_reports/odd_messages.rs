//! One odd message in an ordinary conversation: it stays as it is, and everything else goes on as without it.
//!
//! It must not know what the proxy can parse.

use super::stage::{CODE, Report, Seen, Stage};

/// Where the odd message stands in each input: behind 25 ordinary ones.
const ODD: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_without_end_in_a_part_stays_and_the_turns_before_it_leave() {
    stays_and_is_counted("a-1e400-in-a-content-part.json", "number-out-of-range").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_levels_in_a_part_stay_and_the_turns_before_them_leave() {
    stays_and_is_counted("a-200-levels-in-a-content-part.json", "too-deep").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_surrogate_pair_in_a_message_stays_and_the_turns_before_it_leave() {
    stays_and_is_counted("a-lone-surrogate-in-a-late-user-message.json", "lone-surrogate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_a_surrogate_pair_in_the_arguments_of_a_call_stays_with_the_result_of_the_call() {
    let seen = stays_and_is_counted("a-lone-surrogate-in-tool-arguments.json", "lone-surrogate").await;
    seen.check(&[], &[ODD + 1]);
    assert_eq!(mainpoint_tests::calls::objection(&seen.values()), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_is_a_number_stays_and_the_turns_before_it_leave() {
    stays_and_is_counted("c-content-as-a-number.json", "unknown-shape").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_is_an_object_stays_and_the_turns_before_it_leave() {
    stays_and_is_counted("c-content-as-an-object.json", "unknown-shape").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_a_number_does_not_keep_the_memory_away() {
    let report = Report::named("a-user-as-a-number.json");
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, 7, 8], &[0, report.last()]);
    seen.check_recalled(CODE);
    assert!(seen.forwarded.contains(r#""user":42"#), "{:?}", seen.forwarded);
}

async fn stays_and_is_counted(name: &'static str, reason: &str) -> Seen {
    let report = Report::named(name);
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, 7, 8], &[0, ODD, report.last()]);
    seen.check_recalled(CODE);
    assert!(seen.messages.contains(&report.messages[ODD]), "the odd message keeps every byte: {:#?}", seen.messages);
    let counted = seen.metrics.sum("mainpoint_odd_messages_total", &[("reason", reason)]);
    assert!(counted >= 1.0, "it is counted as {reason}: {:?}", seen.metrics);
    seen
}
