//! `mainpoint list`, `topics`, `export`, `forget`, `stats` and `mcp`: a memory as its owner sees it, through a running proxy or from the
//! store itself.

mod local;
mod local_search;
pub(super) mod mcp;
mod place;
mod remote;
mod topics;

use std::io::Write;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::Table;
use mainpoint_store::{ConversationId, TurnId};
use serde_json::{Value, json};

use super::CliError;
use crate::memory::{self, ALLOWED_TIME, Forget, one_line};
use crate::terminal::{self, IdPlace};
use local::{Deleted, LocalMemory};
pub(super) use place::{Memory, MemoryArguments};
pub(super) use remote::RemoteMemory;
pub(super) use topics::{TopicsArguments, topics};

/// How the commands are used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  MY_KEY=sk-… mainpoint list --url http://127.0.0.1:8787 --key-env MY_KEY
  MY_KEY=sk-… mainpoint list --url http://127.0.0.1:8787 --key-env MY_KEY --conversation 0123456789abcdef0123456789abcdef
  MY_KEY=sk-… mainpoint topics --url http://127.0.0.1:8787 --key-env MY_KEY
  MY_KEY=sk-… mainpoint export --url http://127.0.0.1:8787 --key-env MY_KEY > memory.jsonl
  mainpoint forget --before 2026-01-01T00:00:00Z --data-dir /var/lib/mainpoint
  mainpoint stats

With --url a running proxy is asked, and without an address that of server.listen. Without --url the store is opened, which a running
proxy does not allow. Whose memory it is say the key and the headers of the application (--key-env, --header-env, --header), or --scope,
with --url together with --admin-token-env; a store with one memory needs neither.";

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    memory: MemoryArguments,
    /// Show the turns of this conversation, instead of all conversations.
    #[arg(long, value_name = "ID", value_parser = id::<ConversationId>)]
    conversation: Option<ConversationId>,
    /// Most conversations or turns to show.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print JSON, as the API answers.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    memory: MemoryArguments,
}

#[derive(Debug, Args)]
pub(super) struct ForgetArguments {
    #[command(flatten)]
    memory: MemoryArguments,
    #[command(flatten)]
    what: ForgetWhat,
}

/// What is to be deleted: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ForgetWhat {
    /// A turn.
    #[arg(long, value_name = "ID", value_parser = id::<TurnId>)]
    turn: Option<TurnId>,
    /// A conversation with its branches.
    #[arg(long, value_name = "ID", value_parser = id::<ConversationId>)]
    conversation: Option<ConversationId>,
    /// What was said last before a time in RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    before: Option<DateTime<Utc>>,
    /// Everything of this memory.
    #[arg(long)]
    everything: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatsArguments {
    #[command(flatten)]
    memory: MemoryArguments,
    /// Print JSON, as the API answers.
    #[arg(long)]
    json: bool,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    Conversations,
    Turns,
}

pub(super) async fn list(arguments: ListArguments) -> Result<(), CliError> {
    let (what, limit) = (arguments.conversation, usize::from(arguments.limit));
    let page = match (arguments.memory.find(&arguments.memory.configuration()?).await?, what) {
        (Some(Memory::Remote(memory)), _) => memory.list(what, limit).await?,
        (Some(Memory::Local(memory)), _) => memory.list(what, limit).await?,
        (None, None) => json!({ "object": "list", "data": [], "has_more": false, "next": null }),
        (None, Some(id)) => return Err(CliError::Argument(format!("there is no conversation {id}"))),
    };
    let mut output = anstream::stdout();
    if arguments.json {
        writeln!(output, "{page:#}")?;
        return Ok(());
    }
    let listed = if what.is_some() { Listed::Turns } else { Listed::Conversations };
    writeln!(output, "{}", terminal::lines(&table(&page, listed)))?;
    if page["has_more"] == true {
        writeln!(output, "There are more; --limit shows up to 1000.")?;
    }
    Ok(())
}

pub(super) async fn export(arguments: ExportArguments) -> Result<(), CliError> {
    match arguments.memory.find(&arguments.memory.configuration()?).await? {
        Some(Memory::Remote(memory)) => memory.export(&mut anstream::stdout()).await,
        Some(Memory::Local(memory)) => memory.export(&mut anstream::stdout()).await,
        None => Ok(()),
    }
}

