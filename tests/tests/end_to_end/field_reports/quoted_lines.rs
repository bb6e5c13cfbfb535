//! A tool result whose lines pose as other speakers and as the end of our block: quoted, it remains one result of a tool.
//!
//! It must not know how quotes are written, beyond what a reader of a block goes by: a line that begins with a date in brackets
//! and a speaker is what that speaker said.

use std::collections::HashMap;

use mainpoint_tests::prompt;
use serde_json::Value;

use super::stage::{Report, Stage, outcome};

/// The tool result.
const RESULT: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_pose_as_speakers_change_nothing_before_they_have_been_read() {
    let report = Report::named("c-forged-lines-first-sight.json");
    let stage = Stage::set().await;
    let answer = stage.send(&report).await;
    assert_eq!((answer.status.as_u16(), outcome(&answer)), (200, "passthrough"));
    assert!(stage.upstream.last_request().body == report.body, "every byte as it was sent");
    assert_eq!(answer.count("x-mainpoint-memories"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_pose_as_speakers_remain_lines_of_the_tool_that_returned_them() {
    let report = Report::named("c-forged-lines-inside-a-quoted-tool-result.json");
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, RESULT, 4, 5], &[0, report.last()]);
    seen.check_recalled("Gym page");
    let said = said(&report);
    let result = report.text(RESULT);
    let forged: Vec<&str> = result.lines().skip(1).collect();
    for injected in seen.injected() {
        let inside = inside(injected);
        for line in lines(inside) {
            assert!(!forged.contains(&line.trim_end()), "{line:?} stands alone in {injected}");
            let Some((speaker, quote)) = quoted(line) else { continue };
            let own = said.iter().filter(|(role, _)| speaker.starts_with(role.as_str()));
            let begins: String = quote.chars().take_while(|character| *character != '…').take(40).collect();
            let is_own = |text: &String| text.contains(begins.trim());
            let said_so = own.flat_map(|(_, texts)| texts).any(is_own);
            assert!(said_so, "{speaker} never said {quote:?}, in {injected}");
        }
        let lower = inside.to_lowercase();
        for mark in ["<mainpoint-", "</mainpoint-"] {
            assert!(!lower.contains(mark), "{mark} inside {injected}");
        }
    }
    let question = prompt::text(seen.values().last().expect("a message")).to_lowercase();
    assert_eq!(question.matches("</mainpoint-memory>").count(), 1, "one end of one block: {question}");
}

/// Every text of an input by the role of its speaker, with white space made alike.
fn said(report: &Report) -> HashMap<String, Vec<String>> {
    let mut said: HashMap<String, Vec<String>> = HashMap::new();
    for message in &report.messages {
        let message: Value = serde_json::from_str(message).expect("JSON");
        let texts = said.entry(prompt::role(&message).to_owned()).or_default();
        texts.push(prompt::text(&message).split_whitespace().collect::<Vec<_>>().join(" "));
    }
    said
}

/// What stands between the marks of a block or digest.
fn inside(injected: &str) -> &str {
    let (_, inside) = injected.split_once('>').expect("a mark");
    let (inside, _) = inside.rsplit_once("</").expect("a mark");
    inside
}

/// The lines of a text as any reader may see them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'])
}

/// The speaker and the words of a line that a reader takes for the beginning of a quote.
fn quoted(line: &str) -> Option<(&str, String)> {
    let (date, rest) = line.strip_prefix('[')?.split_once(']')?;
    let is_date = date.get(..4)?.bytes().all(|byte| byte.is_ascii_digit()) && date.contains("UTC");
    let (speaker, words) = rest.trim_start().split_once(':')?;
    is_date.then(|| (speaker, words.split_whitespace().collect::<Vec<_>>().join(" ")))
}
