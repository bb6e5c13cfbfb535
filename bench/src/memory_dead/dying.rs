//! How parts of the memory die under a running program.

use std::process::Stdio;
use std::time::Duration;

use mainpoint_tests::{StartedProxy, usage};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{BenchError, Failing};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// There is no memory.
    Off,
    /// Nothing dies.
    Healthy,
    /// A part is ended, as if it had failed.
    Stopped(&'static str),
    /// The thread of a part stands still, so that whoever asks it gets no answer.
    Frozen(&'static str),
    /// The store's directory is removed.
    Removed,
}

/// What keeps threads frozen, if anything does.
#[derive(Debug, Default)]
pub(super) struct Ice(Option<Child>);

/// The kernel keeps so many bytes of a thread's name.
const NAME_BYTES: usize = 15;
/// How long it may take until the threads stand still.
const PATIENCE: Duration = Duration::from_secs(10);
/// Stops threads as a debugger does, until its input ends. 0x4206 is PTRACE_SEIZE, 0x4207 PTRACE_INTERRUPT, 0x40000000 __WALL.
const FREEZE: &str = "
import ctypes, os, sys
ptrace = ctypes.CDLL(None).ptrace
ptrace.argtypes = [ctypes.c_long] * 4
for thread in map(int, sys.argv[1:]):
    if ptrace(0x4206, thread, 0, 0) or ptrace(0x4207, thread, 0, 0):
        sys.exit(1)
    os.waitpid(thread, 0x40000000)
print('frozen', flush=True)
sys.stdin.read()
";

impl Death {
    pub(super) const ALL: [Self; 8] = [
        Self::Off,
        Self::Healthy,
        Self::Stopped("reader"),
        Self::Stopped("questions"),
        Self::Stopped("store"),
        Self::Removed,
        Self::Frozen("reader"),
        Self::Frozen("questions"),
    ];

    /// Whether anything dies.
    pub(super) fn is_one(self) -> bool {
        !matches!(self, Self::Off | Self::Healthy)
    }

    pub(super) fn arm(self) -> String {
        match self {
            Self::Off => "mainpoint, memory off".to_owned(),
            Self::Healthy => "mainpoint, all alive".to_owned(),
            Self::Stopped(part) => format!("mainpoint, {part} stopped"),
            Self::Frozen(part) => format!("mainpoint, {part} frozen"),
            Self::Removed => "mainpoint, store removed".to_owned(),
        }
    }

    /// Lets the part die; nothing where the system does not let its thread be frozen.
    pub(super) async fn strike(self, proxy: &StartedProxy) -> Result<Option<Ice>, BenchError> {
        match self {
            Self::Off | Self::Healthy => {}
            Self::Stopped(part) => proxy.stop_part(part).await,
            Self::Frozen(part) => return freeze(proxy, part).await,
            Self::Removed => remove(proxy)?,
        }
        Ok(Some(Ice::default()))
    }
}

impl Ice {
    /// Lets the threads go on.
    pub(super) async fn melt(self) {
        if let Some(mut child) = self.0 {
            drop(child.stdin.take());
            // Threads go on when who stopped them is gone, however it went.
            let _ = child.wait().await;
        }
    }
}

/// Removes the directory, again where the program has put something into it meanwhile.
fn remove(proxy: &StartedProxy) -> Result<(), BenchError> {
    let directory = proxy.home().data();
    let mut removed = std::fs::remove_dir_all(&directory);
    for _ in 0..3 {
        if removed.is_err() && directory.exists() {
            removed = std::fs::remove_dir_all(&directory);
        }
    }
    removed.because(format!("{} cannot be removed", directory.display()))
}

async fn freeze(proxy: &StartedProxy, part: &str) -> Result<Option<Ice>, BenchError> {
    let name: String = format!("mainpoint-{part}").chars().take(NAME_BYTES).collect();
    let threads = usage::threads(proxy.process_id()).into_iter().filter(|(_, thread)| *thread == name);
    let numbers: Vec<String> = threads.map(|(number, _)| number.to_string()).collect();
    if numbers.is_empty() {
        return Err(BenchError::program("mainpoint", format!("it has no thread {name}")));
    }
    let mut command = Command::new("python3");
    command.args(["-c", FREEZE]).args(numbers).kill_on_drop(true);
    let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else { return Ok(None) };
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        // What cannot be read is no word that they stand still.
        let _ = tokio::time::timeout(PATIENCE, output.read_line(&mut line)).await;
    }
    Ok((line.trim() == "frozen").then(|| Ice(Some(child))))
}
