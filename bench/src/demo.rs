//! `mainpoint-bench demo`: a long conversation through a running proxy, shown turn by turn.
//!
//! Question: what does a client see of the memory? Method: the built program with an empty data directory; the client sends its
//! whole history each time, tells a code at the beginning and asks for it at the end. Baseline: the tokens that it asked for.

use clap::Args;
use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Answer, ScriptedUpstream, prompt};

use crate::running::{Client, NO_DEADLINE, program};

/// What is played.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
}

const SYSTEM: &str = "You are a friendly assistant who keeps answers short.";
/// What is told early and asked for last.
const CODE: &str = "7391-K";

/// Plays the conversation and prints a line per turn. A proxy that does not start or answer ends the program with what it said.
pub async fn run(options: &DemoOptions) {
    let upstream = ScriptedUpstream::start().await;
    anstream::println!("Starting mainpoint …");
    let proxy = program(&upstream, options.budget, [NO_DEADLINE]).start().await;
    anstream::println!("It listens on {}; budget {} tokens.\n", proxy.base_url(), options.budget);
    anstream::println!("turn  tokens asked  tokens forwarded  outcome      memories  said");
    let mut client = Client::new("demo", "demo", SYSTEM);
    let (mut asked, mut forwarded, mut last) = (0, 0, 0);
    let chat = everyday_chat(CODE);
    for (number, exchange) in (1..).zip(&chat) {
        // Old turns leave the prompt only once they were read, so the reader may finish first when the budget is near.
        if number == chat.len() || last * 5 > options.budget as usize * 4 {
            proxy.everything_read().await;
        }
        upstream.say_next(&exchange.assistant);
        let answer = client.say(&proxy, &exchange.user).await;
        last = answer.count("x-mainpoint-tokens-in");
        asked += last;
        forwarded += answer.count("x-mainpoint-tokens-forwarded");
        show(number, &exchange.user, &answer);
    }
    show_memories(&prompt::memory_block(&upstream.last_request().json()).unwrap_or_default());
    proxy.stop().await;
    let percent = (asked.saturating_sub(forwarded) * 100).checked_div(asked).unwrap_or(0);
    anstream::println!("\nTokens asked: {asked}, forwarded: {forwarded} ({percent} % fewer).");
}

fn show(number: usize, said: &str, answer: &Answer) {
    anstream::println!(
        "{number:>4}  {:>12}  {:>16}  {:<11}  {:>8}  {said:.60}",
        answer.header("x-mainpoint-tokens-in"),
        answer.header("x-mainpoint-tokens-forwarded"),
        answer.outcome(),
        answer.header("x-mainpoint-memories")
    );
}

/// What is recalled for the last turn; an arrow marks the quotes with the code.
fn show_memories(block: &str) {
    let quotes = prompt::quotes(block);
    if quotes.is_empty() {
        anstream::println!("{:>8}nothing was recalled", "");
    }
    for quote in quotes {
        let mark = if quote.text.contains(CODE) { "→" } else { " " };
        anstream::println!("{:>6}{mark} [{}] {}: {}", "", quote.date, quote.speaker, quote.text.trim());
    }
}
