//! Notes of the role `system` all along a conversation: all of them stay, and what was said between them leaves.
//!
//! It must not know how prompts are cut.

use super::stage::{CODE, Report, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_before_every_turn_stay_and_the_old_turns_between_them_leave() {
    let report = Report::named("c-a-system-note-before-every-turn-40-turns.json");
    // The notes alone take nearly five hundred tokens.
    let stage = Stage::with_budget(800).await;
    let seen = stage.sent_twice(&report).await;
    let is_note = |place: &usize| report.messages[*place].contains(r#""role": "system""#);
    let notes: Vec<usize> = (0..report.messages.len()).filter(is_note).collect();
    assert_eq!(notes.len(), 13, "the input has an instruction and twelve notes");
    let stayed: Vec<usize> = notes.iter().copied().chain([report.last()]).collect();
    seen.check(&[2, 3, 5, 6, 11, 12], &stayed);
    for note in notes {
        assert!(seen.messages.contains(&report.messages[note]), "note {note} keeps its bytes");
    }
    seen.check_recalled(CODE);
}
