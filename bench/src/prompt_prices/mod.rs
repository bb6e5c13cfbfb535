//! `mainpoint-bench prices`: what a long conversation costs at a provider that caches prompts, and what evidence is
//! left of it.
//!
//! Question: what does each way of keeping a conversation within a budget cost, and how much of what later questions
//! need is still in the prompt? Method: recorded conversations are played round by round through the started proxy, in
//! front of an upstream that gives the recorded answers; what it receives is priced by the longest beginning that it
//! shares with an earlier prompt. Baselines: untouched prompts, a sliding window, the same memory in the system prompt,
//! recompression each turn, all made from the same rounds.

mod conversation;
mod evidence;
mod message;
mod play;
mod policies;
mod pricing;
mod report;
mod results;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::conversation::Chat;
use self::message::Messages;
use self::pricing::Prices;
use self::results::ChatResult;
use crate::filled::PlayOptions;
use crate::{BenchError, data, locate, running};

/// What is played, and what it costs.
#[derive(Debug, Clone, Args)]
pub struct PriceOptions {
    /// Directory of all data.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::data())]
    data: PathBuf,
    /// Numbers of BEAM chats.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values = CHATS)]
    chats: Vec<String>,
    /// Play only the first rounds of each chat, for a quick look.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    /// Plays the conversations with each of several values of a key, such as memory.memory_share=0.02,0.05,0.1,0.2,0.3; the last
    /// of them stands in the tables, and the picture shows what evidence each leaves at what price.
    #[arg(long, value_name = "KEY=VALUES", value_parser = running::setting)]
    curve: Option<(String, String)>,
    /// What kind of provider charges.
    #[arg(long, value_enum, default_value = "openai")]
    prices: Provider,
    #[command(flatten)]
    play: PlayOptions,
}

/// Keys of the configuration and their values, as TOML writes them.
type Settings = Vec<(String, String)>;

/// The conversations with one setting.
struct Point {
    /// The setting's value; none without a curve.
    setting: Option<String>,
    results: Vec<ChatResult>,
}

/// Providers by what they charge for a prompt cache.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Provider {
    /// Reading costs a tenth of input, writing nothing extra.
    #[value(name = "openai")]
    OpenAi,
    /// Reading costs a tenth of input, writing a quarter more than input.
    Anthropic,
}

/// The BEAM chats to report on.
const CHATS: [&str; 6] = ["1", "3", "4", "5", "6", "7"];

/// Plays every conversation, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data or files.
pub async fn run(options: &PriceOptions) -> Result<(), BenchError> {
    let names: Vec<String> = options.chats.iter().map(|number| format!("beam-{number}")).collect();
    let all = data::load(&options.data.join("beam-100k"))?.conversations;
    let rounds = options.rounds.map_or(usize::MAX, usize::from);
    let chats = data::named(all, &names)?;
    let chats: Vec<Chat> = chats.iter().map(|conversation| Chat::of(conversation, rounds)).collect();
    let mut points = Vec::new();
    for (setting, settings) in options.variants() {
        if let Some(setting) = &setting {
            anstream::println!("With {setting}:");
        }
        let mut results = Vec::new();
        for chat in &chats {
            let mut messages = Messages::new();
            let played = play::play(options, &settings, chat, &mut messages).await?;
            results.push(ChatResult::new(chat, &played, options.budget as usize, &mut messages));
        }
        points.push(Point { setting, results });
    }
    report::publish(options, &points)
}

impl Provider {
    /// What its models cost, relative to a token of input.
    fn listed(self) -> Prices {
        let cache_write = match self {
            Self::OpenAi => 1.0,
            Self::Anthropic => 1.25,
        };
        Prices { input: 1.0, cache_read: 0.1, cache_write }
    }
}

impl PriceOptions {
    /// The proxy is told the prices; what the caller sets comes later and counts more.
    fn price_settings(&self) -> [(String, String); 2] {
        let prices = self.prices.listed();
        [("prices.cache_read", prices.cache_read), ("prices.cache_write", prices.cache_write)]
            .map(|(key, value)| (key.to_owned(), format!("{value:?}")))
    }

    /// The settings of each point of the curve; of one point without a curve.
    fn variants(&self) -> Vec<(Option<String>, Settings)> {
        let common: Settings = self.price_settings().into_iter().chain(self.play.settings.iter().cloned()).collect();
        let Some((key, values)) = &self.curve else {
            return vec![(None, common)];
        };
        let variant = |value: &str| {
            let own = (key.clone(), value.trim().to_owned());
            (Some(format!("{key} = {}", own.1)), common.iter().cloned().chain([own]).collect())
        };
        values.split(',').map(variant).collect()
    }
}
