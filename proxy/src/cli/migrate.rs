//! `mainpoint migrate`: reads the turns of a store of the layout version before this one into a new store, which takes the old
//! one's place.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use futures::TryStreamExt;
use mainpoint_engine::Engine;
use mainpoint_store::{Migration, OldStore, Scope, Store, Turn, TurnId, begin_migration};
use serde_json::json;

use super::scopes::ensure_store;
use super::{CliError, ConfigOption};
use crate::config::{Config, Overrides};
use crate::conversation::chain::Chain;
use crate::conversation::scope::ScopeKey;
use crate::error::StartError;
use crate::memory::{Imported, Importer, IncomingTurns};
use crate::terminal::Progress;
use crate::{app, models};

/// How the command is used, as `-h` shows it.
pub(super) const EXAMPLES: &str = "\
Example:
  mainpoint migrate --config config.toml

`mainpoint migrate --help` says what it does, step by step, and what becomes of the old store.";

/// What the command does, as `--help` explains it.
pub(super) const ABOUT: &str = "\
Example:
  mainpoint migrate --config config.toml

A store belongs to a layout version, and `mainpoint serve` refuses one of an earlier version. This command brings it to the
present one:

  1. It reads every turn of the old store again, with the configured reader (models.reader), at the speed of an import. The new
     store is made beside the old one, in <store.directory>.migrating.
  2. It takes over scope.key, which says whose the memories are. Without that file nothing is begun.
  3. The two change places. The old store is kept as <store.directory>.version-2; delete it when you no longer need it.

Until the last step the old store is not changed. If the command fails or is interrupted, run it again: it goes on where it was.
A store of the present layout version is left as it is. Without a store the command ends with status 66, and with 65 where one is
that no mainpoint before this one wrote. Stop the proxy first.";

#[derive(Debug, Args)]
pub(super) struct MigrateArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Directory of the store, instead of the configuration's.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: MigrateArguments) -> Result<(), CliError> {
    let config = arguments.config.load(&Overrides { data_dir: arguments.data_dir.clone(), ..Overrides::default() })?;
    let begun = begin_migration(&config.store.directory).await;
    let outcome = match begun.map_err(|source| StartError::Store { source })? {
        Migration::Nothing => {
            ensure_store(&config)?;
            app::examine_layout(&config).await?;
            MigrationOutcome { directory: config.store.directory.clone(), ..MigrationOutcome::default() }
        }
        Migration::Finished(kept) => MigrationOutcome { kept: Some(kept), ..MigrationOutcome::default() },
        Migration::Due(old) => migrate(&config, *old).await?,
    };
    if arguments.json { outcome.print_json() } else { outcome.print() }
}

async fn migrate(config: &Config, old: OldStore) -> Result<MigrationOutcome, CliError> {
    // What a start would refuse is refused before hours are spent on it.
    let directory = &config.store.directory;
    if !ScopeKey::exists(directory)? && !old.is_empty().await? {
        return Err(ScopeKey::missing(directory).into());
    }
    let paths = models::resolve(&config.models)?;
    let engine = app::engine(config, &paths)?;
    let mut of_fresh = config.clone();
    of_fresh.store.directory = old.fresh();
    let store = app::store(&of_fresh, &engine).await?;
    let read = Reading { config, engine: &engine, store: &store, old: &old }.run().await;
    let closed = store.close().await;
    let read = read?;
    closed?;
    keep_key(&config.store.directory, &of_fresh.store.directory)?;
    let outcome = MigrationOutcome {
        turns: old.turns(),
        lost_files: old.lost_files(),
        directory: config.store.directory.clone(),
        read,
        kept: Some(old.give_way()?),
    };
    Ok(outcome)
}

/// The server's secret moves along: with another one every memory would be nobody's.
fn keep_key(old: &Path, fresh: &Path) -> Result<(), CliError> {
    if ScopeKey::exists(old)? {
        let (from, to) = (ScopeKey::path(old), ScopeKey::path(fresh));
        let copied = std::fs::copy(&from, &to).and_then(|_| std::fs::File::open(&to)?.sync_all());
        copied.map_err(|source| StartError::Directory { path: to, source })?;
    }
    Ok(())
}

