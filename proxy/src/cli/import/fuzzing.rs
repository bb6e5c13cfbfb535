//! What fuzzing calls of an import: every line of a file is a conversation, a turn at its place, or refused in one line.

use bytes::Bytes;
use chrono::DateTime;
use mainpoint_store::Scope;

use super::line::Line;
use crate::cli::messages::passed_over;
use crate::conversation::chain::Chain;
use crate::memory::{ArchivedTurn, MovedTurns, Restorer};

/// The most bytes of a refusal: it shows the beginning of a value alone.
const LONGEST_REFUSAL: usize = 600;

/// Reads bytes as a file that is imported.
pub(crate) fn lines(bytes: &[u8]) {
    let Ok(scope) = Scope::new("fuzz") else { return };
    let chain = Chain::new(&scope);
    let mut restorer = Restorer::new(scope, |role: &str, text: &str| chain.turn(role, text), DateTime::UNIX_EPOCH);
    let mut moved = MovedTurns::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        conversation(line);
        if let Some(turn) = exported(line) {
            restorer.add(turn, &mut moved);
        }
    }
    assert!(moved.placed.len() <= moved.turns.len());
}

fn conversation(bytes: &[u8]) {
    match Line::parse(Bytes::copy_from_slice(bytes)) {
        Ok(line) => {
            let _ = (line.missing(), passed_over(&line.listed));
            for listed in &line.listed {
                let parsed = line.request.messages.get(listed.parsed).map(|message| message.range.clone());
                let holds =
                    parsed.is_some_and(|parsed| parsed.start <= listed.range.start && listed.range.end <= parsed.end);
                assert!(holds, "{listed:?}");
            }
            for (index, message) in line.spoken() {
                let _ = line.time_of(index);
                assert!(!message.text().trim().is_empty());
            }
        }
        Err(reason) => {
            let is_short = !reason.is_empty() && reason.len() <= LONGEST_REFUSAL;
            assert!(is_short && !reason.contains(['\n', '\r']), "{reason:?}");
        }
    }
}

fn exported(bytes: &[u8]) -> Option<ArchivedTurn> {
    let read = ArchivedTurn::parse(bytes);
    match &read {
        Ok(turn) => {
            let written = serde_json::to_vec(turn).unwrap_or_default();
            assert!(!written.contains(&b'\n'));
            assert_eq!(ArchivedTurn::parse(&written), read);
        }
        Err(error) => assert!(error.value.len() <= LONGEST_REFUSAL && !error.value.contains(['\n', '\r']), "{error:?}"),
    }
    read.ok()
}
