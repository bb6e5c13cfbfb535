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

use clap::Args;

use self::conversation::Chat;
use self::message::Messages;
use self::results::ChatResult;
use crate::filled::PlayOptions;
use crate::{BenchError, data, locate};

/// What is played.
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
    #[command(flatten)]
    play: PlayOptions,
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
    let mut results = Vec::new();
    for chat in &chats {
        let mut messages = Messages::new();
        let played = play::play(options, chat, &mut messages).await?;
        results.push(ChatResult::new(chat, &played, options.budget as usize, &mut messages));
    }
    report::publish(options, &results)
}
