//! An upgrade without a pause: on SIGUSR2 the program file is started anew with the listening socket, and once the new process serves
//! this one has been succeeded. Until then, and if the new one fails, this one goes on.

use std::env;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::signal::unix::Signal;

use super::inheritance::{PREDECESSOR, own_number, tell_manager};

/// Ready when another process serves on the socket of `listener`, for which a signal of `upgrades` asks.
pub(super) async fn succession(listener: OwnedFd, mut upgrades: Signal) {
    while upgrades.recv().await.is_some() {
        match succeed(&listener).await {
            Ok(process) => {
                tracing::info!(process, "another process serves from now on");
                if let Err(error) = tell_manager(&format!("MAINPID={process}")) {
                    tracing::warn!(error = %error, "the service manager could not be told of the other process");
                }
                return;
            }
            Err(error) => tracing::error!(error = %error, "the upgrade failed; this process goes on"),
        }
    }
    std::future::pending::<()>().await;
}

/// A program that is ended when this is dropped, unless it serves.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It has ended by itself otherwise.
            let _ = child.start_kill();
        }
    }
}

/// Starts the program as this process was started, and gives the number of its process when it serves.
async fn succeed(listener: &OwnedFd) -> io::Result<u32> {
    if own_number() == "1" {
        return Err(io::Error::other(
            "the first process of a container is the last one, too: start the new version beside it",
        ));
    }
    let (near, far) = UnixStream::pair()?;
    let mut child = Starting(Some(start(listener, far)?));
    let Some(process) = &mut child.0 else { return Err(io::ErrorKind::NotFound.into()) };
    near.set_nonblocking(true)?;
    let mut near = tokio::net::UnixStream::from_std(near)?;
    tokio::select! {
        Ok(_) = near.read_u8() => {}
        ended = process.wait() => {
            return Err(io::Error::other(format!("the new process ended before it served ({})", ended?)));
        }
        () = tokio::time::sleep(LONGEST) => {
            return Err(io::Error::other(format!("the new process did not serve within {} s", LONGEST.as_secs())));
        }
    }
    let number = process.id().unwrap_or_default();
    child.0 = None;
    Ok(number)
}

/// The same program with the same arguments, as the system finds it now. Its standard input is the line on which it says that it serves.
fn start(listener: &OwnedFd, line: UnixStream) -> io::Result<Child> {
    let mut arguments = env::args_os();
    let program = arguments.next().ok_or_else(|| io::Error::other("the program has no name"))?;
    // Only this copy is inherited, and it is closed here at once.
    let socket = listener.as_fd().try_clone_to_owned()?;
    fcntl_setfd(&socket, FdFlags::empty())?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::from(OwnedFd::from(line)));
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string());
    command.env_remove("LISTEN_PID").env_remove("LISTEN_FDNAMES").env(PREDECESSOR, own_number());
    command.spawn()
}

/// So long a new process may take to load its models and serve.
const LONGEST: Duration = Duration::from_secs(600);
