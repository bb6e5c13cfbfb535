//! The proxies that are compared, running side by side.
//!
//! A proxy of others that is not there is left out.

use std::time::Duration;

use mainpoint_tests::{ProxyBuilder, StartedProxy, usage};

use super::arm::Arm;
use super::bodies::Size;
use super::destination::{self, Destination};
use super::others;
use super::process::{Place, Process};
use crate::BenchError;
use crate::running::with;

/// A proxy that answers, or the upstream itself.
pub(super) struct Target {
    pub(super) arm: Arm,
    pub(super) destination: Destination,
    pub(super) version: String,
    running: Running,
}

/// What ends when a target ends.
enum Running {
    /// Nothing: somebody else ends it.
    Elsewhere,
    Process(Process),
    Mainpoint(StartedProxy),
}

/// Most tokens of a forwarded prompt: the conversation of 100,000 bytes has more and is rewritten.
pub(super) const BUDGET: u32 = 8000;
const ASK_PATIENCE: Duration = Duration::from_secs(60);

impl Target {
    /// No proxy: the upstream itself.
    pub(super) fn direct(upstream: &str) -> Self {
        let (arm, running) = (Arm::Direct, Running::Elsewhere);
        Self { arm, destination: Destination::at(upstream), version: String::new(), running }
    }

    /// mainpoint, with its memory on for [`Arm::Memory`] and else off, on a free port.
    pub(super) async fn mainpoint(place: &Place, arm: Arm) -> Self {
        let mode = if arm == Arm::Memory { "\"on\"" } else { "\"off\"" };
        let builder = ProxyBuilder::as_shipped().upstream(&place.upstream);
        let budget = BUDGET.to_string();
        let builder = with(builder, [("memory.mode", mode), ("memory.budget_tokens", &budget)]);
        let proxy = builder.start().await;
        let (destination, version) = (Destination::at(proxy.base_url()), env!("CARGO_PKG_VERSION").to_owned());
        Self { arm, destination, version, running: Running::Mainpoint(proxy) }
    }

    pub(super) async fn other(place: &Place, arm: Arm) -> Result<Self, BenchError> {
        let recipe = others::recipe(place, arm)?;
        let process = Process::start(arm.name(), &recipe, &place.directory).await?;
        Ok(Self { arm, destination: recipe.destination, version: recipe.version, running: Running::Process(process) })
    }

    /// Sends every body once, so that what can be read of them is.
    pub(super) async fn show_every_body(&self) -> Result<(), BenchError> {
        let client = destination::client(ASK_PATIENCE)?;
        for size in Size::ALL {
            self.destination.ask(&client, size).await?;
        }
        Ok(())
    }

    /// Waits until a memory has read everything; for anything else it is over at once.
    pub(super) async fn wait_until_read(&self) {
        if let (Arm::Memory, Running::Mainpoint(proxy)) = (self.arm, &self.running) {
            proxy.everything_read().await;
        }
    }

    /// The process whose tree is measured; none for no proxy.
    pub(super) fn process(&self) -> Option<u32> {
        match &self.running {
            Running::Elsewhere => None,
            Running::Process(process) => Some(process.id()),
            Running::Mainpoint(proxy) => Some(proxy.process_id()),
        }
    }

    /// Its memory now, in MiB; 0 for no proxy.
    pub(super) fn resident_mib(&self) -> f64 {
        self.process().map_or(0.0, |id| usage::of_tree(id).resident_mib)
    }

    pub(super) async fn end(self) {
        match self.running {
            Running::Elsewhere => {}
            Running::Process(process) => process.end().await,
            Running::Mainpoint(proxy) => drop(proxy.stop().await),
        }
    }
}
