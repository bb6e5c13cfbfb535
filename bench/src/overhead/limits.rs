//! How many files this process and those that it starts may have open, raised as far as is allowed.
//!
//! It must not know what the files are for.

use std::process::Stdio;

use tokio::process::Command;

/// Enough for thousands of connections.
const WANTED: u64 = 65_536;

/// Raises the soft limit of open files towards the hard one and says what it is now. Where that does not work, what
/// holds already is what can be used.
pub(super) async fn raise_open_files() -> u64 {
    if let Some((soft, hard)) = limits().filter(|(soft, hard)| soft < hard && *soft < WANTED) {
        // The standard library cannot change limits; this tool is part of util-linux.
        let raised = Command::new("prlimit")
            .arg(format!("--pid={}", std::process::id()))
            .arg(format!("--nofile={}:", hard.min(WANTED)))
            .stdin(Stdio::null())
            .status()
            .await;
        if !raised.is_ok_and(|status| status.success()) {
            anstream::eprintln!("The limit of open files stays at {soft}: prlimit could not raise it.");
        }
    }
    limits().map_or(DEFAULT, |(soft, _)| soft)
}

/// What systems allow that say nothing.
const DEFAULT: u64 = 1024;

fn limits() -> Option<(u64, u64)> {
    parse(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// The soft and the hard limit of open files.
fn parse(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some((words.next()??, words.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_are_found() {
        let text = "Limit     Soft Limit   Hard Limit   Units\nMax processes  1  2  processes\n\
            Max open files            1024                 unlimited            files\n";
        assert_eq!(parse(text), Some((1024, u64::MAX)));
        assert_eq!(parse("Max open files some none"), None);
        assert_eq!(parse(""), None);
    }
}
