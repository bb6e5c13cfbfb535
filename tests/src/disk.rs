//! A disk that can be full, for the data of one proxy.
//!
//! A file system in memory where one may be mounted; else a limit on how large the process may make a file, which to it
//! looks the same.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::proxy::{Home, ProxyBuilder, StartedProxy};

/// Where a home's data directory is.
#[derive(Debug)]
pub struct SmallDisk {
    home: Arc<Home>,
    is_mounted: bool,
}

const SIZE: &str = "size=32m";

impl SmallDisk {
    /// An empty disk, below the data directory of a fresh home.
    ///
    /// # Panics
    /// When the directory cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let home = Home::new();
        fs::create_dir(home.data()).expect("a data directory");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(home.data()).output();
        let is_mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        Self { home, is_mounted }
    }

    /// A limit on how large a file may become, which to the proxy is a full disk, even where a file system can be mounted.
    #[must_use]
    pub fn limited() -> Self {
        Self { home: Home::new(), is_mounted: false }
    }

    /// The home whose data are on the disk.
    #[must_use]
    pub fn home(&self) -> Arc<Home> {
        Arc::clone(&self.home)
    }

    /// Whether it is a file system of its own, in which what is removed makes room for something else.
    #[must_use]
    pub fn is_mounted(&self) -> bool {
        self.is_mounted
    }

    /// A proxy with its data on the disk.
    #[must_use]
    pub fn proxy(&self) -> ProxyBuilder {
        StartedProxy::builder().home(&self.home)
    }

    /// From now on the proxy can write nothing more.
    ///
    /// # Panics
    /// When neither a mount nor a limit is possible.
    pub fn fill(&self, proxy: &StartedProxy) {
        if !self.is_mounted {
            return limit(proxy, "0");
        }
        self.fill_up();
    }

    /// From now on no process can write anything more, also none that is started later. Only where the disk is mounted.
    ///
    /// # Panics
    /// When it cannot be filled.
    pub fn fill_up(&self) {
        assert!(self.is_mounted, "a limit is set on a process that runs");
        let mut filler = File::create(self.filler()).expect("a file to fill the disk");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![7; size];
            while filler.write_all(&block).is_ok() {}
        }
    }

    /// There is space again.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn free(&self, proxy: &StartedProxy) {
        if self.is_mounted { self.empty() } else { limit(proxy, "unlimited") }
    }

    /// There is space again. Only where it is mounted.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn empty(&self) {
        fs::remove_file(self.filler()).expect("the filling is removed");
    }

    fn filler(&self) -> PathBuf {
        self.home.data().join("filler")
    }
}

impl Default for SmallDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg("-l").arg(self.home.data()).status();
        }
    }
}

fn limit(proxy: &StartedProxy, size: &str) {
    let limited = Command::new("prlimit")
        .args(["--pid", &proxy.process_id().to_string(), &format!("--fsize={size}:unlimited")])
        .status();
    let limited = limited.is_ok_and(|status| status.success());
    assert!(limited, "neither a mount nor a limit on files is possible here");
}
