//! The command line of `demo`.
//!
//! It must not know how anything is measured.

use clap::Args;
use mainpoint_bench::demo::{DemoOptions, Upstream};
use mainpoint_bench::locate;

/// What is played.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
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

impl From<DemoArguments> for DemoOptions {
    fn from(arguments: DemoArguments) -> Self {
        let upstream = match arguments.upstream {
            Some(url) => Upstream::Remote(url),
            None if arguments.embedded => Upstream::Embedded,
            None => Upstream::Scripted,
        };
        Self {
            turns: usize::from(arguments.turns),
            budget: arguments.budget,
            upstream,
            model: arguments.model,
            program: locate::mainpoint(),
        }
    }
}
