//! Whether the memory can do its work, as `/readyz` says it.

use chrono::SecondsFormat;
use http::StatusCode;
use mainpoint_store::Trouble;
use serde_json::{Map, Value, json};

use crate::config::Mode;
use crate::memory::MemoryPart;

/// How the parts of the memory are.
#[derive(Debug)]
pub(super) struct Readiness {
    /// Those that have stopped.
    pub(super) dead: Vec<MemoryPart>,
    /// What of the store does not work.
    pub(super) troubles: Vec<Trouble>,
    /// Whether a question finds all that it waits for. Until then the first requests would wait for it up to their deadline.
    pub(super) is_warm: bool,
}

impl Readiness {
    /// 200 when all of them do their work, else 503.
    pub(super) fn status(&self) -> StatusCode {
        if self.word() == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Each part, and why one does not work.
    pub(super) fn describe(&self, mode: Mode) -> Value {
        let parts: Map<String, Value> =
            MemoryPart::ALL.iter().map(|part| (part.name().to_owned(), json!(self.state(*part)))).collect();
        let mut body = json!({"status": self.word(), "parts": parts, "memory": mode.label()});
        if !self.troubles.is_empty() {
            body["troubles"] = self.troubles.iter().map(described).collect();
        }
        body
    }

    fn word(&self) -> &'static str {
        match self {
            Self { dead, troubles, .. } if !dead.is_empty() || !troubles.is_empty() => "degraded",
            Self { is_warm: false, .. } => "starting",
            _ => "ready",
        }
    }

    fn state(&self, part: MemoryPart) -> &'static str {
        match part {
            part if self.dead.contains(&part) => "stopped",
            MemoryPart::Store if !self.troubles.is_empty() => "degraded",
            MemoryPart::Questions if !self.is_warm => "starting",
            _ => "alive",
        }
    }
}

fn described(trouble: &Trouble) -> Value {
    json!({
        "part": MemoryPart::Store.name(),
        "what": trouble.part.label(),
        "reason": trouble.reason,
        "since": trouble.since.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use mainpoint_store::StorePart;

    use super::*;

    fn said(readiness: &Readiness) -> (u16, Value) {
        (readiness.status().as_u16(), readiness.describe(Mode::On))
    }

    #[test]
    fn a_memory_is_ready_when_a_question_waits_for_nothing_any_more() {
        let cold = Readiness { dead: Vec::new(), troubles: Vec::new(), is_warm: false };
        let parts = json!({"reader": "alive", "questions": "starting", "store": "alive"});
        assert_eq!(said(&cold), (503, json!({"status": "starting", "parts": parts, "memory": "on"})));
        let parts = json!({"reader": "alive", "questions": "alive", "store": "alive"});
        let warm = Readiness { is_warm: true, ..cold };
        assert_eq!(said(&warm), (200, json!({"status": "ready", "parts": parts, "memory": "on"})));
    }

    #[test]
    fn what_does_not_work_is_said_before_what_is_starting() {
        let trouble = Trouble { part: StorePart::Journal, reason: "full".to_owned(), since: DateTime::UNIX_EPOCH };
        let readiness = Readiness { dead: vec![MemoryPart::Questions], troubles: vec![trouble], is_warm: false };
        let (status, body) = said(&readiness);
        assert_eq!((status, &body["status"]), (503, &json!("degraded")));
        assert_eq!(body["parts"], json!({"reader": "alive", "questions": "stopped", "store": "degraded"}));
        let trouble = json!({"part": "store", "what": "journal", "reason": "full", "since": "1970-01-01T00:00:00Z"});
        assert_eq!(body["troubles"], json!([trouble]));
    }
}
