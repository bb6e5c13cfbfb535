//! Puts turns into the journal before anybody reads them: one writer, and one transaction for all that have come meanwhile.
//!
//! Whoever waits for the journal waits for a bounded time, and not at all while the journal is known to fail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use mainpoint_store::{ConversationAppend, Scope, Store, StoreError, StorePart, Turn, TurnId};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::health::JournalHealth;
use super::incoming::IncomingTurns;
use super::masking::masked;
use super::stored::StoredAmounts;
use crate::error::MemoryError;
use crate::memory::secrets::Masker;
use crate::telemetry::metrics;

/// What the writer calls: it returns once the turns are on disk.
pub(super) type Accept =
    Box<dyn Fn(Arc<[Turn]>, Arc<[ConversationAppend]>) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync>;

/// Takes turns for the journal.
pub(super) struct Intake {
    store: Store,
    masker: Arc<Masker>,
    /// `None` once nothing more is taken.
    writer: Mutex<Option<mpsc::Sender<QueuedTurns>>>,
    backlog: Arc<Backlog>,
    stored: Arc<StoredAmounts>,
    health: Arc<JournalHealth>,
}

/// Resolves when turns that were submitted are in the journal, or will not be.
#[derive(Debug)]
pub(crate) struct Acknowledgement {
    done: Vec<oneshot::Receiver<()>>,
    health: Arc<JournalHealth>,
    /// Nothing is taken any more: the process ends, and nobody may believe that the turns are stored.
    too_late: bool,
}

/// The only task that writes accepted turns.
pub(super) struct JournalWriter {
    accept: Accept,
    backlog: Arc<Backlog>,
    stored: Arc<StoredAmounts>,
    health: Arc<JournalHealth>,
    stop: CancellationToken,
}

/// How much, and how long, turns may wait for the writer.
#[derive(Debug, Clone, Copy)]
pub(super) struct IntakeLimits {
    /// For which anybody waits.
    pub(super) timeout: Duration,
    /// Which wait, of all turns together.
    pub(super) most_bytes: usize,
}

/// Turns of one scope on their way to the writer.
#[derive(Debug)]
pub(super) struct QueuedTurns {
    turns: Vec<Turn>,
    placement: Option<ConversationAppend>,
    bytes: usize,
    done: oneshot::Sender<()>,
}

impl Intake {
    /// Hands turns to a writer that is still to be run.
    pub(super) fn new(
        store: &Store,
        masker: &Arc<Masker>,
        backlog: &Arc<Backlog>,
        stored: &Arc<StoredAmounts>,
        limits: IntakeLimits,
        stop: &CancellationToken,
    ) -> (Self, mpsc::Receiver<QueuedTurns>, JournalWriter) {
        let (sender, queue) = mpsc::channel(MOST_QUEUED);
        let health = Arc::new(JournalHealth::new(limits.timeout, PAUSE, limits.most_bytes));
        let accepting = store.clone();
        let intake = Self {
            store: store.clone(),
            masker: Arc::clone(masker),
            writer: Mutex::new(Some(sender)),
            backlog: Arc::clone(backlog),
            stored: Arc::clone(stored),
            health: Arc::clone(&health),
        };
        let writer = JournalWriter {
            accept: Box::new(move |turns, placements| {
                let store = accepting.clone();
                Box::pin(async move { store.accept_said(turns, placements).await.map(|_| ()) })
            }),
            backlog: Arc::clone(backlog),
            stored: Arc::clone(stored),
            health,
            stop: stop.clone(),
        };
        (intake, queue, writer)
    }

    /// Takes turns of one scope. Never waits; what it returns does.
    pub(super) fn submit(&self, incoming: IncomingTurns) -> Acknowledgement {
        let (done, written) = oneshot::channel();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let acknowledgement =
            Acknowledgement { done: vec![written], health: Arc::clone(&self.health), too_late: writer.is_none() };
        let (Some(scope), Some(writer)) = (incoming.scope().cloned(), writer) else {
            return acknowledgement;
        };
        let bytes = bytes_of(&incoming.turns);
        if !self.health.enter(bytes) {
            self.health.report(&MemoryError::JournalBusy);
            return acknowledgement;
        }
        let submission = Submission {
            store: self.store.clone(),
            masker: Arc::clone(&self.masker),
            scope,
            backlog: Arc::clone(&self.backlog),
            stored: Arc::clone(&self.stored),
            health: Arc::clone(&self.health),
            writer,
        };
        tokio::spawn(submission.run(incoming, bytes, done));
        acknowledgement
    }

