//! The threads that read: one for turns, behind everything else that wants the processor, and one for questions, which never
//! wait behind turns.
//!
//! It must not know who asks, nor what is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::encoder::{Encoder, PassSize, Sight};
use super::reading::{PassageTokens, Question};
use super::script::{Script, Unread};
use crate::actor::Actor;
use crate::codes::{QuestionCodes, codes_of};
use crate::ffi::priority::step_back;
use crate::llama::model::Model;
use crate::{EncoderConfig, EngineError};

/// Reads passages.
pub(crate) type Reader = Actor<Unread, PassageTokens>;
/// Reads questions.
pub(crate) type Questions = Actor<Unread, Question>;

/// How much was read.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    tokens: AtomicU64,
    nanoseconds: AtomicU64,
}

const QUESTION_QUEUE: usize = 64;
/// A question has few tokens: more threads wait for each other after every matrix longer than they save.
const MOST_QUESTION_THREADS: usize = 4;

impl Meter {
    fn add(&self, tokens: usize, elapsed: Duration) {
        self.tokens.fetch_add(tokens as u64, Ordering::Relaxed);
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
    }

    /// Tokens of turns.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Time in passes.
    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// Starts the reader. A reading can wait, a question cannot.
///
/// # Errors
/// [`EngineError::NoAttention`] if the model shows none, or a context that cannot be made.
pub(crate) fn start_reader(
    model: &Model,
    script: &Script,
    config: &EncoderConfig,
    meter: &Arc<Meter>,
) -> Result<Reader, EngineError> {
    let (model, meter) = (model.clone(), Arc::clone(meter));
    let size = PassSize { tokens: script.longest_pass(), threads: config.threads };
    let probe = script.cut("User", PROBE, 0).passages;
    Actor::start("reader", config.queue, move |inbox| {
        step_back();
        let mut encoder = Encoder::new(&model, size, Sight::Attention)?;
        for unread in &probe {
            encoder.pass(&unread.pass)?;
        }
        encoder.heed(inbox.halt());
        inbox.serve(|unread: Unread| {
            let started = Instant::now();
            let seen = encoder.pass(&unread.pass)?;
            meter.add(unread.pass.own.len(), started.elapsed());
            Ok(unread.seen(&seen))
        });
        Ok(())
    })
}

/// Starts the part that reads questions.
///
/// # Errors
/// A context that cannot be made, or a model without token vectors.
pub(crate) fn start_questions(
    model: &Model,
    script: &Script,
    config: &EncoderConfig,
    mean: &[f32],
) -> Result<Questions, EngineError> {
    let (model, probe, mean) = (model.clone(), script.question(PROBE), mean.to_vec());
    let size = PassSize { tokens: script.longest_pass(), threads: config.threads.min(MOST_QUESTION_THREADS) };
    Actor::start("questions", QUESTION_QUEUE, move |inbox| {
        let mut encoder = Encoder::new(&model, size, Sight::Vectors)?;
        question(&mut encoder, &probe, &mean)?;
        encoder.heed(inbox.halt());
        inbox.serve(|unread: Unread| question(&mut encoder, &unread, &mean));
        Ok(())
    })
}

/// Read when a part starts, to see that the model does what it must.
const PROBE: &str = "The locker code is 4471, remember it.";

/// Reads a question.
fn question(encoder: &mut Encoder<'_>, unread: &Unread, mean: &[f32]) -> Result<Question, EngineError> {
    let seen = unread.seen(&encoder.pass(&unread.pass)?);
    let vectors = seen.tokens.iter().map(|token| token.vector.as_slice());
    Ok(Question { codes: QuestionCodes::new(mean.len(), &codes_of(vectors, mean)), vector: seen.vector })
}
