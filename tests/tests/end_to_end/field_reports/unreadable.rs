//! Turns that a tokenizer or a model finds hard, in ordinary conversations: they are read and leave as all others do.
//!
//! It must not know how turns are read.

use super::stage::{CODE, Report, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_with_the_mark_that_tokenizers_write_for_a_space_is_read_and_leaves() {
    is_read_and_leaves("d-02.json").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_drawn_with_box_characters_is_read_and_leaves() {
    is_read_and_leaves("d-03.json").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_with_a_bar_of_hundreds_of_equal_characters_is_read_and_leaves() {
    is_read_and_leaves("d-rich-panel.json").await;
}

/// The hard turn is the first one after the instruction.
async fn is_read_and_leaves(name: &'static str) {
    let report = Report::named(name);
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, 3, 4], &[0, report.last()]);
    seen.check_recalled(CODE);
    let unreadable = seen.metrics.sum("mainpoint_unreadable_turns_total", &[]);
    assert_eq!(unreadable, 0.0, "every turn can be read");
}
