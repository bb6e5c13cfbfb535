//! `mainpoint-bench answers`: what a real model makes of the prompts that mainpoint forwards.
//!
//! Question: how well does an instruct model answer from mainpoint's prompt, and what is in that prompt? Method: a recorded
//! conversation is imported with its times; every question is asked aside behind the whole conversation through the started
//! proxy, and the model answers the prompt that arrives. Baseline: the turns that answer the question, alone.

mod answering;
mod arms;
mod forwarded;
mod report;
mod scores;

use clap::Args;
use serde_json::Value;

use self::answering::Answering;
use self::arms::{Arm, Prompt};
use self::forwarded::Forwarded;
use crate::data::{DataSet, Question};
use crate::filled::PlayOptions;
use crate::progress::over;
use crate::{BenchError, data, locate};

/// What is asked, and who answers.
#[derive(Debug, Clone, Args)]
pub struct AnswerOptions {
    /// Most questions; of more, so many are drawn with a fixed seed.
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u16).range(1..))]
    questions: u16,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(300..))]
    budget: u32,
    /// The model that answers, within a mainpoint of its own, by the name that `mainpoint models list` has for it.
    #[arg(long, default_value = "qwen2.5-coder-1.5b-instruct")]
    model: String,
    #[command(flatten)]
    play: PlayOptions,
}

/// A question with everything that became of it.
struct Asked {
    question: Question,
    forwarded: Forwarded,
    /// The messages of each arm's prompt and the answer to it.
    prompts: [(Prompt, String); 2],
}

/// Asks every question, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data or files, and of the service that answers.
pub async fn run(options: &AnswerOptions) -> Result<(), BenchError> {
    let DataSet { kind, conversations } = data::load(&locate::locomo())?;
    let conversations = data::reported(kind, conversations, &[])?;
    let drawn = data::drawn(&conversations, options.questions.into(), |question| !question.answer.is_empty());
    let mut asked = Vec::new();
    for (conversation, questions) in conversations.iter().zip(&drawn) {
        let found = forwarded::ask(options, conversation, questions).await?;
        for (question, forwarded) in questions.iter().zip(found) {
            let prompts = Arm::ALL.map(|arm| (arm.prompt(conversation, question, &forwarded), String::new()));
            asked.push(Asked { question: (*question).clone(), forwarded, prompts });
        }
    }
    answer(options, &mut asked).await?;
    report::publish(options, &format!("{}-answers", kind.name()), &asked)
}

async fn answer(options: &AnswerOptions, asked: &mut [Asked]) -> Result<(), BenchError> {
    let mut answering = Answering::start(options).await;
    // One arm after the other, so that prompts which begin alike follow each other and are read once.
    for arm in Arm::ALL {
        let mut prompts: Vec<_> = asked.iter_mut().map(|one| &mut one.prompts[arm as usize]).collect();
        prompts.sort_by_cached_key(|(prompt, _)| prompt.messages.iter().map(Value::to_string).collect::<Vec<_>>());
        for (prompt, answer) in over(format!("answering, {}", arm.name()), prompts) {
            *answer = answering.answer(&prompt.messages).await?;
        }
    }
    answering.end().await;
    Ok(())
}
