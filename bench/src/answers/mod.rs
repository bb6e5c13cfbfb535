//! `mainpoint-bench answers`: what a real model makes of the prompts that mainpoint forwards.
//!
//! Question: how well does an instruct model answer from mainpoint's prompt, and what is in that prompt? Method: a recorded
//! conversation is imported with its times; every question is asked aside behind the whole conversation through the started
//! proxy, and the model answers the prompt that arrives. Baselines: the newest messages, the turns that answer the question, and
//! the question alone.

mod answering;
mod arms;
mod forwarded;
mod report;
mod scores;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use self::answering::Answering;
use self::arms::{Arm, Prompt};
use self::forwarded::Forwarded;
use crate::data::Question;
use crate::filled::PlayOptions;
use crate::progress::over;
use crate::{BenchError, data, locate};

/// What is asked, and who answers.
#[derive(Debug, Clone, Args)]
pub struct AnswerOptions {
    /// A LoCoMo file, a directory of BEAM chats, or a directory of chats in the language that it is named by.
    #[arg(long, value_name = "PATH", default_value_os_t = locate::locomo())]
    data: PathBuf,
    /// Conversations, instead of those that nothing was chosen on.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    conversations: Vec<String>,
    /// Most questions; of more, so many are drawn with a fixed seed.
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u16).range(1..))]
    questions: u16,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(300..))]
    budget: u32,
    /// Base URL of the service that answers; without it the model answers within a mainpoint of its own.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The model that answers, by the name that the service or `mainpoint models list` has for it.
    #[arg(long, default_value = "qwen2.5-coder-1.5b-instruct")]
    model: String,
    /// Environment variable with the service's key.
    #[arg(long, value_name = "VARIABLE")]
    key_env: Option<String>,
    /// Prompts that are answered.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum, default_values_t = Arm::value_variants())]
    arms: Vec<Arm>,
    #[command(flatten)]
    play: PlayOptions,
}

/// A question with everything that became of it.
struct Asked {
    question: Question,
    forwarded: Forwarded,
    /// The prompt of each arm, in the order of the options.
    prompts: Vec<Prompt>,
}

/// Asks every question, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data or files, and of the service that answers.
pub async fn run(options: &AnswerOptions) -> Result<(), BenchError> {
    let set = data::load(&options.data)?;
    let bench = data::bench(format!("{}-answers", set.name()), &options.conversations);
    let conversations = data::reported(set.kind, set.conversations, &options.conversations)?;
    let drawn = data::drawn(&conversations, options.questions.into(), |question| !question.answer.is_empty());
    let mut asked = Vec::new();
    for (conversation, questions) in conversations.iter().zip(&drawn) {
        let found = forwarded::ask(options, conversation, questions).await?;
        for (question, forwarded) in questions.iter().zip(found) {
            let prompts = options.arms.iter().map(|arm| arm.prompt(conversation, question, &forwarded)).collect();
            asked.push(Asked { question: (*question).clone(), forwarded, prompts });
        }
    }
    answer(options, &mut asked).await?;
    report::publish(options, &bench, &asked)
}

async fn answer(options: &AnswerOptions, asked: &mut [Asked]) -> Result<(), BenchError> {
    let mut answering = Answering::start(options).await?;
    // One arm after the other, so that prompts which begin alike follow each other and are read once.
    for (at, arm) in options.arms.iter().enumerate() {
        let mut prompts: Vec<_> = asked.iter_mut().map(|one| &mut one.prompts[at]).collect();
        prompts.sort_by_cached_key(|prompt| prompt.messages.iter().map(Value::to_string).collect::<Vec<_>>());
        for prompt in over(format!("answering, {}", arm.name()), prompts) {
            prompt.answer = answering.answer(&prompt.messages).await?;
        }
    }
    answering.end().await;
    Ok(())
}
