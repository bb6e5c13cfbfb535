//! How long a question takes to prepare on an idle engine, and while bulk reads keep the reader busy.
//!
//! It must not know what the questions find, nor how figures are shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainpoint_engine::{Engine, EngineError, ReadRequest, TurnText};
use tokio::task::JoinHandle;

use super::texts::as_read;
use crate::BenchError;
use crate::progress::Progress;
use crate::recorded::Conversation;

/// Milliseconds of each question, round by round.
#[derive(Default)]
pub(super) struct Asked {
    /// While nothing else is done.
    pub(super) idle: Vec<Vec<f64>>,
    /// While turns are read.
    pub(super) busy: Vec<Vec<f64>>,
}

/// Bulk reads that go on until they are ended.
struct Load {
    /// Each gives the failure that ended it.
    readers: Vec<JoinHandle<Option<EngineError>>>,
}

/// Questions of one round on an idle engine, and as many on a busy one.
pub(super) const QUESTIONS: usize = 60;
/// Bulk reads at a time: with several, the reader's queue is never empty while one is embedded.
const READERS: usize = 3;
/// Turns of one bulk read, which the last one of a round is waited for.
const TURNS: usize = 24;

/// Asks the conversations' questions one after the other, idle and busy in turn, after one round that does not count.
///
/// # Errors
/// [`BenchError::Engine`] if a question or a reading fails.
pub(super) async fn time(engine: &Engine, conversations: &[Conversation], rounds: usize) -> Result<Asked, BenchError> {
    let turns = conversations.iter().flat_map(|conversation| &conversation.turns);
    let turns: Arc<[TurnText]> = turns.map(as_read).collect();
    let questions = conversations.iter().flat_map(|conversation| &conversation.questions);
    let mut questions = questions.map(|question| question.text.as_str()).cycle();
    let mut asked = Asked::default();
    let mut progress = Progress::begin("questions", 2 * (rounds + 1));
    for round in 0..=rounds {
        let idle = ask(engine, &mut questions).await?;
        progress.advance(1);
        let load = Load::begin(engine, &turns).await;
        let busy = ask(engine, &mut questions).await;
        load.end(engine).await?;
        progress.advance(1);
        let busy = busy?;
        if round > 0 {
            asked.idle.push(idle);
            asked.busy.push(busy);
        }
    }
    Ok(asked)
}

impl Load {
    /// Begins to read and waits until the reader has more to do than it can.
    async fn begin(engine: &Engine, turns: &Arc<[TurnText]>) -> Self {
        let reader = |_| tokio::spawn(read_on(engine.clone(), Arc::clone(turns)));
        let readers: Vec<_> = (0..READERS).map(reader).collect();
        while engine.status().reader_queue == 0 && !readers.iter().all(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { readers }
    }

    /// Ends the reads and waits until the engine is idle again.
    async fn end(self, engine: &Engine) -> Result<(), BenchError> {
        let failed = BenchError::engine("a bulk read");
        for reader in &self.readers {
            reader.abort();
        }
        for reader in self.readers {
            // A reader that was aborted gives nothing; one that ended before says why.
            if let Ok(Some(error)) = reader.await {
                return Err(failed(error));
            }
        }
        // It waits its turn behind the pass that is under way, in the reader and in the embedder.
        let last = ReadRequest {
            previous: None,
            turns: vec![TurnText {
                speaker: "User".to_owned(),
                text: "That is all.".to_owned(),
            }],
        };
        engine
            .read(last)
            .await
            .map_err(BenchError::engine("waiting for the last bulk read"))?;
        Ok(())
    }
}

/// Reads the turns over and over; gives the failure that ended it.
async fn read_on(engine: Engine, turns: Arc<[TurnText]>) -> Option<EngineError> {
    for batch in turns.chunks(TURNS).cycle() {
        let request = ReadRequest {
            previous: None,
            turns: batch.to_vec(),
        };
        if let Err(error) = engine.read(request).await {
            return Some(error);
        }
    }
    None
}

/// Milliseconds that each of the next questions took.
async fn ask<'a>(engine: &Engine, questions: impl Iterator<Item = &'a str>) -> Result<Vec<f64>, BenchError> {
    let mut milliseconds = Vec::with_capacity(QUESTIONS);
    for question in questions.take(QUESTIONS) {
        let started = Instant::now();
        let prepared = engine
            .question(question)
            .await
            .map_err(BenchError::engine("preparing a question"))?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1000.0);
        std::hint::black_box(prepared);
    }
    Ok(milliseconds)
}
