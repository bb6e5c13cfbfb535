//! A disk that can be full.
//!
//! Responsible for: filling and freeing it.
//!
//! A file system in memory where one may be mounted; else a limit on how large this process may make a file, which is why
//! each test that uses it needs a process of its own (as cargo-nextest gives it).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// The signal of a write beyond the limit, which ends a process that has not asked for it.
const SIGXFSZ: i32 = 25;
const SIZE: &str = "size=24m";

pub(crate) struct Disk {
    directory: TempDir,
    is_mounted: bool,
}

impl Disk {
    /// An empty one. Within a Tokio runtime.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let is_mounted = Self::mount(&["-t", "tmpfs", "-o", SIZE, "tmpfs"], directory.path());
        if !is_mounted {
            ignore_limits();
        }
        Self { directory, is_mounted }
    }

    /// Whether it is a file system of its own, so that removing a file makes room for another one. Else a limit on the size of
    /// files stands for it: nothing at all can be written, not even over what is there.
    pub(crate) fn is_mounted(&self) -> bool {
        self.is_mounted
    }

    /// Where a store may be.
    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// From now on nothing more can be written.
    pub(crate) fn fill(&self) {
        if !self.is_mounted {
            return Self::limit("0");
        }
        let mut filler = File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![7; size];
            while filler.write_all(&block).is_ok() {}
        }
    }

    /// There is space again.
    pub(crate) fn free(&self) {
        if self.is_mounted {
            fs::remove_file(self.filler()).unwrap();
        } else {
            Self::limit("unlimited");
        }
    }

    fn filler(&self) -> PathBuf {
        self.directory.path().join("filler")
    }

    fn mount(options: &[&str], path: &Path) -> bool {
        let mounted = Command::new("mount").args(options).arg(path).output();
        mounted.is_ok_and(|mounted| mounted.status.success())
    }

    fn limit(size: &str) {
        let limited = Command::new("prlimit")
            .args(["--pid", &std::process::id().to_string(), &format!("--fsize={size}:unlimited")])
            .status();
        assert!(limited.unwrap().success(), "neither a mount nor a limit is possible here");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
        } else {
            Self::limit("unlimited");
        }
    }
}

/// Directories in which no file can be made, until it is dropped.
pub(crate) struct Frozen {
    directories: Vec<PathBuf>,
    is_limited: bool,
}

impl Frozen {
    /// By the attribute of the file system, which holds for the superuser as well, or by permissions; where neither is possible
    /// no file can be written at all.
    pub(crate) fn new(directories: Vec<PathBuf>) -> Self {
        Self::change(&directories, "+i", "u-w");
        let is_open = |directory: &PathBuf| {
            let probe = directory.join("probe");
            let created = File::create(&probe).is_ok();
            let _ = fs::remove_file(probe);
            created
        };
        let is_limited = directories.iter().any(is_open);
        if is_limited {
            ignore_limits();
            Disk::limit("0");
        }
        Self { directories, is_limited }
    }

    fn change(directories: &[PathBuf], attribute: &str, permission: &str) {
        for (program, how) in [("chattr", attribute), ("chmod", permission)] {
            let _ = Command::new(program).arg(how).args(directories).output();
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        Self::change(&self.directories, "-i", "u+w");
        if self.is_limited {
            Disk::limit("unlimited");
        }
    }
}

/// Lets this process go on when it writes beyond the limit.
fn ignore_limits() {
    let mut beyond = signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    tokio::spawn(async move { while beyond.recv().await.is_some() {} });
}
