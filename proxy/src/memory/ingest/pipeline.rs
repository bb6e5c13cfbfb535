//! Takes turns in and has them read in the background: the journal first, then whoever's turn it is.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mainpoint_engine::Engine;
use mainpoint_store::{Scope, Store, StoreError, Turn, TurnId};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, BacklogLimits, Sizes};
use super::caller_limits::CallerLimits;
use super::deletion::OpenDeletion;
use super::incoming::IncomingTurns;
use super::intake::{Acknowledgement, Intake, IntakeLimits};
use super::restore::{self, MovedTurns, Restored};
use super::resume;
use super::stored::StoredAmounts;
use super::traffic::Traffic;
use super::turn_reader::TurnReader;
use super::worker::{LANES, ReadWorker};
use crate::config::Config;
use crate::error::MemoryError;
use crate::memory::secrets::Masker;
use crate::memory::small_talk::SmallTalk;

/// Takes turns in: journals them, and has workers read them in the background.
pub(crate) struct IngestPipeline {
    intake: Intake,
    backlog: Arc<Backlog>,
    stored: Arc<StoredAmounts>,
    traffic: Arc<Traffic>,
    engine: Engine,
    store: Store,
    masker: Arc<Masker>,
    small_talk: Arc<OnceCell<SmallTalk>>,
    is_warm: Arc<AtomicBool>,
    stop: CancellationToken,
    workers: Mutex<Option<Workers>>,
}

#[derive(Debug)]
struct Workers {
    writer: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
}

impl IngestPipeline {
    /// Starts the workers, and lists what an earlier process accepted and never read. What comes is stored as `masker` leaves it.
    pub(crate) fn start(
        engine: Engine,
        store: Store,
        masker: &Arc<Masker>,
        config: &Config,
        limits: CallerLimits,
    ) -> Self {
        let sizes = Sizes { alone: CHUNK_TOKENS, shared: SHARED_TOKENS };
        let backlog = Arc::new(Backlog::new(BacklogLimits::new(&config.store), sizes, limits.clone()));
        let stored = Arc::new(StoredAmounts::new(limits));
        backlog.set_unlisted(store.status().unread_turns);
        let (stop, traffic) = (CancellationToken::new(), Arc::new(Traffic::default()));
        let limits = IntakeLimits { timeout: config.memory.deadline, most_bytes: config.server.max_memory.intake() };
        let (intake, queue, writer) = Intake::new(&store, masker, &backlog, &stored, limits, &stop);
        let (small_talk, is_warm) = (Arc::new(OnceCell::new()), Arc::new(AtomicBool::new(false)));
        let worker = ReadWorker {
            small_talk: Arc::clone(&small_talk),
            is_warm: Arc::clone(&is_warm),
            reader: TurnReader { engine: engine.clone(), store: store.clone(), traffic: Arc::clone(&traffic) },
            backlog: Arc::clone(&backlog),
            warnings: Arc::default(),
            stop: stop.clone(),
        };
        let mut readers: Vec<_> = LANES.map(|lane| tokio::spawn(worker.clone().run(lane))).into();
        readers.push(tokio::spawn(resume::keep_listed(store.clone(), Arc::clone(&backlog), stop.clone())));
        Self {
            intake,
            masker: Arc::clone(masker),
            backlog,
            stored,
            traffic,
            engine,
            store,
            small_talk,
            is_warm,
            stop,
            workers: Mutex::new(Some(Workers { writer: tokio::spawn(writer.run(queue)), readers })),
        }
    }

    /// Which requests the reader waits for.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Small talk as the model reads it. The workers read it before anything else, so that this waits for a moment after the
    /// start only; `None` if it cannot be read.
    pub(crate) async fn small_talk(&self) -> Option<&SmallTalk> {
        SmallTalk::known(&self.small_talk, &self.engine).await
    }

    /// Whether a question finds all that it waits for: small talk was read, or could not be.
    pub(crate) fn is_warm(&self) -> bool {
        self.is_warm.load(Ordering::Acquire)
    }

    /// The places of those of `ids` that are to be taken in, as far as is known without asking the store.
    pub(crate) fn unseen(&self, scope: &Scope, ids: &[TurnId]) -> Vec<usize> {
        let unseen = self.backlog.unseen(scope, ids);
        if !unseen.is_empty() {
            self.intake.prepare(scope);
        }
        unseen
    }

