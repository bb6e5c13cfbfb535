//! `mainpoint-bench demo`: a long conversation through a running proxy, shown turn by turn.
//!
//! Question: what does a client see of the memory? Method: the built program with an empty data
//! directory; the client sends its whole history each time. Baseline: the tokens that it asked for.

mod script;

use clap::Args;
use mainpoint_tests::{Answer, ProxyBuilder, ScriptedUpstream, StartedProxy, prompt};

use self::script::{Line, SYSTEM, Script};
use crate::BenchError;
use crate::running::Client;

/// What is played.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// User turns of the conversation, at least 20.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(20..=2000))]
    turns: u16,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    /// Let the embedded chat model answer instead of canned sentences (slow).
    #[arg(long, conflicts_with = "upstream")]
    embedded: bool,
    /// Let this OpenAI-compatible service answer; base URL including its version.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The model's name in requests.
    #[arg(long, default_value = "demo")]
    model: String,
}

/// What the whole conversation came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Total {
    asked: usize,
    forwarded: usize,
    questions: usize,
    /// Questions whose fact stood in the prompt that the upstream received.
    reached: usize,
}

/// Plays the conversation and prints a line per turn.
///
/// # Errors
/// When there is no script. A proxy that does not start or answer ends the program with what it said.
pub async fn run(options: &DemoOptions) -> Result<(), BenchError> {
    let script = Script::read()?;
    let scripted = match (&options.upstream, options.embedded) {
        (None, false) => Some(ScriptedUpstream::start().await),
        _ => None,
    };
    let mut builder = ProxyBuilder::as_shipped().setting("memory", &format!("budget_tokens = {}", options.budget));
    let upstream = scripted.as_ref().map(ScriptedUpstream::base_url);
    if let Some(upstream) = options.upstream.as_ref().or(upstream.as_ref()) {
        builder = builder.upstream(upstream);
    }
    anstream::println!("Starting mainpoint …");
    let proxy = builder.start().await;
    anstream::println!("It listens on {}; budget {} tokens.\n", proxy.base_url(), options.budget);
    let total = play(options, &script, &proxy, scripted.as_ref()).await;
    proxy.stop().await;
    let Total { asked, forwarded, .. } = total;
    let percent = (asked.saturating_sub(forwarded) * 100).checked_div(asked).unwrap_or(0);
    anstream::println!("\nTokens asked: {asked}, forwarded: {forwarded} ({percent} % fewer).");
    if scripted.is_some() {
        let Total { reached, questions, .. } = total;
        anstream::println!("Facts that were in the prompt when asked for: {reached} of {questions}.");
    }
    Ok(())
}

async fn play(
    options: &DemoOptions,
    script: &Script,
    proxy: &StartedProxy,
    scripted: Option<&ScriptedUpstream>,
) -> Total {
    anstream::println!("turn  tokens asked  tokens forwarded  outcome      memories  said");
    let mut client = Client::new(&options.model, "demo", SYSTEM);
    let (mut total, mut asked_before) = (Total::default(), 0);
    for (number, line) in script.conversation(usize::from(options.turns)).iter().enumerate() {
        if needs_memory(line, asked_before, options.budget) {
            proxy.everything_read().await;
        }
        if let Some(scripted) = scripted {
            scripted.say_next(&script.replies[number % script.replies.len()]);
        }
        let answer = client.say(proxy, &line.text).await;
        asked_before = answer.count("x-mainpoint-tokens-in");
        total.asked += asked_before;
        total.forwarded += answer.count("x-mainpoint-tokens-forwarded");
        show(number + 1, line, &answer);
        let Some(needs) = line.needs.as_deref() else { continue };
        total.questions += 1;
        match scripted {
            Some(scripted) => {
                let received = scripted.last_request();
                total.reached += usize::from(received.contains(needs));
                show_memories(&prompt::memory_block(&received.json()).unwrap_or_default(), needs);
            }
            None => anstream::println!("{:>8}answer: {}", "", answer.reply().trim()),
        }
    }
    total
}

/// Old turns leave the prompt only once they were read, so the reader may finish first when the budget is near.
fn needs_memory(line: &Line, asked_before: usize, budget: u32) -> bool {
    line.needs.is_some() || asked_before * 5 > budget as usize * 4
}

fn show(number: usize, line: &Line, answer: &Answer) {
    anstream::println!(
        "{number:>4}  {:>12}  {:>16}  {:<11}  {:>8}  {}",
        answer.header("x-mainpoint-tokens-in"),
        answer.header("x-mainpoint-tokens-forwarded"),
        answer.outcome(),
        answer.header("x-mainpoint-memories"),
        shortened(&line.text)
    );
}

/// The recalled lines at the end of a prompt; an arrow marks those with the answer.
fn show_memories(block: &str, needs: &str) {
    let lines: Vec<&str> = block.lines().filter(|line| line.starts_with('[')).collect();
    if lines.is_empty() {
        anstream::println!("{:>8}nothing was recalled", "");
    }
    for line in lines {
        let mark = if line.contains(needs) { "→" } else { " " };
        anstream::println!("{:>6}{mark} {line}", "");
    }
}

fn shortened(text: &str) -> String {
    const CHARACTERS: usize = 60;
    if text.chars().count() <= CHARACTERS {
        return text.to_owned();
    }
    let kept: String = text.chars().take(CHARACTERS - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_shortened_by_characters() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(80));
        assert!(long.chars().count() == 60 && long.ends_with('…'));
    }

    #[test]
    fn the_reader_is_waited_for_near_the_budget_and_before_questions() {
        let line = |needs| Line { text: String::new(), needs };
        assert!(needs_memory(&line(Some("fact".to_owned())), 0, 2000) && needs_memory(&line(None), 1601, 2000));
        assert!(!needs_memory(&line(None), 1600, 2000));
    }
}
