//! The Python interpreter that has the official `openai` package and the other libraries of clients.

use std::path::PathBuf;
use std::process::Command;

use crate::binary::{self, Finished};
use crate::checkout;

/// Names the interpreter.
const VARIABLE: &str = "MAINPOINT_TEST_PYTHON";

/// Runs a script of `tests/python` with `input` on its standard input.
///
/// # Panics
/// When there is no interpreter or the script does not end in time.
#[must_use]
pub fn run(script: &str, arguments: &[&str], input: &[u8]) -> Finished {
    binary::finish(command(script, arguments), input)
}

/// A command that runs a script of `tests/python`.
///
/// # Panics
/// When there is no interpreter.
#[must_use]
pub fn command(script: &str, arguments: &[&str]) -> Command {
    let path = checkout::root().join("tests/python").join(script);
    let mut command = Command::new(interpreter());
    command.arg(path).args(arguments);
    // The script talks to loopback only, whatever the machine's settings say about proxies.
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    for name in ["LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"] {
        command.env_remove(name);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn interpreter() -> PathBuf {
    let path = std::env::var_os(VARIABLE).map(PathBuf::from).filter(|path| path.is_file());
    path.unwrap_or_else(|| {
        panic!(
            "{VARIABLE} names no Python interpreter with the packages of tests/python/requirements.txt: \
             run `make test`, which sets one up"
        )
    })
}
