//! Requests and streams that were recorded from real services: finds them in the data directory and takes them out of the
//! files that they were recorded in.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::checkout;

/// An interface of OpenAI's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// Chat completions.
    ChatCompletions,
    /// Responses.
    Responses,
}

/// A recorded body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The file that it comes from.
    pub file: PathBuf,
    /// The interface that it belongs to.
    pub interface: Interface,
    /// The body.
    pub body: String,
}

impl Interface {
    /// The path of the server that answers it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Responses => "responses",
        }
    }

    /// The one that a JSON text is a request to; `None` when it is no request. Answers repeat parts of their request, but say what
    /// object they are.
    #[must_use]
    pub fn of_request(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        if value.get("object").is_some() {
            None
        } else if value.get("messages").is_some() {
            Some(Self::ChatCompletions)
        } else {
            value.get("input").map(|_| Self::Responses)
        }
    }

    /// The one that a stream belongs to: only a response says that it begins.
    fn of_stream(body: &str) -> Self {
        let begins = ["\"response.created\"", "\"response.queued\""];
        if begins.iter().any(|kind| body.contains(kind)) { Self::Responses } else { Self::ChatCompletions }
    }
}

/// Where the recordings are.
///
/// # Panics
/// When they are missing.
#[must_use]
pub fn directory() -> PathBuf {
    checkout::data("openai-fixtures")
}

/// All requests below a directory: those in files of their own with their exact bytes, those in cassettes written anew.
///
/// # Panics
/// When a file cannot be read.
#[must_use]
pub fn requests(directory: &Path) -> Vec<Recorded> {
    let files = texts(directory).into_iter();
    let requests = files.flat_map(|(file, text)| {
        let bodies = match file.extension().and_then(|extension| extension.to_str()) {
            Some("json") => vec![text],
            Some("yaml") => parsed_bodies(&text),
            _ => Vec::new(),
        };
        let request = |body: String| {
            let (file, interface) = (file.clone(), Interface::of_request(&body)?);
            Some(Recorded { file, interface, body })
        };
        bodies.into_iter().filter_map(request).collect::<Vec<_>>()
    });
    requests.collect()
}

/// All streams of server-sent events below a directory, whole or not.
///
/// # Panics
/// When a file cannot be read, or holds YAML of a kind that no recording has.
#[must_use]
pub fn streams(directory: &Path) -> Vec<Recorded> {
    let mut streams = Vec::new();
    for (file, text) in texts(directory) {
        let bodies = bodies(&file, text).into_iter();
        let events = bodies.filter(|body| body.lines().any(|line| line.starts_with("data:")));
        streams.extend(events.map(|body| Recorded {
            file: file.clone(),
            interface: Interface::of_stream(&body),
            body,
        }));
    }
    streams
}

/// The files below a directory that are text, in the order of their names.
fn texts(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(directory).expect("the directory of the recordings");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(texts(&path));
        } else if let Ok(text) = String::from_utf8(std::fs::read(&path).expect("a recording")) {
            found.push((path, text));
        }
    }
    found
}

/// The bodies that a file holds. What is neither a cassette nor a list of chunks is one body itself.
fn bodies(file: &Path, text: String) -> Vec<String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".yaml") {
        let answered = interactions(&text);
        let body = |interaction: &Value| Some(interaction["response"]["body"]["string"].as_str()?.to_owned());
        return answered.iter().filter_map(body).collect();
    }
    if name.ends_with(".chunks.txt") {
        let chunks = text.lines().filter(|line| !line.trim().is_empty());
        return vec![chunks.map(|chunk| format!("data: {chunk}\n\n")).collect()];
    }
    vec![text]
}

/// The requests of a cassette, which keeps them parsed.
fn parsed_bodies(yaml: &str) -> Vec<String> {
    let asked = interactions(yaml).into_iter();
    asked.filter_map(|interaction| Some(interaction.get("request")?.get("parsed_body")?.to_string())).collect()
}

/// What was asked and answered, in the order of a cassette.
fn interactions(yaml: &str) -> Vec<Value> {
    let cassette: Value = serde_yaml_ng::from_str(yaml).expect("a cassette");
    let listed = cassette.get("interactions").and_then(Value::as_array);
    listed.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Interface;

    #[test]
    fn a_request_is_told_from_an_answer() {
        let chat = Interface::of_request(r#"{"model":"x","messages":[]}"#);
        assert_eq!(chat, Some(Interface::ChatCompletions));
        assert_eq!(Interface::of_request(r#"{"input":"hi"}"#), Some(Interface::Responses));
        for other in [r#"{"object":"response","input":[]}"#, r#"{"model":"x"}"#, "data: {}", "[]"] {
            assert_eq!(Interface::of_request(other), None, "{other}");
        }
    }
}
