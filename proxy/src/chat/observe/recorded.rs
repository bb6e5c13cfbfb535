//! Every recorded stream is read alike at every chunk size, and as a client of OpenAI would read it.
//!
//! The recordings lie in the data directory (`MAINPOINT_DATA`, else `../shared/data` beside the checkout).
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "the number of streams is to be seen")]

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use serde_json::Value;

use super::*;

#[test]
fn every_recorded_stream_gives_one_reply_at_every_chunk_size() {
    let Some(directory) = fixtures() else {
        println!("no recorded streams are here (MAINPOINT_DATA), so none was tried");
        return;
    };
    let (mut chat, mut responses, mut streams) = (0, 0, 0);
    for body in recorded(&directory) {
        let surface = surface_of(&body);
        let reply = observe(surface, &body, body.len().max(1));
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(observe(surface, &body, size), reply, "chunks of {size} bytes:\n{body}");
        }
        streams += 1;
        if let Some(reply) = reply.text {
            assert_eq!(reply, said(surface, &body), "{body}");
            match surface {
                Surface::ChatCompletions => chat += 1,
                Surface::Responses => responses += 1,
            }
        }
    }
    println!("{streams} recorded streams, of which {chat} chats and {responses} responses are plain text");
    assert!(chat > 0 && responses > 0);
}

/// What an observer knows at the end.
#[derive(Debug, PartialEq)]
struct Seen {
    done: bool,
    next_number: u64,
    text: Option<String>,
}

fn observe(surface: Surface, body: &str, size: usize) -> Seen {
    let mut observer = Observer::events(surface);
    body.as_bytes().chunks(size).for_each(|piece| observer.push(piece));
    observer.finish();
    Seen {
        done: observer.is_done(),
        next_number: observer.next_number(),
        text: observer.take_reply(),
    }
}

fn surface_of(body: &str) -> Surface {
    if body.contains("\"response.created\"") || body.contains("\"response.queued\"") {
        Surface::Responses
    } else {
        Surface::ChatCompletions
    }
}

/// The text that a client of OpenAI shows for a plain reply.
fn said(surface: Surface, body: &str) -> String {
    let data = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let events: Vec<Value> = data.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let texts: Vec<&str> = match surface {
        Surface::ChatCompletions => {
            let choices = events.iter().filter_map(first_choice);
            choices
                .filter_map(|choice| choice["delta"]["content"].as_str())
                .collect()
        }
        Surface::Responses => {
            let end = |event: &&Value| event["type"] == "response.completed" || event["type"] == "response.incomplete";
            let output = events.iter().rfind(end).unwrap()["response"]["output"]
                .as_array()
                .unwrap();
            let parts = output.iter().filter_map(|item| item["content"].as_array()).flatten();
            parts
                .filter(|part| part["type"] == "output_text")
                .filter_map(|part| part["text"].as_str())
                .collect()
        }
    };
    texts.concat()
}

fn first_choice(event: &Value) -> Option<&Value> {
    let mut choices = event["choices"].as_array()?.iter();
    choices.find(|choice| choice.get("index").is_none_or(|index| index == 0))
}

fn fixtures() -> Option<PathBuf> {
    let set = std::env::var_os("MAINPOINT_DATA").map(PathBuf::from);
    let set = set.filter(|path| path.is_dir());
    let beside = || Some(PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?).join("../../shared/data"));
    let directory = set.or_else(beside)?.join("openai-fixtures");
    directory.is_dir().then_some(directory)
}

/// The streams in all files of a directory.
fn recorded(directory: &Path) -> Vec<String> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(recorded(&path));
        } else if let Ok(text) = String::from_utf8(std::fs::read(&path).unwrap()) {
            let name = path.to_string_lossy();
            if name.ends_with(".yaml") {
                found.extend(bodies(&text));
            } else if name.ends_with(".chunks.txt") {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                found.push(lines.map(|line| format!("data: {line}\n\n")).collect());
            } else {
                found.push(text);
            }
        }
    }
    found.retain(|body| body.lines().any(|line| line.starts_with("data:")));
    found
}

/// The bodies of the responses in a recording, which are YAML block scalars or double-quoted ones.
fn bodies(yaml: &str) -> Vec<String> {
    let lines: Vec<&str> = yaml.lines().collect();
    let mut bodies = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(scalar) = line.trim_start().strip_prefix("string: ") else {
            continue;
        };
        let rest = &lines[index + 1..];
        if scalar.starts_with('|') {
            bodies.push(block(rest, indentation(line)));
        } else if let Some(scalar) = scalar.strip_prefix('"') {
            bodies.push(quoted(&[&[scalar][..], rest].concat().join("\n")));
        }
    }
    bodies
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A block scalar with all its lines, below a key that is indented by `outer`.
fn block(lines: &[&str], outer: usize) -> String {
    let inside = |line: &&&str| line.trim().is_empty() || indentation(line) > outer;
    let lines: Vec<&str> = lines.iter().take_while(inside).copied().collect();
    let first = lines.iter().find(|line| !line.trim().is_empty());
    let inner = first.map_or(0, |line| indentation(line));
    lines
        .iter()
        .map(|line| format!("{}\n", line.get(inner..).unwrap_or_default()))
        .collect()
}

/// A double-quoted scalar, up to its closing quote.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' => break,
            '\\' => match rest.next().unwrap() {
                '\n' => skip_blanks(&mut rest),
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                'x' => out.push(coded(&mut rest, 2)),
                'u' => out.push(coded(&mut rest, 4)),
                'U' => out.push(coded(&mut rest, 8)),
                itself => out.push(itself),
            },
            '\n' => {
                out.truncate(out.trim_end_matches([' ', '\t']).len());
                skip_blanks(&mut rest);
                let mut empty_lines = 0;
                while rest.next_if_eq(&'\n').is_some() {
                    empty_lines += 1;
                    skip_blanks(&mut rest);
                }
                match empty_lines {
                    0 => out.push(' '),
                    lines => out.push_str(&"\n".repeat(lines)),
                }
            }
            plain => out.push(plain),
        }
    }
    out
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|blank| matches!(blank, ' ' | '\t')).is_some() {}
}

fn coded(rest: &mut Peekable<Chars<'_>>, digits: usize) -> char {
    let code: String = rest.by_ref().take(digits).collect();
    u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap()
}
