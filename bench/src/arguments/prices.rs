//! The command line of `prices`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mainpoint_bench::locate;
use mainpoint_bench::prompt_prices::{self, PriceOptions, Prices};

/// What is played, and what it costs.
#[derive(Debug, Args)]
pub(crate) struct PriceArguments {
    /// Directory of all data; default: MAINPOINT_DATA, else ../shared/data beside the repository.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Numbers of BEAM chats and names of LongMemEval haystacks.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = prompt_prices::CHATS)]
    chats: Vec<String>,
    /// Play only the first rounds of each chat, for a quick look.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    /// A key of the proxy's configuration, such as memory.low_water=0.4; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// What kind of provider charges.
    #[arg(long, value_enum, default_value = "openai")]
    prices: Provider,
    /// Price of a prompt's token that is never cached, in any unit.
    #[arg(long, value_name = "PRICE")]
    input: Option<f64>,
    /// Price of a token that is read from the cache.
    #[arg(long, value_name = "PRICE")]
    cache_read: Option<f64>,
    /// Price of a token that is written to the cache.
    #[arg(long, value_name = "PRICE")]
    cache_write: Option<f64>,
    /// Directory for prices.md, prices.jsonl and prices.svg; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Providers by what they charge for a prompt cache.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Provider {
    /// Reading costs a tenth of input, writing nothing extra.
    #[value(name = "openai")]
    OpenAi,
    /// Reading costs a tenth of input, writing a quarter more than input.
    Anthropic,
}

impl From<PriceArguments> for PriceOptions {
    fn from(arguments: PriceArguments) -> Self {
        let listed = match arguments.prices {
            Provider::OpenAi => Prices::OPENAI,
            Provider::Anthropic => Prices::ANTHROPIC,
        };
        Self {
            data: arguments.data.unwrap_or_else(locate::data),
            chats: arguments.chats,
            rounds: arguments.rounds.map(usize::from),
            budget: arguments.budget,
            prices: Prices {
                input: arguments.input.unwrap_or(listed.input),
                cache_read: arguments.cache_read.unwrap_or(listed.cache_read),
                cache_write: arguments.cache_write.unwrap_or(listed.cache_write),
            },
            settings: arguments.settings,
            program: locate::mainpoint(),
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        }
    }
}

/// A key and a value with `=` between them; the value is written as TOML writes it.
fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, such as memory.low_water=0.4")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
