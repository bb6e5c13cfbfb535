//! The ways of going through one text, timed side by side.
//!
//! Every round goes through all arms once, each round beginning with another one, so that whatever else the machine does
//! meets all of them alike. It must not know how figures are shown.

use std::time::Instant;

use mainpoint_engine::ReaderConfig;
use mainpoint_engine::speed::{PassSize, PlainPrefill, ReaderModel, ReaderPasses, Script};

use super::texts::Text;
use crate::BenchError;
use crate::metrics::as_float;
use crate::progress::Progress;

/// What goes through a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// llama.cpp's prefill, all tokens at once: what everything is compared to.
    Plain,
    /// The same in pieces of llama.cpp's default size.
    PlainInPieces,
    /// The reader with the window that the product has, turn by turn.
    Turns,
    /// The same with the whole text as a single turn.
    OneTurn,
    /// The reader with a window that holds all turns at once.
    OnePass,
}

/// One way with so many threads, and how long it took.
pub(super) struct Timed {
    /// The way.
    pub(super) way: Way,
    /// Compute threads.
    pub(super) threads: usize,
    /// Tokens of the text, the opening token included.
    pub(super) tokens: usize,
    /// Seconds of each round.
    pub(super) seconds: Vec<f64>,
}

/// A context that is kept open for all rounds.
enum Context<'model> {
    Plain(PlainPrefill<'model>),
    Reader(Box<ReaderPasses<'model>>),
}

/// llama.cpp's default `n_ubatch`.
const PIECE: usize = 512;

impl Way {
    /// The ways in which a text is gone through, the plain one first. Those that would do the same as another are left out.
    #[must_use]
    pub(super) fn of(text: &Text) -> Vec<Self> {
        let mut ways = vec![Self::Plain];
        if text.most_tokens() > PIECE {
            ways.push(Self::PlainInPieces);
        }
        ways.extend([Self::Turns, Self::OneTurn]);
        if text.most_tokens() > ReaderConfig::default().window_tokens {
            ways.push(Self::OnePass);
        }
        ways
    }

    fn script(self, text: &Text) -> &Script {
        match self {
            Self::OneTurn => &text.one_turn,
            _ => &text.turns,
        }
    }

    fn open<'model>(
        self,
        model: &'model ReaderModel,
        text: &Text,
        threads: usize,
    ) -> Result<Context<'model>, BenchError> {
        let whole = PassSize {
            tokens: text.most_tokens(),
            threads,
        };
        let shipped = PassSize {
            tokens: ReaderConfig::default().window_tokens,
            threads,
        };
        let reading = |passes| Context::Reader(Box::new(passes));
        let context = match self {
            Self::Plain => model.prefill(whole, whole.tokens).map(Context::Plain),
            Self::PlainInPieces => model.prefill(whole, PIECE).map(Context::Plain),
            Self::Turns | Self::OneTurn => model.reader(shipped).map(reading),
            Self::OnePass => model.reader(whole).map(reading),
        };
        context.map_err(BenchError::engine("opening a context"))
    }
}

impl Timed {
    /// Tokens a second in each round.
    #[must_use]
    pub(super) fn tokens_per_second(&self) -> Vec<f64> {
        let tokens = as_float(self.tokens);
        self.seconds.iter().map(|seconds| tokens / seconds).collect()
    }

    /// How many times as many tokens a second as `plain` in each round; above 1 is faster.
    #[must_use]
    pub(super) fn ratios(&self, plain: &Self) -> Vec<f64> {
        let own = self.tokens_per_second();
        let plain = plain.tokens_per_second();
        own.iter().zip(plain).map(|(own, plain)| own / plain).collect()
    }
}

impl Context<'_> {
    /// Goes through the text once; gives the seconds.
    fn time(&mut self, script: &Script) -> Result<f64, BenchError> {
        let started = Instant::now();
        let done = match self {
            Self::Plain(prefill) => prefill.run(script),
            Self::Reader(reader) => reader.read(script).map(|_| ()),
        };
        let seconds = started.elapsed().as_secs_f64();
        done.map_err(BenchError::engine("a timed pass"))?;
        Ok(seconds)
    }
}

/// Times every way with every number of threads, after one round that does not count.
///
/// # Errors
/// [`BenchError::Engine`] for a context that cannot be opened or a failed pass.
pub(super) fn time(
    model: &ReaderModel,
    text: &Text,
    threads: &[usize],
    rounds: usize,
) -> Result<Vec<Timed>, BenchError> {
    let mut arms = Vec::new();
    for way in Way::of(text) {
        for threads in threads.iter().copied() {
            let timed = Timed {
                way,
                threads,
                tokens: way.script(text).tokens(),
                seconds: Vec::with_capacity(rounds),
            };
            arms.push((way.open(model, text, threads)?, timed));
        }
    }
    let mut progress = Progress::begin(format!("{} tokens", text.turns.tokens()), (rounds + 1) * arms.len());
    for round in 0..=rounds {
        for step in 0..arms.len() {
            let at = (round + step) % arms.len();
            let (context, timed) = &mut arms[at];
            let seconds = context.time(timed.way.script(text))?;
            if round > 0 {
                timed.seconds.push(seconds);
            }
            progress.advance(1);
        }
    }
    Ok(arms.into_iter().map(|(_, timed)| timed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_compares_tokens_a_second_round_by_round() {
        let timed = |tokens, seconds: &[f64]| Timed {
            way: Way::Plain,
            threads: 1,
            tokens,
            seconds: seconds.to_vec(),
        };
        let (plain, own) = (timed(100, &[1.0, 2.0]), timed(50, &[0.25, 2.0]));
        assert_eq!(own.ratios(&plain), [2.0, 0.5]);
        assert_eq!(own.tokens_per_second(), [200.0, 25.0]);
    }
}
