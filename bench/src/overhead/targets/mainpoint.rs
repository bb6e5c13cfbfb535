//! mainpoint itself, with its memory off or on.
//!
//! It must not know what is measured.

use std::time::Duration;

use super::{Place, Running, Target};
use crate::BenchError;
use crate::overhead::arms::Arm;
use crate::overhead::bodies::{AUTHORIZATION, Size};
use crate::overhead::destination::{self, Destination};
use crate::running::client::{Caller, Client};
use crate::running::program::{Program, Settings};

/// What mainpoint does beside forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::overhead) enum Mode {
    /// Nothing: no model is loaded.
    Off,
    /// It reads every turn and rewrites prompts over their budget.
    On,
}

/// Most tokens of a forwarded prompt: the conversation of 100,000 bytes has more and is rewritten.
pub(in crate::overhead) const BUDGET: u32 = 8000;

const ASK_PATIENCE: Duration = Duration::from_secs(60);

impl Mode {
    fn arm(self) -> Arm {
        match self {
            Self::Off => Arm::Mainpoint,
            Self::On => Arm::Memory,
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::Off => "\"off\"",
            Self::On => "\"on\"",
        }
    }
}

/// Starts mainpoint on a free port.
///
/// # Errors
/// [`BenchError::Proxy`] if it does not listen.
pub(in crate::overhead) async fn start(place: &Place<'_>, mode: Mode) -> Result<Target, BenchError> {
    let settings = Settings {
        budget: BUDGET,
        overrides: vec![("memory.mode".to_owned(), mode.setting().to_owned())],
        data: None,
    };
    let program = Program::start(place.mainpoint, place.upstream, &settings).await?;
    Ok(Target {
        arm: mode.arm(),
        destination: Destination::at(program.url()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running: Running::Program(program),
    })
}

impl Target {
    /// Sends every body once, so that what can be read of them is.
    ///
    /// # Errors
    /// [`BenchError::Request`] or [`BenchError::Proxy`] if one is not answered.
    pub(in crate::overhead) async fn show_every_body(&self) -> Result<(), BenchError> {
        let client = destination::client(ASK_PATIENCE)?;
        for size in Size::ALL {
            self.destination.ask(&client, size).await?;
        }
        Ok(())
    }

    /// Waits until a memory has read everything; for anything else it is over at once.
    ///
    /// # Errors
    /// [`BenchError::Request`] or [`BenchError::Proxy`] if it does not get there.
    pub(in crate::overhead) async fn wait_until_read(&self) -> Result<(), BenchError> {
        let (Arm::Memory, Running::Program(program)) = (self.arm, &self.running) else {
            return Ok(());
        };
        let caller = Caller {
            key: AUTHORIZATION.strip_prefix("Bearer ").map(str::to_owned),
            ..Caller::default()
        };
        Client::new(caller, "")
            .wait_until_read(&program.beside("/metrics"))
            .await
    }
}