/// Everything that reading again needs.
struct Reading<'a> {
    config: &'a Config,
    engine: &'a Engine,
    store: &'a Store,
    old: &'a OldStore,
}

impl Reading<'_> {
    async fn run(&self) -> Result<Imported, CliError> {
        self.store.adopt(self.old).await?;
        let importer = Importer::new(self.engine.clone(), self.store.clone(), app::masker(self.config)?);
        let progress = Progress::StandardError.tokens("reading", self.old.tokens());
        let mut read = Imported::default();
        let mut batches = self.old.read().await?;
        while let Some((scope, turns)) = batches.try_next().await? {
            let turns = renamed(turns);
            let names: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
            let incoming = IncomingTurns { turns, placement: None };
            let taken = importer.import(&scope, incoming, &|tokens| progress.advance(tokens)).await?;
            progress.advance(taken.known_tokens);
            read.add(taken);
            self.ensure_read(&scope, &names).await?;
        }
        progress.finish();
        Progress::StandardError.line("indexing");
        self.store.maintain().await?;
        Ok(read)
    }

    /// Nothing takes the old store's place that lacks one of its turns.
    async fn ensure_read(&self, scope: &Scope, names: &[TurnId]) -> Result<(), CliError> {
        let read = self.store.read_or_unreadable(scope, names).await?;
        match names.iter().find(|name| !read.contains(name)) {
            None => Ok(()),
            Some(name) => Err(CliError::Argument(format!(
                "turn {name} did not get into the new store; the old one stays as it is"
            ))),
        }
    }
}

/// Turns by the names that requests give them now: by what they say, where they had names by all that was said before.
fn renamed(turns: Vec<Turn>) -> Vec<Turn> {
    let name = |turn: &Turn| Chain::new(&turn.scope).turn(&turn.role, &turn.text);
    let names: HashMap<TurnId, TurnId> = turns.iter().map(|turn| (turn.id, name(turn))).collect();
    let new = |id: TurnId| names.get(&id).copied();
    let renamed = turns.into_iter().map(|turn| Turn {
        id: new(turn.id).unwrap_or(turn.id),
        parent: turn.parent.and_then(new),
        ..turn
    });
    renamed.collect()
}

/// What a migration did.
#[derive(Default)]
struct MigrationOutcome {
    /// Turns of the old store.
    turns: u64,
    /// Files of its turns that are gone or damaged.
    lost_files: usize,
    /// Where the store is.
    directory: PathBuf,
    read: Imported,
    /// Where the old store is kept; `None` where there was nothing to migrate.
    kept: Option<PathBuf>,
}

impl MigrationOutcome {
    fn print(&self) -> Result<(), CliError> {
        let mut output = anstream::stdout();
        let Some(kept) = &self.kept else {
            writeln!(
                output,
                "The store in {} is of the present layout version; nothing was changed.",
                self.directory.display()
            )?;
            return Ok(());
        };
        if self.lost_files > 0 {
            anstream::eprintln!(
                "mainpoint: {} files with turns of the old store are gone or damaged; what was in them is not in the new one",
                self.lost_files
            );
        }
        if self.turns > 0 {
            writeln!(
                output,
                "{} turns are in the new store: {} read now, {} before, {} that cannot be read.",
                self.turns, self.read.turns, self.read.known, self.read.unreadable
            )?;
        }
        writeln!(
            output,
            "The new store is in its place. The old one is kept in {}; delete it when you no longer want it.",
            kept.display()
        )?;
        Ok(())
    }

    fn print_json(&self) -> Result<(), CliError> {
        let value = json!({
            "migrated": self.kept.is_some(),
            "turns": self.turns,
            "lost_files": self.lost_files,
            "turns_read": self.read.turns,
            "turns_known": self.read.known,
            "turns_unreadable": self.read.unreadable,
            "tokens": self.read.tokens,
            "old_store": self.kept,
        });
        writeln!(anstream::stdout(), "{value:#}")?;
        Ok(())
    }
}
