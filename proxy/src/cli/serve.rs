//! `mainpoint serve`: starts the proxy, or only checks that it could start.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, ConfigOption, check};
use crate::config::{Mode, Overrides, Secrets};
use crate::{app, models};

/// How the command is used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  mainpoint serve --upstream https://api.openai.com/v1
  mainpoint serve --config config.toml --check

Without an upstream a small model of ours answers (models.chat), which is meant for trying things out. The options --listen,
--upstream, --data-dir and --budget take the place of server.listen, upstream.url, store.directory and memory.budget_tokens.";

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Only say whether the configuration, the models and the store are in order; loads and changes nothing.
    #[arg(long)]
    check: bool,
    /// First download the models that are needed and missing.
    #[arg(long)]
    fetch: bool,
    /// Address to listen on, such as 127.0.0.1:8787; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where requests are forwarded to, with its version, such as https://api.openai.com/v1; `embedded` lets models.chat answer.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Directory of the store, where the memories lie.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Most tokens of a forwarded prompt; longer ones are rewritten.
    #[arg(long, value_name = "TOKENS")]
    budget: Option<i64>,
}

pub(super) async fn run(arguments: ServeArguments) -> Result<(), CliError> {
    let ServeArguments { config: option, check, fetch, listen, upstream, data_dir, budget } = arguments;
    let config = option.load_with(&Overrides { listen, upstream, data_dir, budget }, Secrets::Read)?;
    app::check_upstream(&config).await?;
    let relays_only = config.memory.mode == Mode::Off && config.upstream.url.is_some();
    if fetch && !relays_only {
        super::models::fetch(&config, &[]).await?;
    }
    if check {
        return check::run(&config, option.file()).await;
    }
    let paths = if relays_only {
        models::paths(&config.models)
    } else if config.upstream.url.is_none() {
        models::resolve_with_chat(&config.models)?
    } else {
        models::resolve(&config.models)?
    };
    app::run(config, paths).await?;
    Ok(())
}