pub(super) async fn forget(arguments: ForgetArguments) -> Result<(), CliError> {
    let what = match arguments.what {
        ForgetWhat { turn: Some(id), .. } => Forget::Turn(id),
        ForgetWhat { conversation: Some(id), .. } => Forget::Conversation(id),
        ForgetWhat { before: Some(time), .. } => Forget::Before(time),
        ForgetWhat { .. } => Forget::Everything,
    };
    let (deleted, when) = match arguments.memory.open_for_deletion().await? {
        Memory::Remote(memory) => (memory.forget(what).await?, "off the disk at the proxy's next maintenance"),
        Memory::Local(memory) => match memory.forget(what).await? {
            Deleted { turns, is_off_the_disk: true } => (turns, "off the disk"),
            Deleted { turns, .. } => (turns, "off the disk at the next maintenance"),
        },
    };
    writeln!(anstream::stdout(), "turns deleted: {deleted} ({when})")?;
    Ok(())
}

pub(super) async fn stats(arguments: StatsArguments) -> Result<(), CliError> {
    let stats = match arguments.memory.find(&arguments.memory.configuration()?).await? {
        Some(Memory::Remote(memory)) => memory.stats().await?,
        Some(Memory::Local(memory)) => memory.stats().await?,
        None => json!({ "turns": 0, "conversations": 0, "turns_waiting": 0 }),
    };
    let mut output = anstream::stdout();
    if arguments.json {
        writeln!(output, "{stats:#}")?;
        return Ok(());
    }
    for (name, value) in stats.as_object().into_iter().flatten() {
        writeln!(output, "{}: {value}", name.replace('_', " "))?;
    }
    Ok(())
}

fn table(page: &Value, listed: Listed) -> Table {
    let (header, keys): (&[&str], &[&str]) = match listed {
        Listed::Conversations => (
            &["conversation", "turns", "from", "to", "first words"],
            &["id", "turns", "first_time", "last_time", "first_words"],
        ),
        Listed::Turns => (&["turn", "place", "time", "role", "text"], &["id", "position", "time", "role", "text"]),
    };
    let mut table = terminal::table(header);
    for row in page["data"].as_array().into_iter().flatten() {
        table.add_row(keys.iter().map(|key| shown(&row[*key])));
    }
    if IdPlace::of_standard_output() == IdPlace::Column {
        terminal::keep_ids_whole(&mut table, 0);
    }
    table
}

/// A value as a table shows it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| one_line(text, SHOWN))
}

/// Characters of a text that a table shows.
const SHOWN: usize = 160;

fn id<Id: FromStr>(text: &str) -> Result<Id, String> {
    text.parse().map_err(|_| "expected 32 hexadecimal digits, as `mainpoint list` shows them".to_owned())
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    memory::time(text).ok_or_else(|| format!("expected {ALLOWED_TIME}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Forgetting {
        #[command(flatten)]
        arguments: ForgetArguments,
    }

    fn forgetting(options: &[&str]) -> Result<ForgetArguments, String> {
        let words = std::iter::once("forget").chain(options.iter().copied());
        Forgetting::try_parse_from(words).map(|parsed| parsed.arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn exactly_one_thing_is_to_be_forgotten() {
        let id = "0".repeat(32);
        assert!(forgetting(&["--turn", &id]).is_ok() && forgetting(&["--everything"]).is_ok());
        assert!(forgetting(&[]).is_err());
        assert!(forgetting(&["--everything", "--turn", &id]).is_err());
        assert!(forgetting(&["--before", "yesterday"]).unwrap_err().contains("RFC 3339"));
        assert!(forgetting(&["--turn", "x"]).unwrap_err().contains("32 hexadecimal digits"));
    }

    #[test]
    fn the_admin_token_names_a_scope_of_a_running_proxy() {
        let with = |more: &[&str]| forgetting(&[&["--everything"], more].concat());
        assert!(with(&["--admin-token-env", "T"]).is_err());
        assert!(with(&["--admin-token-env", "T", "--url", "http://localhost:1", "--scope", "k-a"]).is_ok());
        assert!(with(&["--url", "localhost:1"]).unwrap_err().contains("http://127.0.0.1:8787"));
        assert!(with(&["--url", "http://localhost:1", "--data-dir", "x"]).is_err());
        assert!(with(&["--scope", "k-a", "--key-env", "K"]).is_err());
    }

    #[test]
    fn what_a_page_holds_becomes_rows_of_short_lines() {
        let page =
            json!({"data": [{"id": "a", "turns": 3, "first_time": "t", "last_time": "u", "first_words": "x\n y"}]});
        let shown = table(&page, Listed::Conversations).to_string();
        assert!(shown.contains("x y") && shown.contains('3'), "{shown}");
    }
}
