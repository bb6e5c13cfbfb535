//! `mainpoint-bench prices`: what a long conversation costs at a provider that caches prompts, and what evidence is
//! left of it.
//!
//! Question: what does each way of keeping a conversation within a budget cost, and how much of what later questions
//! need is still in the prompt? Method: recorded conversations are played round by round through the started proxy, in
//! front of an upstream that gives the recorded answers; what it receives is priced by the longest beginning that it
//! shares with an earlier prompt. Baselines: untouched prompts, a sliding window, the same memory in the system prompt,
//! recompression each turn, all made from the same rounds.

mod evidence;
mod message;
mod play;
mod policies;
mod pricing;
mod report;
mod results;

use clap::Args;

use self::message::Messages;
use self::results::ChatResult;
use crate::data::Turn;
use crate::filled::PlayOptions;
use crate::running::setting;
use crate::{BenchError, data, locate};

/// What is played.
#[derive(Debug, Clone, Args)]
pub struct PriceOptions {
    /// Numbers of BEAM chats.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values = CHATS)]
    chats: Vec<String>,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    /// Plays the conversations with each of several values of a key, such as memory.memory_share=0.02,0.05,0.1,0.2,0.3; the last
    /// of them stands in the tables, and the picture shows what evidence each leaves at what price.
    #[arg(long, value_name = "KEY=VALUES", value_parser = setting)]
    curve: Option<(String, String)>,
    #[command(flatten)]
    play: PlayOptions,
}

/// The conversations with one of the curve's values, or with the only settings.
struct Point {
    options: PriceOptions,
    results: Vec<ChatResult>,
}

/// The BEAM chats to report on.
const CHATS: [&str; 6] = ["1", "3", "4", "5", "6", "7"];

/// Plays every conversation, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data or files.
pub async fn run(options: &PriceOptions) -> Result<(), BenchError> {
    let names: Vec<String> = options.chats.iter().map(|number| format!("beam-{number}")).collect();
    let all = data::load(&locate::beam())?.conversations;
    let chats = data::named(all, &names)?;
    let is_round = |pair: &[Turn]| pair.iter().map(|turn| turn.role).eq(["user", "assistant"]);
    if let Some(chat) = chats.iter().find(|chat| !chat.turns.chunks(2).all(is_round)) {
        return Err(BenchError::new(format!("{}: user and assistant do not take turns", chat.name)));
    }
    let mut points = Vec::new();
    for options in options.variants() {
        let mut results = Vec::new();
        for chat in &chats {
            let mut messages = Messages::new();
            let played = play::play(&options, chat, &mut messages).await?;
            results.push(ChatResult::new(chat, &played, options.budget as usize, &mut messages));
        }
        points.push(Point { options, results });
    }
    report::publish(&points)
}

impl PriceOptions {
    /// The options of each point of the curve, whose value is the last of the settings; of one point without a curve.
    fn variants(&self) -> Vec<Self> {
        let Some((key, values)) = &self.curve else { return vec![self.clone()] };
        let variant = |value: &str| {
            let mut options = self.clone();
            options.play.settings.push((key.clone(), value.trim().to_owned()));
            options
        };
        values.split(',').map(variant).collect()
    }
}
