//! The command line: what can be typed, and which part of the program does it.
//!
//! Each command has its own file. It must not know HTTP, and it decides nothing that the configuration decides.

mod conversation;
mod error;
mod explain;
mod import;
mod migrate;
mod models;
mod search;
mod serve;

pub use error::CliError;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Overrides};
use crate::exit::{ExitStatus, one_line};

/// An OpenAI-compatible reverse proxy with a memory that reads attention.
#[derive(Debug, Parser)]
#[command(name = "mainpoint", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the proxy.
    Serve(serve::ServeArguments),
    /// Show what the attention of the model finds in a conversation.
    Explain(explain::ExplainArguments),
    /// Read recorded conversations into the memory. The proxy must not be running on the same data directory.
    #[command(after_long_help = import::FORMAT)]
    Import(import::ImportArguments),
    /// Read the turns of a store of an earlier version into a new one, which takes its place.
    #[command(after_long_help = migrate::ABOUT)]
    Migrate(migrate::MigrateArguments),
    /// Search the stored memories. The proxy must not be running on the same data directory.
    Search(search::SearchArguments),
    /// List, fetch or verify the models.
    Models(models::ModelsArguments),
}

/// The option that every command has.
#[derive(Debug, Clone, Args)]
struct ConfigOption {
    /// Configuration file; without it ./config.toml if there is one, else the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigOption {
    fn load(&self, overrides: &Overrides) -> Result<Config, CliError> {
        let beside = Path::new("config.toml");
        let config = match &self.config {
            Some(path) => Config::load(path, overrides)?,
            None if beside.exists() => Config::load(beside, overrides)?,
            None => Config::without_file(overrides)?,
        };
        Ok(config)
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
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Explain(arguments) => explain::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Search(arguments) => search::run(arguments).await,
        Command::Models(arguments) => models::run(arguments).await,
    }
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