    /// Why the journal would not take turns for now, as the label of the metric.
    pub(super) fn refuses(&self, turns: &[Turn]) -> Option<&'static str> {
        self.health.refuses(bytes_of(turns), || has_journal(&self.store))
    }

    /// Makes sure that the store knows a scope's turns by the time that some of them are to be stored.
    pub(super) fn prepare(&self, scope: &Scope) {
        let (store, stored, scope) = (self.store.clone(), Arc::clone(&self.stored), scope.clone());
        tokio::spawn(async move {
            // Should it fail, it fails again when it matters.
            let _ = store.read_or_unreadable(&scope, &[]).await;
            let _ = stored.count(&store, &scope).await;
        });
    }

    /// Takes nothing more; the writer ends when everything that was taken is written.
    pub(super) fn close(&self) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Acknowledgement {
    /// The end of both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.done.extend(other.done);
        self.too_late |= other.too_late;
        self
    }

    /// Waits, for at most so long as the configuration lets anybody wait for the memory. Never ends when the process does.
    pub(crate) async fn wait(self) {
        if self.too_late {
            return std::future::pending().await;
        }
        let health = self.health;
        let mut down = health.is_down.subscribe();
        let all = async {
            for done in self.done {
                // An error says that there was nothing to write or that it could not be; either way nobody waits for it.
                let _ = done.await;
            }
        };
        let first = async {
            tokio::select! {
                biased;
                _ = down.wait_for(|is_down| *is_down) => {}
                () = all => {}
            }
        };
        if tokio::time::timeout(health.timeout, first).await.is_err() {
            health.set_down(true);
            health.report(&MemoryError::JournalSlow);
        }
    }
}

/// One request's turns on their way to the writer.
struct Submission {
    store: Store,
    masker: Arc<Masker>,
    scope: Scope,
    backlog: Arc<Backlog>,
    stored: Arc<StoredAmounts>,
    health: Arc<JournalHealth>,
    writer: mpsc::Sender<QueuedTurns>,
}

impl Submission {
    /// Leaves out what has been read. A scope that is looked up for the first time does not keep others waiting.
    async fn run(self, mut incoming: IncomingTurns, bytes: usize, done: oneshot::Sender<()>) {
        let mut unread = self.unread(incoming.turns).await;
        if let Err(error) = self.stored.count(&self.store, &self.scope).await {
            self.health.report(&error);
        }
        if !self.stored.take(&self.scope, &mut unread) {
            incoming.placement = None;
        }
        let left = bytes_of(&unread);
        self.health.leave(bytes - left);
        let mut pieces = pieces(unread);
        let last = pieces.pop().unwrap_or_default();
        if last.is_empty() && incoming.placement.is_none() {
            return;
        }
        for piece in pieces {
            // The writer is done with the last piece when it is done with all.
            let (ignored, _) = oneshot::channel();
            self.send(piece, None, ignored).await;
        }
        self.send(last, incoming.placement, done).await;
    }

    async fn unread(&self, mut turns: Vec<Turn>) -> Vec<Turn> {
        let ids: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
        let era = self.backlog.era();
        match self.store.read_or_unreadable(&self.scope, &ids).await {
            Ok(read) if read.is_empty() => {}
            Ok(read) => {
                let ids: Vec<TurnId> = read.iter().copied().collect();
                self.backlog.mark_read_or_unreadable(&self.scope, &ids, era);
                turns.retain(|turn| !read.contains(&turn.id));
            }
            Err(error) => {
                self.health.report(&error.into());
                turns.clear();
            }
        }
        turns
    }

    /// Hands turns to the writer, without their secrets.
    async fn send(&self, turns: Vec<Turn>, placement: Option<ConversationAppend>, done: oneshot::Sender<()>) {
        // So much waits, whatever masks make of it.
        let bytes = bytes_of(&turns);
        let sent = match masked(&self.masker, turns).await {
            Ok(turns) => self.writer.send(QueuedTurns { turns, placement, bytes, done }).await.is_ok(),
            Err(error) => {
                self.health.report(&error);
                false
            }
        };
        if !sent {
            self.stored.forget(&self.scope);
            self.health.leave(bytes);
        }
    }
}

