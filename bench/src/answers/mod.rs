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

use clap::Args;

use self::answering::Answering;
use self::arms::Arm;
use self::forwarded::Forwarded;
use crate::data::{Conversation, Kind, Question};
use crate::progress::Progress;
use crate::{BenchError, data, locate, running};

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
    /// A key of the proxy's configuration, such as memory.low_water=0.4; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = running::setting)]
    settings: Vec<(String, String)>,
    /// Base URL of the service that answers; without it the model answers within a mainpoint of its own.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The model that answers, by the name that the service or `mainpoint models list` has for it.
    #[arg(long, default_value = "qwen2.5-coder-1.5b-instruct")]
    model: String,
    /// Environment variable with the service's key.
    #[arg(long, value_name = "VARIABLE")]
    key_env: Option<String>,
    /// Prompts that are answered, instead of all of them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = Arm::named)]
    arms: Vec<Arm>,
    /// Look only at the prompts: nobody answers.
    #[arg(long)]
    prompts_only: bool,
    /// Directory of the results.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
    /// Directory of stores that were filled and of answers that were given, so that a run goes on where another ended.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::cache())]
    cache: PathBuf,
}

/// A question with everything that became of it.
struct Asked {
    question: Question,
    forwarded: Forwarded,
    /// The messages of each arm's prompt and the answer to it, in the order of the options; no answer where nobody was asked.
    prompts: Vec<(arms::Prompt, Option<String>)>,
}

/// Asks every question, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data or files, and of the service that answers.
pub async fn run(options: &AnswerOptions) -> Result<(), BenchError> {
    let data::DataSet { kind, conversations: all } = data::load(&options.data)?;
    let conversations = chosen(kind, all, options)?;
    let drawn = drawn(&conversations, options.questions.into());
    let mut asked = Vec::new();
    for (conversation, questions) in conversations.iter().zip(&drawn) {
        let found = forwarded::ask(options, conversation, questions).await?;
        for (question, forwarded) in questions.iter().zip(found) {
            let prompt = |arm: &Arm| (arm.prompt(conversation, question, &forwarded), None);
            let prompts = options.arms().iter().map(prompt).collect();
            asked.push(Asked { question: (*question).clone(), forwarded, prompts });
        }
    }
    if !options.prompts_only {
        answer(options, &mut asked).await?;
    }
    report::publish(options, kind, &asked)
}

impl AnswerOptions {
    fn arms(&self) -> &[Arm] {
        if self.arms.is_empty() { &Arm::ALL } else { &self.arms }
    }
}

/// The conversations that nothing was chosen on.
const REPORTED: [(&str, &[&str]); 2] =
    [("locomo", &["conv-41", "conv-42"]), ("beam", &["beam-4", "beam-5", "beam-6", "beam-7"])];
const SEED: u64 = 20_261_129;

fn chosen(kind: Kind, all: Vec<Conversation>, options: &AnswerOptions) -> Result<Vec<Conversation>, BenchError> {
    let reported = REPORTED.iter().find(|(name, _)| *name == kind.name()).map_or(&[][..], |(_, names)| names);
    let names: Vec<String> = match options.conversations.as_slice() {
        [] => reported.iter().map(|name| (*name).to_owned()).collect(),
        names => names.to_vec(),
    };
    if names.is_empty() { Ok(all) } else { data::named(all, &names) }
}

/// The questions with an answer of each conversation, at most so many together, in their order.
fn drawn(conversations: &[Conversation], most: usize) -> Vec<Vec<&Question>> {
    let answered = |question: &&Question| !question.answer.is_empty();
    let mut places: Vec<(usize, &Question)> = Vec::new();
    for (at, conversation) in conversations.iter().enumerate() {
        places.extend(conversation.questions.iter().filter(answered).map(|question| (at, question)));
    }
    let mut order: Vec<usize> = (0..places.len()).collect();
    fastrand::Rng::with_seed(SEED).shuffle(&mut order);
    order.truncate(most);
    order.sort_unstable();
    let mut drawn = vec![Vec::new(); conversations.len()];
    for (conversation, question) in order.into_iter().filter_map(|place| places.get(place)) {
        if let Some(questions) = drawn.get_mut(*conversation) {
            questions.push(*question);
        }
    }
    drawn
}

async fn answer(options: &AnswerOptions, asked: &mut [Asked]) -> Result<(), BenchError> {
    let mut answering = Answering::start(options).await?;
    // One arm after the other, so that prompts which begin alike follow each other.
    for (arm, asked_as) in options.arms().iter().enumerate() {
        let mut progress = Progress::begin(format!("answering, {}", asked_as.name()), asked.len());
        for one in asked.iter_mut() {
            if let Some((prompt, answer)) = one.prompts.get_mut(arm) {
                *answer = Some(answering.answer(&prompt.messages).await?);
            }
            progress.advance(1);
        }
    }
    answering.end().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::{conversation, question};

    #[test]
    fn the_same_questions_are_drawn_each_time_and_those_without_an_answer_never() {
        let chat = |name: &str, count: usize| {
            let mut chat = conversation(name, &[("user", "x")]);
            chat.questions =
                (0..count).map(|number| Question { answer: "yes".into(), ..question(&[number]) }).collect();
            chat.questions.push(question(&[99]));
            chat
        };
        let chats = [chat("a", 5), chat("b", 7)];
        let all = drawn(&chats, 100);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [5, 7]);
        let some = drawn(&chats, 6);
        assert_eq!(some.iter().map(Vec::len).sum::<usize>(), 6);
        assert_eq!(some, drawn(&chats, 6));
        assert!(some.iter().flatten().is_sorted_by_key(|question| question.text.len()));
    }
}
