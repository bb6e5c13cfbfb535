//! A store of the layout version before this one, as far as its turns can be read again.
//!
//! Responsible for: finding one, giving every turn that it holds, changing nothing in it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::Schema;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lance::Dataset;
use lance::table::format::Fragment;
use lancedb::Session;

use crate::directory::Directory;
use crate::error::StoreError;
use crate::journal::Journal;
use crate::lance::schema::{self, POINTS, TURNS};
use crate::lance::{batches, inspection};
use crate::records::{ConversationId, LedgerLine, NotedDeletion, Removal, Removed, Scope, Turn, TurnKey};
use crate::tasks::blocking;

/// Turns that are read from the table at a time.
const BATCH: usize = 256;

/// A store of the layout version before this one. While it is open no other process can use it.
pub struct OldStore {
    directory: Directory,
    journal: Option<Arc<Journal>>,
    /// The table of turns, where there is one, and those of its files that are whole.
    table: Option<(Dataset, Vec<Fragment>)>,
    /// Turns that only the journal has.
    only_in_journal: Vec<Turn>,
    /// Deletions that were under way.
    deletions: Vec<NotedDeletion>,
    conversations: HashSet<(Scope, ConversationId)>,
    lost_files: usize,
    turns: u64,
    tokens: u64,
}

impl OldStore {
    /// Opens the store in a directory if it is of the layout version before this one.
    pub(crate) async fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let Some(FoundStore { directory, table, lost_files }) = find(path).await? else {
            return Ok(None);
        };
        let of_journal = directory.clone();
        let (journal, pending, deletions) = blocking(move || read_journal(&of_journal)).await?;
        let mut old = Self {
            directory,
            journal,
            table,
            only_in_journal: pending,
            deletions,
            conversations: HashSet::new(),
            lost_files,
            turns: 0,
            tokens: 0,
        };
        old.count().await?;
        Ok(Some(old))
    }

    /// Files with turns that are gone or damaged: what was in them cannot be read again.
    #[must_use]
    pub fn lost_files(&self) -> usize {
        self.lost_files
    }

    /// Turns that are there.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether nothing at all is kept: no turn and no entry of the ledger.
    ///
    /// # Errors
    /// [`StoreError::Journal`] and [`StoreError::Unreadable`].
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.turns == 0 && self.ledger().await?.is_empty())
    }

    /// Their tokens, as the model before counted them.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Every turn, each once, in batches of one scope.
    ///
    /// # Errors
    /// [`StoreError::Lance`] and [`StoreError::Unreadable`].
    pub async fn read(&self) -> Result<impl Stream<Item = Result<(Scope, Vec<Turn>), StoreError>> + Unpin, StoreError> {
        let of_table = match &self.table {
            Some(_) => self.scan().await?.left_stream(),
            None => stream::empty().right_stream(),
        };
        let of_journal = stream::iter([Ok(self.only_in_journal.clone())]);
        let batches = of_table.chain(of_journal).map_ok(|turns| {
            let kept = turns.into_iter().filter(|turn| !self.is_deleted(&turn.scope, turn.conversation));
            stream::iter(by_scope(kept).into_iter().map(Ok))
        });
        Ok(Box::pin(batches.try_flatten()))
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn has_conversation(&self, scope: &Scope, conversation: ConversationId) -> bool {
        self.conversations.contains(&(scope.clone(), conversation))
    }

    /// Everything in its ledger but for what a deletion under way covers.
    pub(crate) async fn ledger(&self) -> Result<Vec<LedgerLine>, StoreError> {
        let Some(journal) = self.journal.clone() else {
            return Ok(Vec::new());
        };
        let mut lines = blocking(move || journal.ledger_lines()).await?;
        lines.retain(|line| !self.is_deleted(&line.scope, line.conversation));
        Ok(lines)
    }

    /// Counts turns, and leaves those out of the journal's that the table has.
    async fn count(&mut self) -> Result<(), StoreError> {
        let mut in_both: HashSet<TurnKey> = HashSet::new();
        let journal: HashSet<TurnKey> = self.only_in_journal.iter().map(key).collect();
        let (mut conversations, mut turns, mut tokens) = (HashSet::new(), 0, 0);
        let mut add = |scope: &Scope, conversation: ConversationId, length: u32| {
            turns += 1;
            tokens += u64::from(length);
            conversations.insert((scope.clone(), conversation));
        };
        if self.table.is_some() {
            let mut batches = self.scan().await?;
            while let Some(batch) = batches.try_next().await? {
                for turn in batch.iter().filter(|turn| !self.is_deleted(&turn.scope, turn.conversation)) {
                    add(&turn.scope, turn.conversation, turn.tokens);
                    let key = key(turn);
                    if journal.contains(&key) {
                        in_both.insert(key);
                    }
                }
            }
        }
        let mut pending = std::mem::take(&mut self.only_in_journal);
        pending.retain(|turn| !in_both.contains(&key(turn)) && !self.is_deleted(&turn.scope, turn.conversation));
        for turn in &pending {
            add(&turn.scope, turn.conversation, turn.tokens);
        }
        self.only_in_journal = pending;
        (self.conversations, self.turns, self.tokens) = (conversations, turns, tokens);
        Ok(())
    }

    fn is_deleted(&self, scope: &Scope, conversation: ConversationId) -> bool {
        // Deletions of turns were not known then.
        let covers = |deletion: &NotedDeletion| match deletion {
            NotedDeletion::Removal(Removal { scope: of, what }) => of == scope && *what == Removed::Everything,
            NotedDeletion::Conversation(of, deleted) => of == scope && *deleted == conversation,
        };
        self.deletions.iter().any(covers)
    }

    /// The turns of the table.
    async fn scan(&self) -> Result<impl Stream<Item = Result<Vec<Turn>, StoreError>> + Unpin, StoreError> {
        let failed = || StoreError::lance("read turns");
        let Some((dataset, fragments)) = &self.table else {
            return Ok(stream::empty().left_stream());
        };
        let mut scanner = dataset.scan();
        scanner.with_fragments(fragments.clone()).batch_size(BATCH);
        let batches = scanner.try_into_stream().await.map_err(failed())?;
        let turns = batches.map(move |batch| batches::turns_from_batch(&batch.map_err(failed())?));
        Ok(Box::pin(turns).right_stream())
    }
}

