//! `mainpoint-bench demo`: a long conversation through a running proxy, shown turn by turn.
//!
//! Question: what does a client see of the memory? Method: the built program with an empty data
//! directory; the client sends its whole history each time. Baseline: the tokens that it asked for.

pub mod script;

use std::path::PathBuf;

use self::script::{Line, REPLIES, SYSTEM, conversation};
use crate::BenchError;
use crate::running::blocks::recalled_lines;
use crate::running::client::{Answer, Caller, Client};
use crate::running::program::{Program, Settings};
use crate::running::upstream::ScriptedUpstream;

/// What to play.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// User turns, at least 20.
    pub turns: usize,
    /// Most tokens of a forwarded prompt.
    pub budget: u32,
    /// Who answers.
    pub upstream: Upstream,
    /// The model's name in requests.
    pub model: String,
    /// The `mainpoint` program.
    pub program: PathBuf,
}

/// Who answers the demo's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// Canned sentences, from inside the demo.
    Scripted,
    /// The proxy's own chat model.
    Embedded,
    /// The service at this base URL.
    Remote(String),
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
/// [`BenchError::Proxy`] or [`BenchError::Request`] if the proxy does not start or answer.
pub async fn run(options: &DemoOptions) -> Result<(), BenchError> {
    let scripted = match options.upstream {
        Upstream::Scripted => {
            let replies = |number: usize| REPLIES[number % REPLIES.len()].to_owned();
            Some(ScriptedUpstream::start(replies).await?)
        }
        _ => None,
    };
    let upstream_url = match (&options.upstream, &scripted) {
        (Upstream::Remote(url), _) => url.as_str(),
        (_, Some(scripted)) => scripted.url(),
        _ => "embedded",
    };
    anstream::println!("Starting {} …", options.program.display());
    let settings = Settings {
        budget: options.budget,
        ..Settings::default()
    };
    let program = Program::start(&options.program, upstream_url, &settings).await?;
    anstream::println!(
        "It listens on {}; answers come from {upstream_url}; budget {} tokens.\n",
        program.url(),
        options.budget
    );
    let played = play(options, &program, scripted.as_ref()).await;
    if played.is_err() {
        anstream::eprintln!("{}", program.log());
    }
    let total = played?;
    program.end().await?;
    sum_up(total, scripted.is_some());
    Ok(())
}

async fn play(
    options: &DemoOptions,
    program: &Program,
    scripted: Option<&ScriptedUpstream>,
) -> Result<Total, BenchError> {
    anstream::println!(
        "{:>4}  {:>12}  {:>16}  {:<11}  {:>8}  said",
        "turn",
        "tokens asked",
        "tokens forwarded",
        "outcome",
        "memories"
    );
    let caller = Caller {
        model: options.model.clone(),
        key: None,
        reply_tokens: Some(40),
    };
    let mut client = Client::new(caller, SYSTEM);
    let metrics = program.beside("/metrics");
    let mut total = Total::default();
    let mut asked_before = 0;
    for (number, line) in conversation(options.turns).iter().enumerate() {
        if needs_memory(line, asked_before, options.budget) {
            client.wait_until_read(&metrics).await?;
        }
        let answer = client.say(program.url(), &line.text).await?;
        asked_before = answer.tokens_in;
        total.asked += answer.tokens_in;
        total.forwarded += answer.tokens_forwarded;
        show(number + 1, line, &answer);
        let Some(needs) = line.needs else { continue };
        total.questions += 1;
        match scripted {
            Some(scripted) => {
                let prompt = scripted.last_prompt();
                total.reached += usize::from(prompt.iter().any(|message| message.contains(needs)));
                show_memories(&prompt, needs);
            }
            None => anstream::println!("{:>8}answer: {}", "", answer.reply.trim()),
        }
    }
    Ok(total)
}

/// Old turns leave the prompt only once they were read, so the reader may finish first when the
/// budget is near.
fn needs_memory(line: &Line, asked_before: usize, budget: u32) -> bool {
    line.needs.is_some() || asked_before * 5 > budget as usize * 4
}

fn show(number: usize, line: &Line, answer: &Answer) {
    anstream::println!(
        "{number:>4}  {:>12}  {:>16}  {:<11}  {:>8}  {}",
        answer.tokens_in,
        answer.tokens_forwarded,
        answer.outcome,
        answer.memories,
        shortened(&line.text)
    );
}

/// The recalled lines at the end of a prompt; an arrow marks those with the answer.
fn show_memories(prompt: &[String], needs: &str) {
    let lines = prompt.last().map(|message| recalled_lines(message)).unwrap_or_default();
    if lines.is_empty() {
        anstream::println!("{:>8}nothing was recalled", "");
    }
    for line in lines {
        let mark = if line.contains(needs) { "→" } else { " " };
        anstream::println!("{:>6}{mark} {line}", "");
    }
}

fn sum_up(total: Total, scripted: bool) {
    let percent = (total.asked.saturating_sub(total.forwarded) * 100)
        .checked_div(total.asked)
        .unwrap_or(0);
    anstream::println!(
        "\nTokens asked: {}, forwarded: {} ({percent} % fewer).",
        total.asked,
        total.forwarded
    );
    if scripted {
        anstream::println!(
            "Facts that were in the prompt when asked for: {} of {}.",
            total.reached,
            total.questions
        );
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
        assert_eq!(long.chars().count(), 60);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn the_reader_is_waited_for_near_the_budget_and_before_questions() {
        let line = |needs| Line {
            text: String::new(),
            needs,
        };
        assert!(needs_memory(&line(Some("fact")), 0, 2000));
        assert!(needs_memory(&line(None), 1601, 2000));
        assert!(!needs_memory(&line(None), 1600, 2000));
    }
}
