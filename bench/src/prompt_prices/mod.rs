//! `mainpoint-bench prices`: what a long conversation costs at a provider that caches prompts, and what evidence is
//! left of it.
//!
//! Question: what does each way of keeping a conversation within a budget cost, and how much of what later questions
//! need is still in the prompt? Method: recorded conversations are played round by round through the started proxy, in
//! front of an upstream that gives the recorded answers; what it receives is priced by the longest beginning that it
//! shares with an earlier prompt. Baselines: untouched prompts, a sliding window, the same memory in the system prompt,
//! recompression each turn, all made from the same rounds.

mod beam;
mod conversation;
mod evidence;
mod figures;
mod long_memory;
mod message;
mod picture;
mod play;
mod policies;
mod presentation;
mod pricing;
mod results;
mod tables;

use std::path::{Path, PathBuf};

use self::conversation::Conversation;
use self::figures::Sample;
use self::message::Messages;
use self::play::Stage;
pub use self::pricing::Prices;
use self::results::ChatResult;
use crate::BenchError;
use crate::running::program::Settings;

/// What to play and what it costs.
#[derive(Debug, Clone)]
pub struct PriceOptions {
    /// The directory of all data.
    pub data: PathBuf,
    /// Numbers of BEAM chats and names of LongMemEval haystacks.
    pub chats: Vec<String>,
    /// Most rounds of each chat.
    pub rounds: Option<usize>,
    /// Most tokens of a forwarded prompt.
    pub budget: u32,
    /// What the provider charges.
    pub prices: Prices,
    /// Further keys and values of the proxy's configuration, as TOML writes them.
    pub settings: Vec<(String, String)>,
    /// The `mainpoint` program.
    pub program: PathBuf,
    /// Directory for `prices.md`, `prompt-cache.jsonl` and `prices.svg`.
    pub out: PathBuf,
}

/// The BEAM chats to report on.
pub const CHATS: [&str; 6] = ["1", "3", "4", "5", "6", "7"];

/// Plays every conversation, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, proxy or files.
pub async fn run(options: &PriceOptions) -> Result<(), BenchError> {
    let conversations = chosen(options)?;
    anstream::println!("Starting {} …", options.program.display());
    let stage = Stage::set(&options.program, &settings(options)).await?;
    let measured = measure(options, &stage, &conversations).await;
    if measured.is_err() {
        anstream::eprintln!("{}", stage.log());
    }
    let results = measured?;
    stage.end().await?;
    let whole = Sample::of(&results, options.prices);
    let chats: Vec<Sample<'_>> = results
        .iter()
        .map(|result| Sample::of(std::slice::from_ref(result), options.prices))
        .collect();
    let mut report = presentation::report(options, &whole, &chats);
    anstream::println!("{}", report.terminal());
    anstream::println!("{}", tables::verdict(&whole));
    presentation::write(options, &mut report, &whole, &chats)
}

async fn measure(
    options: &PriceOptions,
    stage: &Stage,
    conversations: &[Conversation],
) -> Result<Vec<ChatResult>, BenchError> {
    let budget = usize::try_from(options.budget).unwrap_or(usize::MAX);
    let mut results = Vec::with_capacity(conversations.len());
    for conversation in conversations {
        let mut messages = Messages::new();
        let played = stage.play(conversation, &mut messages).await?;
        results.push(ChatResult::of(conversation, &played, budget, &mut messages));
    }
    Ok(results)
}

/// The proxy's settings: it is told the prices, unless the caller sets them.
fn settings(options: &PriceOptions) -> Settings {
    let prices = [
        ("prices.input", options.prices.input),
        ("prices.cache_read", options.prices.cache_read),
        ("prices.cache_write", options.prices.cache_write),
    ];
    let is_set = |key: &str| options.settings.iter().any(|(set, _)| set == key);
    let prices = prices.into_iter().filter(|(key, _)| !is_set(key));
    let prices = prices.map(|(key, value)| (key.to_owned(), format!("{value:?}")));
    Settings {
        budget: options.budget,
        overrides: prices.chain(options.settings.iter().cloned()).collect(),
        data: None,
    }
}

fn chosen(options: &PriceOptions) -> Result<Vec<Conversation>, BenchError> {
    let chats = options.chats.iter().map(|name| load(&options.data, name));
    let rounds = options.rounds.unwrap_or(usize::MAX);
    chats.map(|chat| chat.map(|chat| chat.first(rounds))).collect()
}

/// A BEAM chat by its number, or a LongMemEval haystack by its name.
fn load(data: &Path, name: &str) -> Result<Conversation, BenchError> {
    let directory = data.join("beam-100k").join(name);
    if directory.is_dir() {
        return beam::load(&directory, name);
    }
    let file = data.join("longmemeval/longmemeval-subset.json");
    let haystacks = long_memory::load(&file)?;
    let known: Vec<String> = haystacks.iter().map(|haystack| haystack.name.clone()).collect();
    let found = haystacks.into_iter().find(|haystack| haystack.name == name);
    found.ok_or_else(|| BenchError::Data {
        path: directory,
        reason: format!(
            "--chats {name}: no such BEAM chat, and LongMemEval has {}",
            known.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn options() -> PriceOptions {
        PriceOptions {
            data: PathBuf::from("nowhere"),
            chats: CHATS.map(str::to_owned).to_vec(),
            rounds: None,
            budget: 8000,
            prices: Prices::ANTHROPIC,
            settings: Vec::new(),
            program: PathBuf::from("mainpoint"),
            out: PathBuf::from("nowhere"),
        }
    }

    #[test]
    fn the_proxy_is_told_the_prices_unless_they_are_set() {
        let mut options = options();
        options.settings = vec![
            ("prices.cache_read".to_owned(), "0.5".to_owned()),
            ("memory.low_water".to_owned(), "0.2".to_owned()),
        ];
        let found = settings(&options);
        let lines: Vec<String> = (found.overrides.iter())
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        let expected = [
            "prices.input = 1.0",
            "prices.cache_write = 1.25",
            "prices.cache_read = 0.5",
            "memory.low_water = 0.2",
        ];
        assert_eq!(
            (found.budget, lines.as_slice()),
            (8000, expected.map(str::to_owned).as_slice())
        );
    }
}
