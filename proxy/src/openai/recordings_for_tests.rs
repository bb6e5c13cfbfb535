//! Requests and streams that were recorded from real services, for tests.
//!
//! They lie in the data directory (`MAINPOINT_DATA`, else `../shared/data` beside the checkout).
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::request::Surface;

/// The directory of all data that tests may read. Fails as [`directory`] does.
pub(crate) fn data() -> PathBuf {
    directory().parent().unwrap().to_owned()
}

/// The directory of the recordings. Fails the test where there is none; `make test` leaves these tests out then, and says so.
pub(crate) fn directory() -> PathBuf {
    let found = existing();
    assert!(found.is_some(), "no recordings are here: set MAINPOINT_DATA to a directory that holds openai-fixtures");
    found.unwrap()
}

fn existing() -> Option<PathBuf> {
    let set = std::env::var_os("MAINPOINT_DATA").map(PathBuf::from);
    let set = set.filter(|path| path.is_dir());
    let beside = || Some(PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?).join("../../shared/data"));
    let directory = set.or_else(beside)?.join("openai-fixtures");
    directory.is_dir().then_some(directory)
}

/// Every request: JSON files as they are, and what cassettes hold as parsed bodies.
pub(crate) fn requests(directory: &Path) -> Vec<(Surface, Vec<u8>)> {
    let mut found = Vec::new();
    for (path, text) in texts(directory) {
        let bodies = match extension(&path) {
            "json" => vec![text],
            "yaml" => interactions(&text)
                .iter()
                .filter_map(|interaction| Some(interaction.get("request")?.get("parsed_body")?.to_string()))
                .collect(),
            _ => Vec::new(),
        };
        found.extend(bodies.into_iter().filter_map(|body| Some((asked(&body)?, body.into_bytes()))));
    }
    found
}

/// Every stream of server-sent events, whole or not.
pub(crate) fn streams(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in texts(directory) {
        let bodies = match extension(&path) {
            "yaml" => interactions(&text)
                .iter()
                .filter_map(|interaction| {
                    let body = interaction.get("response")?.get("body")?.get("string")?;
                    Some(body.as_str()?.to_owned())
                })
                .collect(),
            _ if path.to_string_lossy().ends_with(".chunks.txt") => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                vec![lines.map(|line| format!("data: {line}\n\n")).collect()]
            }
            _ => vec![text],
        };
        let is_stream = |body: &String| body.lines().any(|line| line.starts_with("data:"));
        found.extend(bodies.into_iter().filter(is_stream));
    }
    found
}

/// The surface that a JSON text is a request to. Answers repeat parts of their request, but say what object they are.
fn asked(text: &str) -> Option<Surface> {
    let value: Value = serde_json::from_str(text).ok()?;
    match (value.get("object"), value.get("messages"), value.get("input")) {
        (None, Some(_), None) => Some(Surface::ChatCompletions),
        (None, None, Some(_)) => Some(Surface::Responses),
        _ => None,
    }
}

fn interactions(yaml: &str) -> Vec<Value> {
    let cassette: Value = serde_yaml_ng::from_str(yaml).unwrap();
    let listed = cassette.get("interactions").and_then(Value::as_array);
    listed.cloned().unwrap_or_default()
}

/// The files below a directory that are text, by name.
fn texts(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(texts(&path));
        } else if let Ok(text) = String::from_utf8(std::fs::read(&path).unwrap()) {
            found.push((path, text));
        }
    }
    found
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}
