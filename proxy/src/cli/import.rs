//! `mainpoint import`: reads recorded conversations into the memory, as if each had come in a request, or what was exported from one.
//!
//! Every line is checked before anything is created.

mod export;
mod fuzzing;
mod history;
mod line;
mod passed_over;
mod remote;
mod source;
mod summary;
mod survey;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use mainpoint_engine::Engine;
use mainpoint_store::Store;

use export::Export;
pub(crate) use fuzzing::lines as try_lines;
use history::History;
use remote::Sent;
use summary::Summary;

use super::CliError;
use super::memories::MemoryArguments;
use super::owner::Owner;
use super::scopes::ensure_store;
use crate::config::Config;
use crate::conversation::request_preparer::RequestPreparer;
use crate::memory::{Imported, Importer};
use crate::terminal::Progress;
use crate::{app, models};

/// How the command is used, as `-h` shows it.
pub(super) const EXAMPLES: &str = "\
Example:
  MY_KEY=sk-… mainpoint import history.jsonl --key-env MY_KEY

`mainpoint import --help` describes the file and says whose memory it becomes.";

/// What the file holds, as `--help` explains it.
pub(super) const FORMAT: &str = "\
Example:
  MY_KEY=sk-… mainpoint import history.jsonl --key-env MY_KEY
  zcat history.jsonl.gz | MY_KEY=sk-… mainpoint import - --key-env MY_KEY

Each line of FILE is one conversation, a JSON object in the shape of an OpenAI request:

  {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}, …], \"user\": \"ann\", \"created_at\": \"2026-05-08T13:56:00Z\"}

  messages      as in a request: roles, contents (text or parts), names, tool calls. System messages are not read. What the proxy
                passes over in a request, such as an unknown role, is passed over here and said, as are messages without content
                and lines without any text; a file with nothing but odd messages is refused.
  user          divides the memory as in a request; instead of --user.
  created_at    when the conversation began, in RFC 3339; a message may have its own. Without it, that of the message
                before, else the time of the import.
  conversation  a name that error messages show.

Other keys are ignored, so that recorded requests can be imported as they are. The turns are those of the requests that go
on with these conversations: whoever sends such a request has them in memory already. A turn that is in memory is not read
again: an import that was interrupted goes on when it is started again.

Whose memory it becomes: that of callers with the key in --key-env and the headers of --header-env, or with the name in
--identity where identity.from tells callers by names; else of the scope of --scope, else of callers without a key. --project
and then --user divide it as the headers of requests do.

Standard input (`-`) and pipes are copied into a temporary file first, which is gone with the import, since they are read several times.

FILE may also be what `mainpoint export` or the API's export wrote, which is known by its first line: its turns are put where they
stood, at the times when they were said, into the one memory that is named.

With --url a running proxy takes the conversations in and reads them when it has time; without it the store is opened, which a running
proxy does not allow.";

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Conversations as JSON Lines, one a line; or an export; `-` reads standard input.
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
    #[command(flatten)]
    memory: MemoryArguments,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: ImportArguments) -> Result<(), CliError> {
    let ImportArguments { file, memory, json } = arguments;
    let config = memory.configuration()?;
    let history = History::at(&file)?;
    let export = if Export::is_one(&history)? { Some(Export::check(&history)?) } else { None };
    if export.is_none() {
        history.check()?;
    }
    if let Some(memory) = memory.remote(&config)? {
        let sent = match &export {
            Some(export) => export.send(&memory).await?,
            None => Sent::all(&history, &memory).await?,
        };
        return if json { sent.print_json() } else { sent.print() };
    }
    memory.caller.ensure_telling(&config)?;
    let caller = memory.caller.caller(&config, memory.scope.is_some())?;
    let division = memory.division(&config)?;
    if memory.scope.is_some() {
        ensure_store(&config)?;
    }
    let paths = models::resolve(&config.models)?;
    let engine = app::engine(&config, &paths)?;
    let store = app::store(&config, &engine).await?;
    let preparer = app::preparer(&config, &engine, &store).await?;
    let owner = Owner::new(&preparer, caller, memory.scope.as_deref(), division);
    let outcome = match owner.existing(&store).await {
        Ok(owner) => {
            let import = Import { config: &config, engine: &engine, store: &store, preparer: &preparer, owner };
            match &export {
                Some(export) => export.read(&import).await,
                None => import.run(&history).await,
            }
        }
        Err(error) => Err(error),
    };
    let closed = store.close().await;
    let summary = outcome?;
    closed?;
    if summary.has_no_turns() {
        history.note("there was nothing to remember: system messages and messages without text are not read");
    }
    if json { summary.print_json() } else { summary.print() }
}

/// Everything that an import needs.
struct Import<'a> {
    config: &'a Config,
    engine: &'a Engine,
    store: &'a Store,
    preparer: &'a RequestPreparer,
    owner: Owner,
}

impl Import<'_> {
    async fn run(&self, history: &History) -> Result<Summary, CliError> {
        let expected = self.survey(history).await?;
        let importer = Importer::new(self.engine.clone(), self.store.clone(), app::masker(self.config)?);
        let progress = Progress::StandardError.tokens("reading", expected.tokens);
        let started = Instant::now();
        let mut imported = Imported::default();
        for line in history.lines()? {
            let line = line?;
            let number = line.number;
            let conversation = self.prepare(line).map_err(|reason| history.refusal(number, reason))?;
            let scope = conversation.scope().clone();
            let incoming = self.join(conversation).await?;
            let taken = importer.import(&scope, incoming, &|tokens| progress.advance(tokens)).await?;
            imported.add(taken);
        }
        let reading = started.elapsed();
        progress.finish();
        self.settle(imported).await?;
        Ok(Summary {
            conversations: expected.conversations,
            passed_over: expected.passed_over,
            imported,
            reading,
            turns_stored: self.store.status().turns,
            bytes_stored: self.store.bytes_on_disk().await?,
            scopes: expected.scopes,
        })
    }

    /// Brings the tables into the order that many new rows ask for.
    async fn settle(&self, imported: Imported) -> Result<(), CliError> {
        if imported.turns > 0 {
            Progress::StandardError.line("indexing");
            self.store.maintain().await?;
        } else {
            self.store.flush().await?;
        }
        Ok(())
    }
}

/// Tokens a second; 0 for no time.
fn speed(tokens: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a file has far fewer than 2^53 tokens")]
    let tokens = tokens as f64;
    if seconds > 0.0 { tokens / seconds } else { 0.0 }
}
