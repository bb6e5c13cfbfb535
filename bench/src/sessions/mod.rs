//! `mainpoint-bench sessions`: whether a new chat is answered from what was said in earlier ones.
//!
//! Question: does the evidence for a question that opens a new chat stand in its prompt, when what was said lies in earlier chats of
//! the same caller, is the memory silent where the chat opens with small talk, and does the newer of two facts come first? Method:
//! each session of a data set is imported as a conversation of its own, with its time; each question is the only user message of
//! a new chat, sent through the started proxy with `memory.recall = "caller"` and within the budget, and the prompt that arrives is
//! looked at. What is asked is written to the tables later than any question is put, so that no question finds another one.
//! Baseline: the figures of an earlier build.

mod asking;
mod judging;
mod report;

use std::path::PathBuf;

use clap::Args;

use self::judging::Judged;
use crate::data::{self, DataSet};
use crate::filled::PlayOptions;
use crate::report::Report;
use crate::{BenchError, locate};

/// What is asked, and of which chats.
#[derive(Debug, Clone, Args)]
pub struct SessionOptions {
    /// Files of LoCoMo or LongMemEval, or directories of BEAM chats; default: LoCoMo, LongMemEval, and chats of ours in which facts
    /// change.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    data: Vec<PathBuf>,
    /// Conversations, of --data, instead of those that nothing was chosen on.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "data")]
    conversations: Vec<String>,
    /// Most questions of each data set; of more, so many are drawn with a fixed seed.
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u16).range(1..))]
    questions: u16,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    #[command(flatten)]
    play: PlayOptions,
}

/// Everything that came of one data set.
#[derive(Debug, Default)]
struct Played {
    judged: Vec<Judged>,
    /// For each chat that opens with small talk, whether no memories were added.
    silent: Vec<bool>,
}

/// Asks every question, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data or files, and of the memory while it is asked.
pub async fn run(options: &SessionOptions) -> Result<(), BenchError> {
    let (mut report, mut benches) = (Report::default(), Vec::new());
    for set in options.sets()? {
        let bench = data::bench(format!("sessions-{}", set.name()), &options.conversations);
        let conversations = data::reported(set.kind, set.conversations, &options.conversations)?;
        let drawn = data::drawn(&conversations, options.questions.into(), |_| true);
        let mut played = Played::default();
        for (conversation, questions) in conversations.iter().zip(&drawn) {
            asking::ask(options, conversation, questions, &mut played).await?;
        }
        report.rows.extend(report::rows(&bench, options.memory_tokens(), &played));
        benches.push(bench);
    }
    report::tables(&mut report, options, &benches);
    report.publish(&options.play.out, "sessions", "Sessions", "sessions.jsonl")
}

/// Most tokens of the memories for one question, unless it is set.
const MEMORY_TOKENS: &str = "400";

impl SessionOptions {
    fn sets(&self) -> Result<Vec<DataSet>, BenchError> {
        if !self.data.is_empty() {
            return self.data.iter().map(|path| data::load(path)).collect();
        }
        Ok(vec![data::load(&locate::locomo())?, data::load(&locate::longmemeval())?, data::updates()?])
    }

    /// Most tokens of the memories for one question, as the configuration has them.
    fn memory_tokens(&self) -> &str {
        let set = self.play.settings.iter().rev().find(|(key, _)| key == "memory.memory_tokens");
        set.map_or(MEMORY_TOKENS, |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filled::tests::parsed;

    #[test]
    fn memories_have_400_tokens_unless_they_are_set() {
        assert_eq!(parsed::<SessionOptions>(&[]).memory_tokens(), "400");
        let set = ["--set", "memory.memory_tokens=90", "--set", "memory.memory_tokens = 200"];
        assert_eq!(parsed::<SessionOptions>(&set).memory_tokens(), "200");
    }
}
