//! The command line: what can be typed, and which part of the program does it.
//!
//! Each command has its own file.

mod check;
mod conversation;
mod error;
mod explain;
mod import;
mod keys;
mod memories;
mod messages;
mod migrate;
mod models;
mod owner;
mod scopes;
mod search;
mod serve;

pub use error::CliError;
pub(crate) use import::try_lines as try_import;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Overrides, Secrets};
use crate::exit::{ExitStatus, one_line};

/// An OpenAI-compatible reverse proxy with a memory: it reads every conversation that passes through it, and puts what matters for
/// a question into prompts that have grown too long.
#[derive(Debug, Parser)]
#[command(name = "mainpoint", bin_name = "mainpoint", version, about, arg_required_else_help = true, after_help = BEGINNING)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the proxy, or say whether it could start (--check).
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::ServeArguments),
    /// Show what the model attends to in a conversation, and what it takes for the main point of each message.
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::ExplainArguments),
    /// Read recorded conversations into a memory.
    #[command(after_help = import::EXAMPLES, after_long_help = import::FORMAT)]
    Import(import::ImportArguments),
    /// Bring the store of an earlier version to the present one; stop the proxy first.
    #[command(after_help = migrate::EXAMPLES, after_long_help = migrate::ABOUT)]
    Migrate(migrate::MigrateArguments),
    /// Ask a memory a question and show what it finds.
    #[command(after_help = search::EXAMPLES)]
    Search(search::SearchArguments),
    /// List the conversations of a memory, or the turns of one.
    #[command(after_help = memories::EXAMPLES)]
    List(memories::ListArguments),
    /// Say what a memory is about: its topics, by their most telling words, with their turns over time.
    #[command(after_help = memories::EXAMPLES)]
    Topics(memories::TopicsArguments),
    /// Print all of a memory as JSON Lines, which the API can import.
    #[command(after_help = memories::EXAMPLES)]
    Export(memories::ExportArguments),
    /// Delete a turn, a conversation, what is older than a date, or all of a memory.
    #[command(after_help = memories::EXAMPLES)]
    Forget(memories::ForgetArguments),
    /// Say how much a memory holds.
    #[command(after_help = memories::EXAMPLES)]
    Stats(memories::StatsArguments),
    /// Give a memory to a model as tools, over the Model Context Protocol on standard input and output.
    #[command(after_help = memories::mcp::EXAMPLES)]
    Mcp(memories::mcp::McpArguments),
    /// Draw, list or revoke keys of this proxy, for callers who must not have the provider's key.
    #[command(after_help = keys::EXAMPLES)]
    Keys(keys::KeysArguments),
    /// List, fetch or verify the models.
    #[command(after_help = models::EXAMPLES)]
    Models(models::ModelsArguments),
}

/// What to do first, as `--help` says it.
const BEGINNING: &str = "\
To begin:
  mainpoint models fetch                                    once: download the models
  mainpoint serve --upstream https://api.openai.com/v1      then send requests to http://127.0.0.1:8787/v1

`mainpoint help COMMAND` explains a command. Exit statuses: 0 when all went well, 64 a wrong command line, 65 wrong data
(a damaged model, a store of another version), 66 something is missing (a model, a file, the store), 69 not available (a port,
a store in use), 70 a defect, 73, 74 and 77 the disk and permissions, 78 a wrong configuration.";

/// The option that every command has.
#[derive(Debug, Clone, Args)]
struct ConfigOption {
    /// Configuration file; without this option ./config.toml if there is one, else the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigOption {
    /// The configuration without what only the proxy needs: its secrets, whose environment variables need not be set.
    fn load(&self, overrides: &Overrides) -> Result<Config, CliError> {
        self.load_with(overrides, Secrets::Unread)
    }

    fn load_with(&self, overrides: &Overrides, secrets: Secrets) -> Result<Config, CliError> {
        let config = match self.file() {
            Some(path) => Config::load_with(path, overrides, secrets)?,
            None => Config::without_file(overrides)?,
        };
        Ok(config)
    }

    /// The file that is read; `None` where there is none.
    fn file(&self) -> Option<&Path> {
        let beside = Path::new("config.toml");
        self.config.as_deref().or_else(|| beside.exists().then_some(beside))
    }
}

/// Runs the command that was typed and gives the status to exit with. Every failure is one line on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return show_usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&one_line(&error), ExitStatus::Unavailable.code()),
    };
    let ended = runtime.block_on(run(arguments.command));
    // Threads that are still at something are not waited for: what counts was waited for by the command.
    runtime.shutdown_timeout(LEAVING);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough, as in `mainpoint explain … | head`.
        Err(CliError::Output { source }) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&one_line(&error), error.exit_status().code()),
    }
}

async fn run(command: Command) -> Result<(), CliError> {
    outlive_file_limits();
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Explain(arguments) => explain::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Search(arguments) => search::run(arguments).await,
        Command::List(arguments) => memories::list(arguments).await,
        Command::Topics(arguments) => memories::topics(arguments).await,
        Command::Export(arguments) => memories::export(arguments).await,
        Command::Forget(arguments) => memories::forget(arguments).await,
        Command::Stats(arguments) => memories::stats(arguments).await,
        Command::Mcp(arguments) => memories::mcp::run(arguments).await,
        Command::Keys(arguments) => keys::run(arguments),
        Command::Models(arguments) => models::run(arguments).await,
    }
}

/// Has a write beyond the limit of how large a file may become fail, as on a full disk. Without a handler the signal ends the process.
fn outlive_file_limits() {
    // The handler stays when what it returns is dropped. Where there can be none all is as it was.
    let _ = signal(SignalKind::from_raw(SIGXFSZ));
}

/// The signal of such a write; the same number on Linux and macOS.
const SIGXFSZ: i32 = 25;

/// What is said of so many turns that the journal has accepted and nobody has read; nothing of none.
fn waiting(turns: u64) -> Option<String> {
    let words =
        || format!("turns waiting in the journal: {turns} (searches find them once a running proxy has read them)");
    (turns > 0).then(words)
}

/// How long what a command has left running may take to end.
const LEAVING: Duration = Duration::from_millis(100);

/// Shows help in full, and a mistake as one line.
fn show_usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nothing can be done when the terminal is gone.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitStatus::Usage.into()
        }
        _ => {
            let text = error.render().to_string();
            let lines = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
            let line = lines.collect::<Vec<_>>().join("; ");
            fail(line.trim_start_matches("error: "), ExitStatus::Usage.code())
        }
    }
}

fn fail(line: &str, code: u8) -> ExitCode {
    anstream::eprintln!("mainpoint: {line}");
    ExitCode::from(code)
}
