//! When the process stops serving: on SIGTERM or SIGINT, or when another one has taken its place.

use std::os::fd::AsFd;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::succession::succession;
use crate::ending::Ending;
use crate::error::StartError;
use crate::server::Stop;

/// The signal that asks for an upgrade. It is listened for from the beginning, since it would end the process otherwise.
pub(super) fn upgrades() -> Result<Signal, StartError> {
    signal(SignalKind::user_defined2()).map_err(failed)
}

/// Ready when the process stops serving on `listener`; from then on requests may take `timeout`. A second signal ends it at once.
pub(super) fn leaving(
    listener: &TcpListener,
    upgrades: Signal,
    timeout: Duration,
) -> Result<impl Future<Output = (Stop, Ending)> + use<>, StartError> {
    let mut stops = Stops {
        terminate: signal(SignalKind::terminate()).map_err(failed)?,
        interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
    };
    let listener = listener.as_fd().try_clone_to_owned().map_err(failed)?;
    Ok(async move {
        let stop = tokio::select! {
            () = stops.next() => Stop::Alone,
            () = succession(listener, upgrades) => Stop::Succeeded,
        };
        let ending = Ending::begin(timeout);
        tracing::info!("stopping; a second signal stops at once");
        if let Err(error) = ending.enforce() {
            tracing::warn!(error = %error, "how long stopping takes cannot be limited");
        }
        tokio::spawn(async move {
            stops.next().await;
            tracing::warn!("stopped at once");
            std::process::exit(INTERRUPTED);
        });
        (stop, ending)
    })
}

struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn failed(source: std::io::Error) -> StartError {
    StartError::Process { operation: "listen for signals", source }
}

/// The customary exit code of a process that a signal ended.
const INTERRUPTED: i32 = 130;
