//! The built `mainpoint` binary: where it is, and running it to its end.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::deadline::poll;

/// How long a run may take. Loading the models on a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit status; -1 when a signal ended the program.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Everything the program said.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The run, when it went well.
    ///
    /// # Panics
    /// When the exit status is not 0.
    pub fn successful(self) -> Self {
        assert_eq!(self.code, 0, "the program failed; it said:\n{}", self.said());
        self
    }
}

/// The binary: `MAINPOINT_BIN`, else the one in the target directory this test or this benchmark was built in.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("MAINPOINT_BIN") {
        return PathBuf::from(path);
    }
    let own = std::env::current_exe().expect("the path of this program");
    // A test lies in TARGET/PROFILE/deps, a benchmark in TARGET/PROFILE.
    let folders = own.ancestors().skip(1).take(2);
    let mut candidates = folders.map(|folder| folder.join("mainpoint"));
    let binary = candidates.find(|binary| binary.is_file());
    binary.unwrap_or_else(|| panic!("mainpoint is not built beside {}: run `make build`", own.display()))
}

/// A command that starts the binary, without anything of the caller's terminal.
#[must_use]
pub fn command() -> Command {
    detached(Command::new(path()))
}

/// A command that starts the binary such that it can open `most` files.
pub(crate) fn command_with_files(most: usize) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$1\" && shift && exec \"$0\" \"$@\""]).arg(path()).arg(most.to_string());
    detached(command)
}

/// A command that starts the binary, under any path, with a socket as a service manager passes it on.
pub(crate) fn command_with_socket(program: &Path, socket: OwnedFd) -> Command {
    let mut command = detached(Command::new("sh"));
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 && export LISTEN_PID LISTEN_FDS && exec \"$0\" \"$@\" 3<&0 </dev/null";
    command.args(["-c", script]).arg(program).stdin(Stdio::from(socket));
    command
}

pub(crate) fn detached(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary with these arguments to its end.
///
/// # Panics
/// When it cannot be started or does not end in time.
#[must_use]
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Finished {
    let mut command = command();
    command.args(arguments);
    finish(command, &[])
}

/// Runs a prepared command to its end, with `input` on its standard input.
///
/// # Panics
/// When it cannot be started or does not end in time.
#[must_use]
pub fn finish(mut command: Command, input: &[u8]) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end(command, input)
}

/// Runs the binary with these arguments to its end, with a socket as a service manager passes it on.
///
/// # Panics
/// When it cannot be started or does not end in time.
#[must_use]
pub fn run_with_socket(socket: OwnedFd, arguments: &[&str]) -> Finished {
    let mut command = command_with_socket(&path(), socket);
    command.args(arguments);
    end(command, &[])
}

fn end(mut command: Command, input: &[u8]) -> Finished {
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that refuses its arguments does not read its input; that is no failure of the test.
        let _ = stdin.write_all(input);
    }
    let code = wait(&mut child, PATIENCE);
    let text = |thread: std::thread::JoinHandle<String>| thread.join().expect("the output is read");
    let (stdout, stderr) = (text(stdout), text(stderr));
    let code =
        code.unwrap_or_else(|| panic!("{command:?} did not end within {PATIENCE:?}; it said:\n{stdout}{stderr}"));
    Finished { code, stdout, stderr }
}

/// Waits for the end of `child`, and ends it after `limit`; the status is -1 for a signal and `None` for the limit.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<i32> {
    let status = poll(limit, || child.try_wait().ok().flatten());
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    status.map(|status| status.code().unwrap_or(-1))
}

/// Asks a process to end in good order.
pub(crate) fn terminate(process: u32) {
    signal(process, "TERM");
}

/// Sends a signal to a process; whether there is one.
pub fn signal(process: u32, name: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", "kill -\"$1\" \"$0\" 2>/dev/null", &process.to_string(), name]);
    command.status().is_ok_and(|status| status.success())
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
