//! The threads that read: one for turns, behind everything else that wants the processor, and one for questions, which never
//! wait behind turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::encoder::{Encoder, PassKind, PassSize};
use super::input::{EncoderInput, InputBuilder};
use super::reading::{EncodedQuestion, PassageTokens};
use super::reduction::Reduction;
use crate::actor::Actor;
use crate::codes::{QuestionCodes, codes_of};
use crate::ffi::priority::lower_priority;
use crate::llama::model::Model;
use crate::{EncoderConfig, EngineError};

/// Reads passages.
pub(crate) type PassageEncoder = Actor<EncoderInput, PassageTokens>;
/// Reads questions.
pub(crate) type QueryEncoder = Actor<EncoderInput, EncodedQuestion>;

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
pub(crate) fn start_passage_encoder(
    model: &Model,
    inputs: &InputBuilder,
    config: &EncoderConfig,
    meter: &Arc<Meter>,
) -> Result<PassageEncoder, EngineError> {
    let (model, meter) = (model.clone(), Arc::clone(meter));
    let size = PassSize { tokens: inputs.longest_pass(), threads: config.threads };
    let probe = inputs.turn("User", PROBE).passages;
    Actor::start("reader", config.queue, move |inbox| {
        probed(&model, size, &probe)?;
        let mut encoder = Encoder::new(&model, size, PassKind::Attention)?;
        lower_priority();
        encoder.stop_on(inbox.halt());
        inbox.serve(|input: EncoderInput| {
            let started = Instant::now();
            let output = encoder.pass(&input.pass)?;
            meter.add(input.pass.own.len(), started.elapsed());
            Ok(input.with_output(&output))
        });
        Ok(())
    })
}

/// Starts the part that reads questions.
///
/// # Errors
/// A context that cannot be made, or a model without token vectors.
pub(crate) fn start_query_encoder(
    model: &Model,
    inputs: &InputBuilder,
    config: &EncoderConfig,
    reduction: &Arc<Reduction>,
) -> Result<QueryEncoder, EngineError> {
    let (model, probe, reduction) = (model.clone(), inputs.question(PROBE), Arc::clone(reduction));
    let size = PassSize { tokens: inputs.longest_pass(), threads: config.threads.min(MOST_QUESTION_THREADS) };
    Actor::start("questions", QUESTION_QUEUE, move |inbox| {
        let mut encoder = Encoder::new(&model, size, PassKind::Vectors)?;
        question(&mut encoder, &probe, &reduction)?;
        encoder.stop_on(inbox.halt());
        inbox.serve(|input: EncoderInput| question(&mut encoder, &input, &reduction));
        Ok(())
    })
}

/// Read when a part starts, to see that the model does what it must.
const PROBE: &str = "The locker code is 4471, remember it.";

/// Sees that turns can be read, on a thread that does not step back: the proxy starts even where the processors are busy. The
/// workers of a context keep the priority of the thread that uses it first, so the context is this thread's own.
fn probed(model: &Model, size: PassSize, probe: &[EncoderInput]) -> Result<(), EngineError> {
    let pass = || {
        let mut encoder = Encoder::new(model, size, PassKind::Attention)?;
        probe.iter().try_for_each(|input| encoder.pass(&input.pass).map(drop))
    };
    thread::scope(|scope| scope.spawn(pass).join()).unwrap_or(Err(EngineError::Stopped { part: "reader" }))
}

/// Reads a question.
fn question(
    encoder: &mut Encoder<'_>,
    input: &EncoderInput,
    reduction: &Reduction,
) -> Result<EncodedQuestion, EngineError> {
    let output = input.with_output(&encoder.pass(&input.pass)?);
    let vectors = output.tokens.iter().map(|token| token.vector.as_slice());
    let codes = QuestionCodes::new(reduction.mean.len(), &codes_of(vectors, &reduction.mean));
    Ok(EncodedQuestion { codes, vector: reduction.pooled(&output.vector) })
}
