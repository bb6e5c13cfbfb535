//! The proxies that are compared, running side by side.
//!
//! It knows how each is started and nothing of what is measured. A proxy of others that is not there is left out.

mod gateway;
mod mainpoint;
mod nginx;
mod python;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

pub(super) use self::mainpoint::{BUDGET, Mode, start as start_mainpoint};
use super::arms::Arm;
use super::destination::Destination;
use super::process::{Process, Recipe};
use crate::BenchError;
use crate::running::program::Program;

/// A proxy that answers, or the upstream itself.
#[derive(Debug)]
pub(super) struct Target {
    /// Which one it is.
    pub(super) arm: Arm,
    /// Where it is asked.
    pub(super) destination: Destination,
    /// Which version it is.
    pub(super) version: String,
    running: Running,
}

/// What ends when a target ends.
#[derive(Debug)]
enum Running {
    /// Nothing: somebody else ends it.
    Elsewhere,
    Process(Process),
    Program(Program),
}

/// What the proxies are started with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The upstream's base URL, version included.
    pub(super) upstream: &'a str,
    /// The `mainpoint` program.
    pub(super) mainpoint: &'a Path,
    /// Where the proxies of others are installed.
    pub(super) installed: &'a Path,
    /// What the repository keeps about them.
    pub(super) pins: &'a Path,
    /// A directory for configuration and logs.
    pub(super) directory: &'a Path,
}

impl Target {
    /// No proxy: the upstream itself.
    #[must_use]
    pub(super) fn direct(upstream: &str) -> Self {
        Self {
            arm: Arm::Direct,
            destination: Destination::at(upstream),
            version: String::new(),
            running: Running::Elsewhere,
        }
    }

    /// The process whose tree is measured; none for no proxy.
    #[must_use]
    pub(super) fn process(&self) -> Option<u32> {
        match &self.running {
            Running::Elsewhere => None,
            Running::Process(process) => Some(process.id()),
            Running::Program(program) => program.id(),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if mainpoint does not end well.
    pub(super) async fn end(self) -> Result<(), BenchError> {
        match self.running {
            Running::Elsewhere => {}
            Running::Process(process) => process.end().await,
            Running::Program(program) => program.end().await?,
        }
        Ok(())
    }
}

/// Starts a proxy of others.
///
/// # Errors
/// [`BenchError::Program`] if it is not installed or does not answer.
pub(super) async fn start_other(place: &Place<'_>, arm: Arm) -> Result<Target, BenchError> {
    let recipe = match arm {
        Arm::Nginx => nginx::recipe(place)?,
        Arm::Portkey => gateway::recipe(place)?,
        Arm::LiteLlm => python::litellm(place)?,
        Arm::Headroom => python::headroom(place)?,
        Arm::Direct | Arm::Mainpoint | Arm::Memory => return Err(BenchError::program(arm.name(), "it is our own")),
    };
    let Recipe {
        destination, version, ..
    } = recipe.clone();
    let mut process = Process::start(arm.name(), &recipe, place.directory)?;
    process.wait_until_it_answers(&recipe).await?;
    Ok(Target {
        arm,
        destination,
        version,
        running: Running::Process(process),
    })
}

/// A port of the loopback interface that is free now.
fn free_port() -> Result<u16, BenchError> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let address = address.map_err(|error| BenchError::program("the benchmark", format!("no free port: {error}")))?;
    Ok(address.port())
}

/// The program in the search path, or where servers are.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let candidates = std::env::split_paths(&path).chain(servers);
    candidates
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

fn not_installed(arm: Arm) -> BenchError {
    BenchError::program(
        arm.name(),
        "it is not installed; scripts/install-load-tools.sh does that",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place where nothing is installed.
    pub(super) fn bare(directory: &Path) -> Place<'_> {
        Place {
            upstream: "http://127.0.0.1:4/v1",
            mainpoint: directory,
            installed: directory,
            pins: directory,
            directory,
        }
    }

    #[tokio::test]
    async fn what_is_not_installed_says_how_to_install_it() {
        let directory = std::env::temp_dir().join("mainpoint-bench-nothing-is-here");
        for arm in [Arm::Portkey, Arm::LiteLlm, Arm::Headroom] {
            let error = start_other(&bare(&directory), arm)
                .await
                .map(|_| ())
                .map_err(|error| error.to_string());
            let expected = format!(
                "{}: it is not installed; scripts/install-load-tools.sh does that",
                arm.name()
            );
            assert_eq!(error, Err(expected));
        }
    }
}
