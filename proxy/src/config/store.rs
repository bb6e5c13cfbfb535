//! The sections `[store]` and `[reader]`: their keys, defaults and what is allowed.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use mainpoint_store::Retain;
use serde::Deserializer;

use super::checked::{Days, Milliseconds, Seconds, Whole, narrow, parsed, section, share};

section! {
    /// Where memories are kept.
    pub struct StoreSettings {
        /// Directory of the database and its journal.
        directory: PathBuf = PathBuf::from("data"),
        /// Whether the words of whole turns are kept or only their main points.
        #[serde(deserialize_with = "retain")]
        retain: Retain = Retain::Turns,
        /// Longest time before accepted turns are written to the database.
        #[serde(rename = "flush_interval_ms", with = "Milliseconds::<1, 600_000>")]
        flush_interval: Duration = Duration::from_secs(10),
        /// Number of accepted turns that are written at once without waiting for the interval.
        #[serde(with = "Whole::<1, 100_000>")]
        flush_turns: usize = 256,
        /// Time between two rounds of compaction, indexing and pruning.
        #[serde(rename = "maintenance_interval_seconds", with = "Seconds::<1, 604_800>")]
        maintenance_interval: Duration = Duration::from_secs(600),
        /// How long turns are kept; `None` for ever.
        #[serde(rename = "retain_days", deserialize_with = "retain_days")]
        retain_for: Option<Duration> = None,
        /// How long the ledger remembers what was put into the prompts of a conversation that has fallen silent.
        #[serde(rename = "ledger_days", with = "Days::<1, 3650>")]
        ledger_age: Duration = Duration::from_secs(7 * 86_400),
        /// Most turns that wait to be read.
        #[serde(with = "Whole::<1, 10_000_000>")]
        backlog_turns: usize = 100_000,
        /// Most bytes of their texts.
        #[serde(with = "Whole::<{ 1 << 20 }, { 1 << 40 }>")]
        backlog_bytes: usize = 1 << 30,
        /// Share of both that one caller's turns may take, over 0 and at most 1.
        #[serde(deserialize_with = "share")]
        backlog_share: f64 = 0.25,
    }
}

section! {
    /// How the model reads.
    pub struct ReaderSettings {
        /// Threads of one pass, at least 1.
        #[serde(deserialize_with = "threads")]
        threads: usize = cores(),
        /// Most tokens of one passage, which is read in one pass; 0 is the model's own choice.
        #[serde(deserialize_with = "passage_tokens")]
        passage_tokens: usize = 0,
        /// Share of the content tokens that make the main point, over 0 and at most 1.
        #[serde(deserialize_with = "narrow_share")]
        keep: f32 = 0.7,
        /// Most requests that wait for the reader.
        #[serde(with = "Whole::<1, 65_536>")]
        queue: usize = 64,
    }
}

fn retain<'de, D: Deserializer<'de>>(input: D) -> Result<Retain, D::Error> {
    parsed(input, |text: &String| match text.as_str() {
        "turns" => Ok(Retain::Turns),
        "spans" => Ok(Retain::Spans),
        _ => Err("\"turns\" or \"spans\""),
    })
}

fn retain_days<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    let age = Days::<0, 36_500>::deserialize(input)?;
    Ok((!age.is_zero()).then_some(age))
}

fn threads<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    Whole::<0, 1024>::deserialize(input).map(|threads| if threads == 0 { cores() } else { threads })
}

fn passage_tokens<'de, D: Deserializer<'de>>(input: D) -> Result<usize, D::Error> {
    parsed(input, |tokens: &i64| {
        let allowed = "0, which is the model's own choice, or a whole number from 32 to 8192";
        usize::try_from(*tokens).ok().filter(|tokens| matches!(tokens, 0 | 32..=8192)).ok_or(allowed)
    })
}

fn narrow_share<'de, D: Deserializer<'de>>(input: D) -> Result<f32, D::Error> {
    share(input).map(narrow)
}

/// Number of cores this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
