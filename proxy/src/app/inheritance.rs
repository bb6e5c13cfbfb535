//! What a process gets from whoever started it: the listening socket, from a service manager or from the process that it takes over
//! from, and whom to tell that it serves.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::parent_id;
use std::{env, process};

use listenfd::ListenFd;

use super::own_address;
use crate::config::Config;
use crate::error::StartError;
use crate::server;

/// What the process was given.
#[derive(Debug)]
pub(super) struct Inheritance {
    listener: Option<TcpListener>,
    /// Leads to the process that this one takes over from.
    predecessor: Option<UnixStream>,
}

impl Inheritance {
    /// Looks what there is. This takes variables out of the environment, so that it comes before anything else runs.
    ///
    /// # Errors
    /// [`StartError::Inherited`].
    pub(super) fn find() -> Result<Self, StartError> {
        let failed = |source| StartError::Inherited { source };
        let mut sockets = ListenFd::from_env();
        if sockets.len() > 1 {
            return Err(failed(io::Error::other(format!("there are {}", sockets.len()))));
        }
        let listener = sockets.take_tcp_listener(0).map_err(failed)?;
        let process = env::var(PREDECESSOR).ok().and_then(|process| process.parse().ok());
        // The variable outlives the process that it names.
        let is_child = listener.is_some() && process == Some(parent_id());
        let line = is_child.then(|| io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from));
        Ok(Self { listener, predecessor: line.transpose().map_err(failed)? })
    }

    /// Whether another process serves until this one does, and may have the store open for longer.
    pub(super) fn has_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// The socket to listen on: the given one, whose address is that of the configuration from then on, or one that is bound now.
    ///
    /// # Errors
    /// When there is none, or its address does not go with the configuration.
    pub(super) async fn listen(&mut self, config: &mut Config) -> Result<tokio::net::TcpListener, StartError> {
        let Some(listener) = self.listener.take() else {
            return server::bind(config.server.listen).await;
        };
        let failed = |source| StartError::Inherited { source };
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tracing::info!(%address, configured = %config.server.listen, "the listening socket was passed on to this process");
        config.server.listen = address;
        if !config.server.is_local() && config.server.admin_token.is_none() {
            return Err(StartError::InheritedAddress { address });
        }
        own_address::check_upstream(config).await?;
        Ok(listener)
    }

    /// Tells whoever waits for it that this process serves.
    pub(super) fn serving(self) {
        let told = match self.predecessor {
            Some(mut line) => line.write_all(b"1"),
            None => tell_manager("READY=1"),
        };
        if let Err(error) = told {
            tracing::warn!(error = %error, "nobody could be told that this process serves");
        }
    }
}

/// Tells a service manager that waits for it (`NOTIFY_SOCKET`, as systemd has it) how the process is.
///
/// # Errors
/// When it cannot be told.
pub(super) fn tell_manager(state: &str) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    UnixDatagram::unbound()?.send_to(state.as_bytes(), path).map(drop)
}

/// The environment variable of a program that is to take over from the process of this number.
pub(super) const PREDECESSOR: &str = "MAINPOINT_PREDECESSOR";

/// What names this process to a program that takes over from it.
pub(super) fn own_number() -> String {
    process::id().to_string()
}
