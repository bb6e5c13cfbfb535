//! One seed: a store that is opened, used and interrupted several times, and compared each time with what it has acknowledged.

use std::cell::{Cell, RefCell};
use std::fs;
use std::sync::Arc;

use super::check::{Moment, check};
use super::client::{self, LEDGER_AGE, World};
use super::disk::{Fault, Halt, Planted, SimulatedDisk};
use super::history::History;
use super::knowledge::Knowledge;
use super::names::{BEGINNING, quoted};
use crate::directory::Directory;
use crate::journal::Journal;
use crate::lance::opening::Inspected;
use crate::lance::tables::Tables;
use crate::records::TableVersions;
use crate::state::Shared;
use crate::tasks::simulated;
use crate::upkeep::{deletion, replay};
use crate::{Store, StoreConfig, StoreError};

/// Where all simulated stores seem to lie, and tables that none of them uses.
pub(super) struct Ground {
    directory: Directory,
    tables: Tables,
    _root: tempfile::TempDir,
}

impl Ground {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(&root.path().join("data")).unwrap();
        let config = StoreConfig::idle(root.path(), 2);
        let open = async {
            let inspected = Inspected::new(&directory, &config).await.unwrap();
            inspected.open(&directory, &config, TableVersions::default()).await.unwrap().tables
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let tables = runtime.block_on(open);
        // There are tables where the journal is missing only if it was lost.
        fs::remove_dir_all(directory.tables()).unwrap();
        Self { directory, tables, _root: root }
    }
}

/// What a seed came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) violation: Option<String>,
    pub(super) story: Vec<String>,
}

/// Lets a seed take its course.
pub(super) fn run(ground: &Ground, seed: u64, planted: Option<Planted>) -> Ended {
    let mut choice = fastrand::Rng::with_seed(seed);
    let mut disk = SimulatedDisk::new(choice.u64(..));
    disk.platter().planted = planted;
    let (history, clock) = (RefCell::new(History::default()), Cell::new(BEGINNING));
    let mut knowledge = Knowledge::default();
    let lives = choice.usize(2..5);
    let (mut violation, has_opened) = (None, Cell::new(false));
    for life in 0..=lives {
        disk = disk.restart();
        tell_faults(&disk, &history);
        history.borrow_mut().tell(format!("process {life}"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        simulated::follow(Some(choice.u64(..)));
        let process = Process {
            ground,
            disk: &disk,
            history: &history,
            clock: &clock,
            knowledge: &knowledge,
            has_opened: &has_opened,
        };
        let ended = runtime.block_on(process.live(choice.fork(), life == lives));
        simulated::follow(None);
        drop(runtime);
        tell_faults(&disk, &history);
        let learned = knowledge.learn(&mut history.borrow_mut());
        violation = ended.and(learned).err();
        if violation.is_some() {
            break;
        }
    }
    Ended { violation, story: history.into_inner().story }
}

fn tell_faults(disk: &SimulatedDisk, history: &RefCell<History>) {
    let (mut told, trace) = {
        let mut platter = disk.platter();
        (std::mem::take(&mut platter.told), platter.trace)
    };
    told.push(format!("trace {trace:016x}"));
    told.into_iter().for_each(|told| history.borrow_mut().tell(told));
}

/// One process.
struct Process<'a> {
    ground: &'a Ground,
    disk: &'a SimulatedDisk,
    history: &'a RefCell<History>,
    clock: &'a Cell<i64>,
    knowledge: &'a Knowledge,
    /// Whether there has been a store before. A file that a process before that began is damaged, and nothing is lost with it.
    has_opened: &'a Cell<bool>,
}

impl Process<'_> {
    async fn live(&self, mut choice: fastrand::Rng, is_last: bool) -> Result<(), String> {
        let Some(store) = self.open(&mut choice, is_last).await? else { return Ok(()) };
        self.compare(&store, Moment::Opened).await?;
        if is_last {
            store.flush().await.map_err(|error| format!("a flush failed with nothing wrong: {error:?}"))?;
            return self.compare(&store, Moment::Flushed).await;
        }
        let how = if choice.bool() { Halt::Kill } else { Halt::PowerLoss };
        if choice.u8(0..4) > 0 {
            self.disk.platter().fault = Some((choice.u64(0..150), Fault::Halt(how)));
        }
        let world = World { store, disk: self.disk.clone(), history: self.history, clock: self.clock };
        let clients = (0..choice.usize(1..4)).map(|_| client::run(&world, choice.fork(), choice.usize(2..8)));
        let clients: Vec<_> = clients.collect();
        futures::future::join_all(clients).await;
        if choice.u8(0..4) == 0 {
            let closed = world.store.close().await;
            self.history.borrow_mut().tell(format!("closed: {}", closed.is_ok()));
        }
        self.disk.halt(how);
        self.history.borrow_mut().tell(format!("ends by {how:?}"));
        Ok(())
    }

    /// Opens the store, where something may go wrong. `None` where the process has ended at that.
    async fn open(&self, choice: &mut fastrand::Rng, is_last: bool) -> Result<Option<Store>, String> {
        if !is_last && choice.u8(0..4) == 0 {
            let how = if choice.bool() { Halt::Kill } else { Halt::PowerLoss };
            let fault = if choice.bool() { Fault::Error } else { Fault::Halt(how) };
            self.disk.platter().fault = Some((choice.u64(0..60), fault));
        }
        let mut opened = open(self.ground, self.disk).await;
        if !self.disk.is_halted() && self.disk.platter().fault.take().is_none() && opened.is_err() {
            self.history.borrow_mut().tell("could not be opened");
            opened = open(self.ground, self.disk).await;
        }
        let set_aside = std::mem::take(&mut self.disk.platter().set_aside);
        if set_aside > 0 && self.has_opened.get() {
            return Err("the journal was taken for damaged".to_owned());
        }
        match opened {
            _ if self.disk.is_halted() => Ok(None),
            Ok(store) => {
                self.has_opened.set(true);
                Ok(Some(store))
            }
            Err(error) => Err(format!("the store does not open: {error:?}")),
        }
    }

    async fn compare(&self, store: &Store, moment: Moment) -> Result<(), String> {
        let resumed = deletion::resume(store.shared()).await;
        resumed.map_err(|error| format!("a deletion can't be carried out with nothing wrong: {error:?}"))?;
        check(store, self.disk, self.knowledge, self.history, moment).await
    }
}

/// Opens the store on a disk as [`Store::open`] does, but for the tables.
pub(super) async fn open(ground: &Ground, disk: &SimulatedDisk) -> Result<Store, StoreError> {
    let (directory, disk) = (ground.directory.clone(), disk.clone());
    let journal = Journal::open_on(&directory, Arc::new(disk.clone()))?;
    let versions = journal.versions()?;
    let (turns, points) = disk.table_versions();
    if turns < versions.turns || points < versions.points {
        return Err(StoreError::unreadable(format!("the tables are older than {versions:?}: {turns}, {points}")));
    }
    let mut config = StoreConfig::idle(directory.path(), 2);
    (config.quoted, config.ledger_age) = (quoted, LEDGER_AGE);
    let shared = Shared::new(config, directory, journal, ground.tables.clone());
    shared.replace_rows(Arc::new(disk));
    let store = Store::of(Arc::new(shared));
    replay::replay(store.shared()).await?;
    store.shared().journal.keep_reserve();
    Ok(store)
}
