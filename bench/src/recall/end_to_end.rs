//! Whether what answers a question stands in the prompt that the upstream receives, through the built program.
//!
//! It must not know how the memory works: it talks over loopback and reads what arrives.

use std::path::Path;

use crate::BenchError;
use crate::bootstrap::Resamples;
use crate::metrics::as_float;
use crate::product::Product;
use crate::progress::Progress;
use crate::recorded::Conversation;
use crate::report::Row;
use crate::running::client::{Caller, Client};
use crate::running::program::{Program, Settings};
use crate::running::upstream::ScriptedUpstream;

/// For each question, 1 if every evidence turn arrived word for word, else 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Forwarded(Vec<f64>);

/// A model whose tokens are those of `o200k_base`.
const MODEL: &str = "gpt-4o";
const SYSTEM: &str = "You are a helpful assistant.";
/// Most tokens of a forwarded prompt: the chats have more.
const BUDGET: u32 = 1200;
/// What the upstream says, which is nothing that was said before.
const REPLY: &str = "…";

/// Shows the program each conversation, and then asks every question of it aside.
///
/// # Errors
/// [`BenchError::Proxy`] or [`BenchError::Request`] if the program does not start or answer.
pub(super) async fn play(
    (program, product): (&Path, &Product),
    conversations: &[Conversation],
) -> Result<Forwarded, BenchError> {
    let upstream = ScriptedUpstream::start(|_| REPLY.to_owned()).await?;
    let mut overrides = product.overrides();
    // On a busy machine a question may take long; nothing is to be cut by a deadline.
    overrides.push(("memory.deadline_ms".to_owned(), "600000".to_owned()));
    let settings = Settings {
        budget: BUDGET,
        overrides,
        data: None,
    };
    let program = Program::start(program, upstream.url(), &settings).await?;
    let mut found = Vec::new();
    for conversation in conversations {
        let played = ask((&program, &upstream), conversation).await;
        if played.is_err() {
            anstream::eprintln!("{}", program.log());
        }
        found.extend(played?);
    }
    program.end().await?;
    Ok(Forwarded(found))
}

async fn ask(
    (program, upstream): (&Program, &ScriptedUpstream),
    conversation: &Conversation,
) -> Result<Vec<f64>, BenchError> {
    let caller = Caller {
        model: MODEL.to_owned(),
        key: Some(format!("end-to-end-{}", conversation.name)),
        reply_tokens: None,
    };
    let mut client = Client::new(caller, SYSTEM);
    let turns = &conversation.turns;
    turns.iter().for_each(|turn| client.put(turn.role, &turn.message()));
    let metrics = program.beside("/metrics");
    let mut progress = Progress::begin(
        format!("asking {} end to end", conversation.name),
        conversation.questions.len(),
    );
    // Whatever is said first shows the program the whole chat; it is read before the first question.
    client.say_aside(program.url(), REPLY).await?;
    client.wait_until_read(&metrics).await?;
    let mut found = Vec::with_capacity(conversation.questions.len());
    for question in &conversation.questions {
        client.say_aside(program.url(), &question.text).await?;
        let prompt = upstream.last_prompt();
        let arrived = |turn: &usize| {
            let said = turns.get(*turn).map(|turn| turn.text.trim());
            said.is_some_and(|said| prompt.iter().any(|message| message.contains(said)))
        };
        found.push(if question.evidence.iter().all(arrived) {
            1.0
        } else {
            0.0
        });
        progress.advance(1);
    }
    Ok(found)
}

impl Forwarded {
    /// The share of the questions whose evidence arrived.
    #[must_use]
    pub(super) fn share(&self) -> f64 {
        self.0.iter().sum::<f64>() / as_float(self.0.len().max(1))
    }

    /// The same for machines.
    #[must_use]
    pub(super) fn row(&self, bench: &str, resamples: &Resamples) -> Row {
        Row::new(bench, "forwarded", "end-to-end", resamples.interval(&self.0)).over(self.0.len())
    }
}