/// An old store that was found.
struct FoundStore {
    directory: Directory,
    table: Option<(Dataset, Vec<Fragment>)>,
    lost_files: usize,
}

/// Looks for an old store without changing anything.
async fn find(path: &Path) -> Result<Option<FoundStore>, StoreError> {
    if !path.is_dir() {
        return Ok(None);
    }
    let of_directory = path.to_owned();
    let directory = blocking(move || Directory::prepare(&of_directory)).await?;
    let session = Arc::new(Session::default());
    let turns = inspection::inspect(&directory, TURNS, &session).await?;
    let points = inspection::inspect(&directory, POINTS, &session).await?;
    let tables = [turns.newest(), points.newest()];
    let of_old_version = |dataset: &Dataset| schema::is_old(&Schema::from(dataset.schema()));
    if !tables.into_iter().flatten().any(of_old_version) && !directory.is_old() {
        return Ok(None);
    }
    let mut lost_files = 0;
    let table = match turns.newest() {
        Some(dataset) if of_old_version(dataset) => {
            let gone = inspection::missing(&directory.table(TURNS), dataset).await?.fragments;
            lost_files = gone.len();
            let fragments = dataset.fragments().iter().filter(|fragment| !gone.contains(&fragment.id));
            Some((dataset.clone(), fragments.cloned().collect()))
        }
        _ => None,
    };
    Ok(Some(FoundStore { directory, table, lost_files }))
}

type OfJournal = (Option<Arc<Journal>>, Vec<Turn>, Vec<NotedDeletion>);

fn read_journal(directory: &Directory) -> Result<OfJournal, StoreError> {
    Journal::examine(directory)?;
    if !directory.journal().exists() {
        return Ok((None, Vec::new(), Vec::new()));
    }
    let journal = Journal::open(directory)?;
    let keys: Vec<TurnKey> = journal.keys()?.into_iter().map(|(key, _)| key).collect();
    let (turns, deletions) = (journal.turns(&keys)?, journal.deletions()?);
    Ok((Some(Arc::new(journal)), turns, deletions))
}

fn key(turn: &Turn) -> TurnKey {
    (turn.scope.clone(), turn.id)
}

/// In the order given within each scope.
fn by_scope(turns: impl Iterator<Item = Turn>) -> Vec<(Scope, Vec<Turn>)> {
    let mut grouped: Vec<(Scope, Vec<Turn>)> = Vec::new();
    for turn in turns {
        match grouped.iter_mut().find(|(scope, _)| *scope == turn.scope) {
            Some((_, turns)) => turns.push(turn),
            None => grouped.push((turn.scope.clone(), vec![turn])),
        }
    }
    grouped
}
