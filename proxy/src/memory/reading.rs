//! Takes turns in and has them read in the background: accept into the journal, read attention, complete in the store.
//!
//! It must not know requests; nobody waits for it. Two queues, both bounded: one before the journal, one before the reader.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainpoint_engine::{Engine, EngineError, ReadRequest};
use mainpoint_store::{Scope, Store, Turn, TurnId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::job::{Job, Waiting};
use super::points::{as_text, points_of};
use super::resume;
use super::traffic::Traffic;
use crate::config::ReaderSettings;
use crate::error::MemoryError;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// A conversation as a request brings it: its turns with text, oldest first.
#[derive(Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// Whose conversation it is.
    pub(crate) scope: &'a Scope,
    /// The names of the turns.
    pub(crate) names: &'a [TurnId],
    /// Makes one of the turns.
    pub(crate) turn: &'a dyn Fn(usize) -> Option<Turn>,
}

/// The background reader.
#[derive(Debug)]
pub(crate) struct Reading {
    incoming: mpsc::Sender<Job>,
    backlog: Arc<Backlog>,
    traffic: Arc<Traffic>,
    warnings: Arc<OncePerMinute>,
    stop: CancellationToken,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Reading {
    /// Starts the workers, and queues what an earlier process accepted and never read.
    pub(crate) fn start(engine: Engine, store: Store, settings: &ReaderSettings) -> Self {
        let (incoming, offered) = mpsc::channel(settings.queue.max(1));
        let (accepted, to_read) = mpsc::channel(settings.queue.max(1));
        let worker = Worker::new(engine, store, settings);
        let (backlog, warnings) = (Arc::clone(&worker.backlog), Arc::clone(&worker.warnings));
        let (stop, traffic) = (worker.stop.clone(), Arc::clone(&worker.traffic));
        let workers = vec![
            tokio::spawn(worker.clone().resume(accepted.clone())),
            tokio::spawn(worker.clone().accept(offered, accepted)),
            tokio::spawn(worker.read(to_read)),
        ];
        Self {
            incoming,
            backlog,
            traffic,
            warnings,
            stop,
            workers: Mutex::new(workers),
        }
    }

    /// Which requests the reader waits for.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Queues those turns of a conversation that are neither read nor on their way. Never waits: when the queue is full the
    /// work is dropped and counted, and the conversation's next request brings it again.
    pub(crate) fn offer(&self, offer: Offer<'_>) {
        let wanted = self.backlog.begin(offer.scope, offer.names.iter().copied());
        let Some(first) = offer.names.iter().position(|name| wanted.contains(name)) else {
            return;
        };
        let from = first.saturating_sub(1);
        let turns = (from..offer.names.len()).filter_map(|at| (offer.turn)(at)).collect();
        self.enqueue(Job {
            scope: offer.scope.clone(),
            turns,
            wanted,
        });
    }

    /// Queues one turn, `previous` being the one before it.
    pub(crate) fn offer_reply(&self, turn: Turn, previous: Option<Turn>) {
        let wanted = self.backlog.begin(&turn.scope, [turn.id]);
        if wanted.is_empty() {
            return;
        }
        let scope = turn.scope.clone();
        let turns = previous.into_iter().chain([turn]).collect();
        self.enqueue(Job { scope, turns, wanted });
    }

    /// Takes nothing more, journals what is queued, and lets the reader finish the chunk it is at, for at most `patience`.
    pub(crate) async fn finish(&self, patience: Duration) {
        self.stop.cancel();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        let aborts: Vec<_> = workers.iter().map(JoinHandle::abort_handle).collect();
        if tokio::time::timeout(patience, futures::future::join_all(workers))
            .await
            .is_err()
        {
            tracing::warn!("the reader did not finish in time; what it was reading is read after the next start");
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    fn enqueue(&self, job: Job) {
        let Err(error) = self.incoming.try_send(job) else {
            return;
        };
        let job = match error {
            mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job) => job,
        };
        self.backlog.give_up(&job.scope, job.wanted);
        report(&self.warnings, &MemoryError::Busy);
    }
}

/// One worker's share of the parts.
#[derive(Clone)]
pub(super) struct Worker {
    engine: Engine,
    store: Store,
    backlog: Arc<Backlog>,
    traffic: Arc<Traffic>,
    warnings: Arc<OncePerMinute>,
    stop: CancellationToken,
    chunk_tokens: usize,
    queue: usize,
}

impl Worker {
    /// A worker with a backlog of its own.
    pub(super) fn new(engine: Engine, store: Store, settings: &ReaderSettings) -> Self {
        Self {
            engine,
            store,
            backlog: Arc::default(),
            traffic: Arc::default(),
            warnings: Arc::default(),
            stop: CancellationToken::new(),
            chunk_tokens: settings.window_tokens.saturating_mul(WINDOWS_PER_CHUNK),
            queue: settings.queue.max(1),
        }
    }

    /// Most tokens of turns that are read and completed together.
    pub(super) fn chunk_tokens(&self) -> usize {
        self.chunk_tokens
    }

    /// Queues what was accepted before this process started. A long backlog waits here, not in memory twice.
    async fn resume(self, accepted: mpsc::Sender<Job>) {
        let unread = match self.store.unread().await {
            Ok(unread) => unread,
            Err(error) => return report(&self.warnings, &error.into()),
        };
        if unread.is_empty() {
            return;
        }
        tracing::info!(turns = unread.len(), "reading turns that an earlier process accepted");
        for mut job in resume::jobs(unread) {
            let Some(first) = job.turns.first().map(|turn| (turn.id, turn.position)) else {
                continue;
            };
            job.wanted = self.backlog.begin(&job.scope, job.wanted.iter().copied());
            if job.wanted.is_empty() {
                continue;
            }
            if let Ok(around) = self.store.neighbours(&job.scope, first.0, 1).await {
                job.turns
                    .splice(0..0, around.into_iter().filter(|turn| turn.position < first.1));
            }
            if self.stop.is_cancelled() || accepted.send(job).await.is_err() {
                return;
            }
        }
    }

    /// Journals offered turns and passes them on to the reader.
    async fn accept(self, mut offered: mpsc::Receiver<Job>, accepted: mpsc::Sender<Job>) {
        loop {
            let job = tokio::select! {
                biased;
                job = offered.recv() => job,
                () = self.stop.cancelled() => None,
            };
            let Some(mut job) = job else { return };
            if let Err(error) = self.journal(&mut job).await {
                self.backlog.give_up(&job.scope, job.wanted);
                report(&self.warnings, &error);
                continue;
            }
            // While stopping, a turn that is journalled is safe: it is read after the next start.
            if job.wanted.is_empty() || self.stop.is_cancelled() {
                continue;
            }
            tokio::select! {
                sent = accepted.send(job) => if sent.is_err() { return },
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Accepts those turns of a job into the journal that are to be read; those that have been read are wanted no more.
    pub(super) async fn journal(&self, job: &mut Job) -> Result<(), MemoryError> {
        let wanted: Vec<TurnId> = job.wanted.iter().copied().collect();
        let read = self.store.read_turns(&job.scope, &wanted).await?;
        self.backlog.settle(&job.scope, read.iter().copied());
        job.wanted.retain(|name| !read.contains(name));
        let turns: Vec<Turn> = job
            .turns
            .iter()
            .filter(|turn| job.wanted.contains(&turn.id))
            .cloned()
            .collect();
        if !turns.is_empty() {
            self.store.accept(turns).await?;
        }
        Ok(())
    }

    /// Reads accepted turns until told to stop. What has come meanwhile for the same conversation is read in the same passes.
    async fn read(self, mut to_read: mpsc::Receiver<Job>) {
        let mut waiting = Waiting::default();
        loop {
            while !waiting.is_full(self.queue)
                && let Ok(job) = to_read.try_recv()
            {
                waiting.add(job);
            }
            let next = waiting.next();
            let job = match next {
                Some(job) => Some(job),
                None => tokio::select! {
                    biased;
                    () = self.stop.cancelled() => None,
                    job = to_read.recv() => job,
                },
            };
            let Some(job) = job else { return };
            for chunk in job.chunks(self.chunk_tokens) {
                if self.stop.is_cancelled() {
                    return;
                }
                self.read_chunk(&job, chunk).await;
            }
        }
    }

    /// Reads the turns `chunk` of a job. If that fails for a reason of one turn, the others are still read.
    async fn read_chunk(&self, job: &Job, chunk: std::ops::Range<usize>) {
        let whole = self.read_turns(job, chunk.clone()).await;
        let alone = match &whole {
            Err(MemoryError::Engine(error)) => is_about_the_text(error) && chunk.len() > 1,
            _ => false,
        };
        if !alone {
            return self.conclude(job, chunk, whole);
        }
        for at in chunk {
            let result = self.read_turns(job, at..at + 1).await;
            self.conclude(job, at..at + 1, result);
        }
    }

    fn conclude(&self, job: &Job, chunk: std::ops::Range<usize>, result: Result<(), MemoryError>) {
        let names = job.turns.get(chunk).unwrap_or_default().iter().map(|turn| turn.id);
        match result {
            Ok(()) => self.backlog.settle(&job.scope, names),
            Err(error) => {
                // A turn that the reader cannot take is not offered again and again; it stays in the prompt.
                match &error {
                    MemoryError::Engine(cause) if is_about_the_text(cause) => self.backlog.settle(&job.scope, names),
                    _ => self.backlog.give_up(&job.scope, names),
                }
                report(&self.warnings, &error);
            }
        }
    }

    /// Reads the turns `chunk` of a job and completes them in the store.
    pub(super) async fn read_turns(&self, job: &Job, chunk: std::ops::Range<usize>) -> Result<(), MemoryError> {
        let turns = job.turns.get(chunk.clone()).unwrap_or_default();
        let previous = chunk.start.checked_sub(1).and_then(|at| job.turns.get(at));
        let request = ReadRequest {
            previous: previous.map(as_text),
            turns: turns.iter().map(as_text).collect(),
        };
        self.traffic.lull(PATIENCE).await;
        let readings = self.read_patiently(request).await?;
        if readings.len() != turns.len() {
            return Err(MemoryError::Readings {
                expected: turns.len(),
                found: readings.len(),
            });
        }
        let coder = self.engine.key_coder();
        let completed = turns
            .iter()
            .zip(&readings)
            .map(|(turn, reading)| (job.scope.clone(), turn.id, points_of(turn, reading, coder)))
            .collect();
        self.store.complete(completed).await?;
        Ok(())
    }

    /// The reader's own queue may be full for a moment; this worker is the one that can wait.
    async fn read_patiently(&self, request: ReadRequest) -> Result<Vec<mainpoint_engine::TurnReading>, EngineError> {
        for _ in 0..BUSY_RETRIES {
            match self.engine.read(request.clone()).await {
                Err(EngineError::Busy { .. }) => tokio::time::sleep(BUSY_PAUSE).await,
                result => return result,
            }
        }
        self.engine.read(request).await
    }
}

/// A chunk is so many windows: long enough to read at full speed, short enough to lose little when the process ends.
const WINDOWS_PER_CHUNK: usize = 4;
/// How long a chunk waits for a moment without requests.
const PATIENCE: Duration = Duration::from_millis(500);
const BUSY_RETRIES: usize = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Whether another attempt with the same text would fail alike.
pub(super) fn is_about_the_text(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Tokenizer | EngineError::TooLong { .. } | EngineError::Compute { .. }
    )
}

fn report(warnings: &OncePerMinute, error: &MemoryError) {
    let label = error.label();
    metrics::failure(label);
    if warnings.allows(label) {
        tracing::warn!(kind = label, error = %error, "turns were not read; the conversation's next request brings them again");
    }
}
