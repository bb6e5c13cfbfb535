//! Looking after the store's files while they are open.
//!
//! Responsible for: noticing every second what is no longer as it was left, trying again what failed, waiting longer after each
//! failure. Must not know: how anything is healed.
//!
//! LanceDB reads its files when it needs them, so one that is removed is noticed by the first question that needs it, and
//! a manifest only at the next start. Here both are noticed soon, and while what the manifest said is still known.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use lance::Dataset;
use tokio::time::{MissedTickBehavior, interval};

use crate::backoff::{Backoff, until};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::heal;
use crate::journal::Mended;
use crate::manifest::{self, Manifest};
use crate::recovery;
use crate::schema::{POINTS, TURNS};
use crate::shared::Shared;
use crate::tables::{self, Tables};
use crate::trouble::{StorePart, one_line};
use crate::writer::conclude;

const EVERY: Duration = Duration::from_secs(1);

/// The newest manifests of both tables.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<[Option<Written>; 2]>);

/// A manifest as it was written.
#[derive(Debug, Clone)]
struct Written {
    path: PathBuf,
    bytes: Arc<[u8]>,
    modified: SystemTime,
}

/// Looks after the files until the store is closed or dropped.
pub(crate) async fn background(store: Weak<Shared>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut journal, mut tables) = (Backoff::default(), Backoff::default());
    loop {
        let due = [journal.due(), tables.due()].into_iter().flatten().min();
        tokio::select! {
            _ = ticks.tick() => {}
            () = until(due) => {}
        }
        let Some(shared) = store.upgrade().filter(|shared| shared.ensure_open().is_ok()) else {
            return;
        };
        if !journal.is_waiting() {
            match mend_journal(&shared).await {
                Ok(()) => journal.went_well(),
                // The journal's own trouble says why it is out of order.
                Err(error) => {
                    tracing::debug!(cause = one_line(&error), "the journal can't be opened yet");
                    journal.failed();
                }
            }
        }
        if !tables.is_waiting() {
            let mended = mend_tables(&shared).await;
            conclude(&shared, StorePart::Files, &mut tables, mended);
        }
    }
}

/// Whether the newest version of both tables has all of its files, as long as they were written. A manifest that is gone or
/// was changed is put back where it is remembered.
pub(crate) async fn are_whole(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    for (place, manifest) in manifests(shared).await?.into_iter().enumerate() {
        let path = manifest.path;
        // First the manifest, since the indices are listed in it.
        let is_there = shared
            .blocking(move |shared| {
                let remembered = &shared.remembered;
                Ok(remembered.is_as_it_was(place, &path)? || remembered.put_back(place, &path, &shared.directory)?)
            })
            .await?;
        let of_table = shared.directory.table(manifest.name);
        if !is_there || !recovery::missing(&of_table, &manifest.dataset).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A table's newest version, and where it is written down.
struct Newest {
    name: &'static str,
    dataset: Arc<Dataset>,
    path: PathBuf,
}

async fn manifests(shared: &Shared) -> Result<[Newest; 2], StoreError> {
    let Tables { turns, points, .. } = shared.tables();
    let newest = |name, dataset: Arc<Dataset>| {
        let file = dataset
            .manifest_location()
            .path
            .filename()
            .unwrap_or_default()
            .to_owned();
        Newest {
            name,
            path: shared.directory.table(name).join("_versions").join(file),
            dataset,
        }
    };
    Ok([
        newest(TURNS, tables::dataset(&turns).await?),
        newest(POINTS, tables::dataset(&points).await?),
    ])
}

/// Whether nobody but this task has the store any more. Then its files are somebody else's.
fn is_let_go(shared: &Arc<Shared>) -> bool {
    Arc::strong_count(shared) == 1
}

async fn mend_journal(shared: &Arc<Shared>) -> Result<(), StoreError> {
    if is_let_go(shared) {
        return Ok(());
    }
    let mended = shared
        .blocking(|shared| {
            shared.journal.look();
            match shared.journal.trouble() {
                Some(_) => shared.journal.mend(),
                None => Ok(Mended::Nothing),
            }
        })
        .await?;
    if mended == Mended::BegunAnew {
        shared.losses.fetch_add(1, Ordering::AcqRel);
    }
    if matches!(mended, Mended::Reopened | Mended::BegunAnew) {
        shared.is_catch_up_due.store(true, Ordering::Release);
    }
    if shared.is_catch_up_due.load(Ordering::Acquire) {
        heal::catch_up(shared).await?;
        shared.is_catch_up_due.store(false, Ordering::Release);
        shared.wake.notify_one();
    }
    Ok(())
}

async fn mend_tables(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let is_whole = !shared.is_heal_due.load(Ordering::Acquire) && look_at_tables(shared).await?;
    if is_whole || is_let_go(shared) {
        return Ok(());
    }
    heal::reopen(shared).await
}

/// As [`are_whole`], but changes nothing.
async fn look_at_tables(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    for (place, manifest) in manifests(shared).await?.into_iter().enumerate() {
        let of_table = shared.directory.table(manifest.name);
        let is_there = shared
            .blocking(move |shared| shared.remembered.is_as_it_was(place, &manifest.path))
            .await?;
        if !is_there || !recovery::missing(&of_table, &manifest.dataset).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Remembered {
    /// Whether a manifest is there as it was written; remembers it if it is a new one.
    fn is_as_it_was(&self, place: usize, path: &Path) -> Result<bool, StoreError> {
        let file = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            found => found.map_err(failed("look at", path))?,
        };
        let modified = file.modified().map_err(failed("look at", path))?;
        let known = self.known(place, path);
        if known
            .as_ref()
            .is_some_and(|known| known.modified == modified && known.bytes.len() as u64 == file.len())
        {
            return Ok(true);
        }
        let bytes = fs::read(path).map_err(failed("read", path))?;
        let is_whole = match &known {
            Some(known) => *known.bytes == *bytes,
            None => manifest::look_at(&bytes) != Manifest::Torn,
        };
        if is_whole {
            self.keep(
                place,
                Written {
                    path: path.to_owned(),
                    bytes: bytes.into(),
                    modified,
                },
            );
        }
        Ok(is_whole)
    }

    /// Writes a manifest again as it was, and moves aside what is in its place. False if it is not known.
    fn put_back(&self, place: usize, path: &Path, directory: &Directory) -> Result<bool, StoreError> {
        let Some(known) = self.known(place, path) else {
            return Ok(false);
        };
        if path.exists() {
            directory.set_aside(path)?;
        }
        let write = || -> io::Result<SystemTime> {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder)?;
            let beside = path.with_extension("manifest.new");
            let mut file = File::create(&beside)?;
            file.write_all(&known.bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            File::open(folder)?.sync_all()?;
            fs::metadata(path)?.modified()
        };
        let modified = write().map_err(failed("write", path))?;
        self.keep(place, Written { modified, ..known });
        tracing::warn!(manifest = %path.display(), "a table's newest manifest was removed or changed; put back as it was written");
        Ok(true)
    }

    fn known(&self, place: usize, path: &Path) -> Option<Written> {
        let copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copies.get(place)?.clone().filter(|written| written.path == path)
    }

    fn keep(&self, place: usize, written: Written) {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = copies.get_mut(place) {
            *slot = Some(written);
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { action, path, source }
}
