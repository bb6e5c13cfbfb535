//! `mainpoint mcp`: a memory as tools for a model, over the Model Context Protocol on standard input and output.
//!
//! Nothing but the protocol may go to standard output; logs go to standard error.

use std::sync::Arc;

use clap::Args;
use rmcp::model::Extensions;
use rmcp::service::QuitReason;
use serde_json::Value;

use super::{Memory, MemoryArguments};
use crate::cli::CliError;
use crate::mcp::{Ask, MemoryServer, Reach, Source};
use crate::telemetry::logs;

/// How the command is used, as `--help` shows it.
pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  MY_KEY=sk-… mainpoint mcp --url http://127.0.0.1:8787 --key-env MY_KEY
  mainpoint mcp --data-dir /var/lib/mainpoint

A program that uses models starts it, and speaks to it over standard input and output; it ends when its input ends. With
--url a running proxy is asked. Without it the store is opened, and no proxy can run on it meanwhile. Whose memory it is say
the key and the headers of the application, or --scope, as for `mainpoint list`. A running proxy has the same tools at
/mainpoint/mcp, without this command.";

#[derive(Debug, Args)]
pub(in crate::cli) struct McpArguments {
    #[command(flatten)]
    memory: MemoryArguments,
}

pub(in crate::cli) async fn run(arguments: McpArguments) -> Result<(), CliError> {
    let config = arguments.memory.configuration()?;
    logs::start(&config.log)?;
    let memory = Arc::new(arguments.memory.open_as(&config).await?);
    let served = serve(MemoryServer::new(Arc::clone(&memory))).await;
    if let Memory::Local(memory) = &*memory {
        memory.close().await?;
    }
    served
}

/// Serves the client at standard input and output until it has gone.
async fn serve(server: MemoryServer<Memory>) -> Result<(), CliError> {
    let broken = |reason: String| CliError::McpClient { reason };
    let service = rmcp::serve_server(server, rmcp::transport::stdio()).await;
    let service = service.map_err(|error| broken(error.to_string()))?;
    match service.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(broken(error.to_string())),
        Ok(_) => Ok(()),
    }
}

/// One memory was chosen when the command was typed.
impl Source for Memory {
    fn reach(&self, _: &Extensions) -> Reach {
        Reach::Own
    }

    async fn answer(&self, ask: Ask, _: Option<String>, _: &Extensions) -> Result<Value, String> {
        let answered = match self {
            Self::Remote(memory) => memory.answer(&ask).await,
            Self::Local(memory) => memory.answer(ask).await,
        };
        answered.map_err(|error| match error {
            // The address of a proxy says nothing to a model.
            CliError::Refused { message, .. } => message,
            error => {
                tracing::warn!(error = %error, "a tool failed");
                error.to_string()
            }
        })
    }
}
