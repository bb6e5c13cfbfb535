//! A file that an export made, instead of recorded conversations: each line is a turn at its place.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use chrono::Utc;
use futures::stream;
use mainpoint_store::ConversationId;
use reqwest::Body;
use serde_json::{Map, Value};

use super::Import;
use super::history::{History, RawLine};
use super::remote::Sent;
use super::summary::Summary;
use crate::app;
use crate::cli::CliError;
use crate::cli::memories::RemoteMemory;
use crate::conversation::chain::Chain;
use crate::memory::{ArchivedTurn, Imported, Importer, LineError, MovedTurns, Restorer};
use crate::terminal::Progress;

/// So many turns are taken in together.
const PIECE: usize = 256;

/// An export, checked.
pub(super) struct Export<'a> {
    history: &'a History,
    /// Conversations in the file.
    conversations: usize,
    /// About how many tokens its turns have.
    tokens: u64,
}

impl<'a> Export<'a> {
    /// Whether the first line of a file is a turn at its place, as far as its keys say.
    ///
    /// # Errors
    /// [`CliError::Read`].
    pub(super) fn is_one(history: &History) -> Result<bool, CliError> {
        let first = history.raw_lines()?.next().transpose()?;
        Ok(first.is_some_and(|line| has_keys_of_a_turn(&line.bytes)))
    }

    /// Reads every line.
    ///
    /// # Errors
    /// [`CliError::Read`], or [`CliError::History`] for the first line that is no turn.
    pub(super) fn check(history: &'a History) -> Result<Self, CliError> {
        let (mut conversations, mut tokens): (HashSet<ConversationId>, u64) = (HashSet::new(), 0);
        for turn in turns(history)? {
            let turn = turn?;
            conversations.insert(turn.conversation);
            tokens += tokens_of(&turn);
        }
        Ok(Self { history, conversations: conversations.len(), tokens })
    }

    /// Sends the file as it is: a proxy's API takes in what it exports.
    ///
    /// # Errors
    /// When the file cannot be read, or the proxy cannot be asked or refuses.
    pub(super) async fn send(&self, memory: &RemoteMemory) -> Result<Sent, CliError> {
        let body = Body::wrap_stream(stream::iter(self.history.pieces()?));
        let mut sent = Sent::default();
        sent.add(self.conversations as u64, &memory.import(body, None).await?);
        Ok(sent)
    }

    /// Puts every turn where it stood, and reads those that have not been read.
    ///
    /// # Errors
    /// When the file cannot be read, or the engine or the store fails.
    pub(super) async fn read(&self, import: &Import<'_>) -> Result<Summary, CliError> {
        let scope = import.owner.scope(None).map_err(CliError::Argument)?;
        let importer = Importer::new(import.engine.clone(), import.store.clone(), app::masker(import.config)?);
        let chain = Chain::new(&scope);
        let name = |role: &str, text: &str| chain.turn(role, text);
        let mut restorer = Restorer::new(scope.clone(), name, Utc::now());
        let progress = Progress::StandardError.tokens("reading", self.tokens);
        let started = Instant::now();
        let mut imported = Imported::default();
        let mut lines = turns(self.history)?.peekable();
        while lines.peek().is_some() {
            let mut piece = MovedTurns::default();
            for turn in lines.by_ref().take(PIECE) {
                restorer.add(turn?, &mut piece);
            }
            let taken = importer.restore(&scope, piece, &|tokens| progress.advance(tokens)).await?;
            progress.advance(taken.known_tokens);
            imported.add(taken);
        }
        let reading = started.elapsed();
        progress.finish();
        import.settle(imported).await?;
        Ok(Summary {
            conversations: self.conversations,
            passed_over: 0,
            imported,
            reading,
            turns_stored: import.store.status().turns,
            bytes_stored: import.store.bytes_on_disk().await?,
            scopes: BTreeSet::from([scope]),
        })
    }
}

fn turns(history: &History) -> Result<impl Iterator<Item = Result<ArchivedTurn, CliError>> + Send, CliError> {
    let parse =
        |line: RawLine| ArchivedTurn::parse(&line.bytes).map_err(|error| history.refusal(line.number, reason(&error)));
    Ok(history.raw_lines()?.map(move |line| parse(line?)))
}

fn has_keys_of_a_turn(line: &[u8]) -> bool {
    let fields: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
    fields.is_some_and(|fields| {
        !fields.contains_key("messages") && ["role", "text"].iter().all(|key| fields.contains_key(*key))
    })
}

fn reason(LineError { key, value, allowed }: &LineError) -> String {
    format!("{} = {value}; expected {allowed}", key.unwrap_or("the line"))
}

/// As many as its length suggests.
fn tokens_of(turn: &ArchivedTurn) -> u64 {
    let tokens = |text: &String| text.len().div_ceil(4) as u64;
    tokens(&turn.text) + turn.plain.as_ref().map_or(0, tokens)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn an_export_is_known_by_its_first_line_and_what_is_wrong_in_it_by_line_key_and_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let history = History::at(file.path()).unwrap();
        let is_export = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            Export::is_one(&history).unwrap()
        };
        let turn = r#"{"conversation":"trip","role":"user","text":"Hello"}"#;
        assert!(is_export(turn) && is_export(&format!("\u{feff}\n \n{turn}\n")));
        for other in
            ["", "nonsense", "[]", "{}", r#"{"messages":[{"role":"user","content":"Hello"}],"text":1,"role":2}"#]
        {
            assert!(!is_export(other), "{other}");
        }
        assert!(is_export(&format!("{turn}\n\n{}", turn.replace("user", "critic"))));
        let refused = Export::check(&history).err().unwrap().to_string();
        assert!(refused.contains("line 3") && refused.contains(r#"role = "critic"; expected "user""#), "{refused}");
        assert!(is_export(&format!("{turn}\n{}\n{}", turn.replace("Hello", "Bye"), turn.replace("trip", "work"))));
        assert_eq!(Export::check(&history).unwrap().conversations, 2);
    }

    #[test]
    fn a_file_is_sent_byte_for_byte_but_for_the_mark_at_its_beginning() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "a line\n\n".repeat(50_000);
        for mark in ["", "\u{feff}"] {
            std::fs::write(file.path(), format!("{mark}{text}")).unwrap();
            let pieces = History::at(file.path()).unwrap().pieces().unwrap();
            let sent: Vec<u8> = pieces.flat_map(|piece| piece.unwrap().to_vec()).collect();
            assert!(sent == text.as_bytes());
        }
    }
}