impl JournalWriter {
    /// Writes until nothing more can come.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<QueuedTurns>) {
        let mut come = Vec::new();
        while queue.recv_many(&mut come, MOST_QUEUED).await > 0 {
            let mut batch = WriteBatch::default();
            for queued in come.drain(..) {
                batch.add(queued);
                if batch.is_full() {
                    self.write(std::mem::take(&mut batch)).await;
                }
            }
            self.write(batch).await;
        }
    }

    async fn write(&self, batch: WriteBatch) {
        self.stored.subtract(&batch.turns);
        let (turns, refused) = self.backlog.admit(batch.turns);
        self.stored.add(&turns);
        for (refusal, count) in refused {
            metrics::backlog_refused(refusal.label(), count);
            self.health.report(&refusal.into());
        }
        if turns.is_empty() && batch.placements.is_empty() {
            batch.waiting.into_iter().for_each(answer);
        } else {
            self.journal(turns.into(), batch.placements.into(), batch.waiting).await;
        }
        self.health.leave(batch.bytes);
    }

    /// Tries more than once; those who wait hear of the first attempt.
    async fn journal(
        &self,
        turns: Arc<[Turn]>,
        placements: Arc<[ConversationAppend]>,
        mut waiting: Vec<oneshot::Sender<()>>,
    ) {
        let ids: Vec<(Scope, TurnId)> = turns.iter().map(|turn| (turn.scope.clone(), turn.id)).collect();
        for attempt in 1..=ATTEMPTS {
            let started = Instant::now();
            let written = (self.accept)(Arc::clone(&turns), Arc::clone(&placements)).await.map_err(MemoryError::from);
            match &written {
                Ok(()) => {
                    self.backlog.enqueue(&ids);
                    self.health.note_written(started.elapsed());
                }
                Err(error) => self.health.note_failed(error),
            }
            waiting.drain(..).for_each(answer);
            let Err(error) = written else { return };
            self.health.report(&error);
            if attempt == ATTEMPTS || self.stop.is_cancelled() {
                break;
            }
            // The pause is cut short by a stop, which leaves one more attempt.
            let _ = tokio::time::timeout(self.health.pause, self.stop.cancelled()).await;
        }
        self.stored.subtract(&turns);
        self.backlog.forget(&ids);
    }
}

/// What is written in one transaction.
#[derive(Debug, Default)]
struct WriteBatch {
    turns: Vec<Turn>,
    placements: Vec<ConversationAppend>,
    bytes: usize,
    waiting: Vec<oneshot::Sender<()>>,
}

impl WriteBatch {
    fn add(&mut self, queued: QueuedTurns) {
        self.turns.extend(queued.turns);
        self.placements.extend(queued.placement);
        self.bytes += queued.bytes;
        self.waiting.push(queued.done);
    }

    fn is_full(&self) -> bool {
        self.turns.len() >= PIECE_TURNS || self.bytes >= PIECE_BYTES
    }
}

/// Cuts what one request brings, so that a long history does not make others wait for one long transaction.
fn pieces(turns: Vec<Turn>) -> Vec<Vec<Turn>> {
    let mut pieces: Vec<Vec<Turn>> = Vec::new();
    let mut bytes = 0;
    for turn in turns {
        bytes += turn.text.len();
        match pieces.last_mut() {
            Some(piece) if piece.len() < PIECE_TURNS && bytes <= PIECE_BYTES => piece.push(turn),
            _ => {
                bytes = turn.text.len();
                pieces.push(vec![turn]);
            }
        }
    }
    pieces
}

fn bytes_of(turns: &[Turn]) -> usize {
    turns.iter().map(|turn| turn.text.len()).sum()
}

/// Whether the store says that its journal works.
fn has_journal(store: &Store) -> bool {
    store.status().alive && store.troubles().iter().all(|trouble| trouble.part != StorePart::Journal)
}

fn answer(waiting: oneshot::Sender<()>) {
    // Who has given up waiting needs no answer.
    let _ = waiting.send(());
}

/// Submissions that wait for the writer; more wait for room.
const MOST_QUEUED: usize = 1024;
/// What is written in one transaction, unless one text alone is longer.
const PIECE_TURNS: usize = 1024;
const PIECE_BYTES: usize = 4 << 20;
/// A batch that cannot be written is given up after so many attempts, with a pause between them.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
