//! `mainpoint serve`: starts the proxy, or only checks that it could start.
//!
//! It must not know how the proxy works; it finds the configuration and the models and hands over.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{CliError, ConfigOption};
use crate::config::{Mode, Overrides};
use crate::{app, models};

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Only check the configuration and the models.
    #[arg(long)]
    check: bool,
    /// First download the models that are needed and missing.
    #[arg(long)]
    fetch: bool,
    /// Address to listen on, such as 127.0.0.1:8787; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Base URL of the upstream including its version, or `embedded`.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Directory of the store.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Most tokens of a forwarded prompt.
    #[arg(long, value_name = "TOKENS")]
    budget: Option<i64>,
}

pub(super) async fn run(arguments: ServeArguments) -> Result<(), CliError> {
    let ServeArguments { config, check, fetch, listen, upstream, data_dir, budget } = arguments;
    let config = config.load(&Overrides { listen, upstream, data_dir, budget })?;
    let relays_only = config.memory.mode == Mode::Off && config.upstream.url.is_some();
    if fetch && !relays_only {
        super::models::fetch(&config, &[]).await?;
    }
    let paths = if relays_only {
        models::paths(&config.models)
    } else if config.upstream.url.is_none() {
        models::resolve_with_chat(&config.models)?
    } else {
        models::resolve(&config.models)?
    };
    if check {
        app::check(&config)?;
        writeln!(anstream::stdout(), "The configuration is in order, and everything it names is there.")?;
        return Ok(());
    }
    app::run(config, paths).await?;
    Ok(())
}
