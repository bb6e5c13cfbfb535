//! An import through a running proxy: every conversation as lines of the memory's API, which the proxy reads when it has time.

use std::io::Write;

use serde_json::{Value, json};

use super::history::{History, Numbered};
use super::line::{Line, of_conversation};
use crate::cli::CliError;
use crate::cli::memories::RemoteMemory;

/// What a proxy has taken in.
#[derive(Debug, Default)]
pub(super) struct Sent {
    conversations: u64,
    turns_taken: u64,
    turns_known: u64,
}

impl Sent {
    /// Sends every conversation. One that was sent before changes nothing.
    ///
    /// # Errors
    /// [`CliError::History`] with the first line that was not taken.
    pub(super) async fn all(history: &History, memory: &RemoteMemory) -> Result<Self, CliError> {
        let mut sent = Self::default();
        for line in history.lines()? {
            let Numbered { number, line } = line?;
            let lines = lines_of(&line);
            if lines.is_empty() {
                continue;
            }
            let answer = memory.import(lines, line.request.user.as_deref()).await.map_err(|error| match error {
                error @ CliError::Unreachable { .. } => error,
                error => history.refusal(number, format!("{error}{}", of_conversation(line.name.as_deref()))),
            })?;
            sent.add(1, &answer);
        }
        Ok(sent)
    }

    /// Adds what a proxy says of so many conversations.
    pub(super) fn add(&mut self, conversations: u64, answer: &Value) {
        self.conversations += conversations;
        self.turns_taken += answer["turns_taken"].as_u64().unwrap_or_default();
        self.turns_known += answer["turns_known"].as_u64().unwrap_or_default();
    }

    /// Prints it for people.
    pub(super) fn print(&self) -> Result<(), CliError> {
        let mut output = anstream::stdout();
        writeln!(output, "conversations: {}", self.conversations)?;
        writeln!(output, "turns taken: {} (searches find them once the proxy has read them)", self.turns_taken)?;
        writeln!(output, "turns already in memory: {}", self.turns_known)?;
        Ok(())
    }

    /// Prints it for programs.
    pub(super) fn print_json(&self) -> Result<(), CliError> {
        let Self { conversations, turns_taken, turns_known } = self;
        let described =
            json!({ "conversations": conversations, "turns_taken": turns_taken, "turns_known": turns_known });
        writeln!(anstream::stdout(), "{described:#}")?;
        Ok(())
    }
}

/// The turns of a conversation as an export has them. Its name is made of its words, so that it has the same one each time.
fn lines_of(line: &Line) -> String {
    let name = blake3::hash(&line.request.body).to_hex();
    let mut lines = String::new();
    for (position, (index, message)) in line.spoken().enumerate() {
        let turn: Value = json!({
            "conversation": name.as_str(),
            "position": position,
            "role": message.role,
            "text": message.text(),
            "time": line.time_of(index),
        });
        lines += &turn.to_string();
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use bytes::Bytes;

    use super::*;
    use crate::memory::ArchivedTurn;

    #[test]
    fn a_conversation_becomes_lines_that_the_api_takes() {
        let text = r#"{"created_at": "2026-05-08T13:56:00+02:00", "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}, {"role": "critic", "content": "No."},
            {"role": "assistant", "content": "Hi", "created_at": "2026-05-09T00:00:00Z"}, {"role": "user", "content": " "}]}"#;
        let line = Line::parse(Bytes::from(text.replace('\n', ""))).unwrap();
        let lines = lines_of(&line);
        let turns: Vec<ArchivedTurn> =
            lines.lines().map(|line| ArchivedTurn::parse(line.as_bytes()).unwrap()).collect();
        let told: Vec<_> = turns.iter().map(|turn| (turn.position, turn.role.as_str(), turn.text.as_str())).collect();
        assert_eq!(told, [(Some(0), "user", "Hello"), (Some(1), "assistant", "Hi")]);
        let days: Vec<String> = turns.iter().map(|turn| turn.time.unwrap().format("%d %H").to_string()).collect();
        assert_eq!(days, ["08 11", "09 00"]);
        assert_eq!(lines_of(&line), lines, "the same each time");
    }
}