    /// Why turns of one scope would not be taken in at the moment, as the label of the metric: there is no room for them, or the
    /// journal cannot be written or is too slow.
    pub(crate) fn refuses(&self, turns: &[Turn]) -> Option<&'static str> {
        let scope = &turns.first()?.scope;
        let stored = (!self.stored.has_room_for(turns)).then(|| MemoryError::StoredLimit.label());
        let full = || self.backlog.is_full(scope).map(|refusal| MemoryError::from(refusal).label());
        stored.or_else(full).or_else(|| self.intake.refuses(turns))
    }

    /// Takes turns of one scope in, but for those that the journal is known to have. Never waits; what it returns ends when it
    /// has them all.
    pub(crate) fn submit(&self, mut incoming: IncomingTurns) -> Acknowledgement {
        self.backlog.retain_unseen(&mut incoming.turns);
        self.intake.submit(incoming)
    }

    /// Takes in turns that stood in conversations of this scope before, all or none, once the journal has them.
    ///
    /// # Errors
    /// When there is no room for them to wait in, or the store fails.
    pub(crate) async fn restore(&self, scope: &Scope, moved: MovedTurns) -> Result<Restored, MemoryError> {
        restore::restore(&self.store, (&*self.backlog, &*self.stored), &self.masker, scope, moved).await
    }

    /// Has turns deleted from the store and forgets them, so that they are taken in anew when they are said again, also while it is done.
    /// Returns how many were there. It goes on when nobody waits for it any more.
    ///
    /// # Errors
    /// When the store fails. The deletion may have been carried out in part then, and what it took is forgotten as well.
    pub(crate) async fn deleting(
        &self,
        scope: &Scope,
        deletion: impl Future<Output = Result<Vec<TurnId>, StoreError>> + Send + 'static,
    ) -> Result<usize, MemoryError> {
        let (store, stored) = (self.store.clone(), Arc::clone(&self.stored));
        let open = OpenDeletion::begin(&self.backlog, scope);
        let deleting = tokio::spawn(async move {
            let deleted = deletion.await;
            stored.forget(open.scope());
            let gone = match &deleted {
                Ok(deleted) => Some(deleted.clone()),
                Err(_) => not_there(&store, open.scope(), open.journalled_before()).await,
            };
            // Where nobody can tell, what is dropped here lets go of all that may be gone.
            if let Some(gone) = gone {
                open.end(&gone);
            }
            deleted
        });
        Ok(deleting.await??.len())
    }

    /// Takes nothing more, journals what was taken, and lets the readers end the batches that they are at, for at most
    /// `timeout` in all.
    pub(crate) async fn finish(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        self.intake.close();
        self.stop.cancel();
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(workers) = workers else { return };
        if !ended(vec![workers.writer], deadline).await {
            tracing::warn!(
                "the journal did not take everything in time; the conversations' next requests bring it again"
            );
        }
        if !ended(workers.readers, deadline).await {
            tracing::warn!("the reader did not finish in time; what it was reading is read after the next start");
        }
    }
}

/// Those of these turns that the store does not have; `None` where it can't tell.
async fn not_there(store: &Store, scope: &Scope, mut ids: Vec<TurnId>) -> Option<Vec<TurnId>> {
    let there = store.turns_as_they_came(scope, &ids).await.ok()?;
    let there: HashSet<TurnId> = there.iter().map(|turn| turn.id).collect();
    ids.retain(|id| !there.contains(id));
    Some(ids)
}

/// Whether all have ended by then; those that have not are ended.
async fn ended(workers: Vec<JoinHandle<()>>, deadline: Instant) -> bool {
    let aborts: Vec<_> = workers.iter().map(JoinHandle::abort_handle).collect();
    let all = futures::future::join_all(workers);
    let ended = tokio::time::timeout_at(deadline.into(), all).await.is_ok();
    aborts.iter().for_each(tokio::task::AbortHandle::abort);
    ended
}

/// Most tokens of turns that are read and completed together: long enough to read at full speed, short enough to lose little
/// when the process ends.
pub(super) const CHUNK_TOKENS: usize = 4 * SHARED_TOKENS;

/// Most tokens of turns that are read together while other scopes wait.
const SHARED_TOKENS: usize = 1536;
