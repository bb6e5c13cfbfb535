//! How often something is masked in what people and models have really said to each other, where hardly anything should be.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use super::MASKER;
use crate::openai::recordings_for_tests as recordings;

/// At most one turn of so many may be masked.
const TURNS_PER_ALARM: usize = 1000;

#[test]
fn of_a_thousand_recorded_turns_at_most_one_is_masked() {
    let mut turns = Vec::new();
    for file in files(&recordings::data()) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let value = match file.extension().and_then(|extension| extension.to_str()) {
            Some("json") => serde_json::from_str(&text).ok(),
            Some("yaml") => serde_yaml_ng::from_str(&text).ok(),
            _ => None,
        };
        collect(&value.unwrap_or(Value::Null), &mut turns);
    }
    let bytes: usize = turns.iter().map(String::len).sum();
    // The rules are compiled when they are used first.
    MASKER.mask("");
    let started = Instant::now();
    let alarms: Vec<_> = turns.iter().map(|turn| MASKER.mask(turn)).filter(|masked| !masked.kinds.is_empty()).collect();
    let nanoseconds = started.elapsed().as_nanos() as f64 / bytes.max(1) as f64;
    let rate = alarms.len() as f64 / turns.len().max(1) as f64;
    println!(
        "{} of {} recorded turns are masked, {:.3} %, in {nanoseconds:.1} ns a byte",
        alarms.len(),
        turns.len(),
        rate * 100.0
    );
    for alarm in &alarms {
        println!("  {:?}", alarm.kinds);
    }
    assert!(turns.len() >= TURNS_PER_ALARM, "only {} turns were found", turns.len());
    assert!(alarms.len() * TURNS_PER_ALARM <= turns.len(), "{rate}");
}

/// The texts of all messages of users and assistants, and what speakers of other recordings say.
fn collect(value: &Value, turns: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let role = fields.get("role").and_then(Value::as_str).unwrap_or_default();
            if ["user", "assistant"].contains(&role) {
                texts(fields.get("content").unwrap_or(&Value::Null), turns);
            }
            if fields.contains_key("speaker") {
                texts(fields.get("text").unwrap_or(&Value::Null), turns);
            }
            fields.values().for_each(|value| collect(value, turns));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, turns)),
        _ => {}
    }
}

fn texts(content: &Value, turns: &mut Vec<String>) {
    match content {
        Value::String(text) if !text.trim().is_empty() => turns.push(text.clone()),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")).for_each(|text| texts(text, turns)),
        _ => {}
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
