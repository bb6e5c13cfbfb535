//! What all answers of a loop of calls of our tool cost together.

use serde_json::Value;

/// The `usage` of one answer after the other.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Of the answers that are over, together.
    before: Option<Value>,
    /// Of the present one, as it was told last.
    present: Option<Value>,
}

impl Usage {
    /// Notes what the present answer says; gives what stands in its place, if answers came before it.
    pub(super) fn note(&mut self, told: Value) -> Option<Value> {
        let total = self.before.as_ref().map(|before| sum(before, &told));
        self.present = Some(told);
        total
    }

    /// The present answer is over, and another one follows.
    pub(super) fn end_answer(&mut self) {
        if let Some(told) = self.present.take() {
            self.before = Some(match &self.before {
                Some(before) => sum(before, &told),
                None => told,
            });
        }
    }
}

/// `later` with the whole numbers of `earlier` added to its own; the rest is as `later` has it.
fn sum(earlier: &Value, later: &Value) -> Value {
    match (earlier, later) {
        (Value::Number(one), Value::Number(other)) => match (one.as_u64(), other.as_u64()) {
            (Some(one), Some(other)) => one.saturating_add(other).into(),
            _ => later.clone(),
        },
        (Value::Object(one), Value::Object(other)) => {
            let added = other.iter().map(|(name, value)| {
                let total = one.get(name).map_or_else(|| value.clone(), |before| sum(before, value));
                (name.clone(), total)
            });
            added.collect()
        }
        _ => later.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_added_up_and_the_rest_is_the_last_answers() {
        let mut usage = Usage::default();
        let first = json!({"total_tokens": 3, "details": {"cached": 1, "kind": "a"}, "cost": 0.5, "only": 1});
        assert_eq!(usage.note(first), None);
        usage.end_answer();
        usage.end_answer();
        let second = json!({"total_tokens": 4, "details": {"cached": 2, "kind": "b"}, "cost": 0.25, "new": null});
        let total = json!({"total_tokens": 7, "details": {"cached": 3, "kind": "b"}, "cost": 0.25, "new": null});
        // A stream may tell it several times, and the last time counts.
        assert_eq!(usage.note(json!({"total_tokens": 1})), Some(json!({"total_tokens": 4})));
        assert_eq!(usage.note(second), Some(total));
    }
}
