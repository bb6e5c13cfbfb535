//! The upstream and every proxy that can be had, running side by side.
//!
//! It must not know what is measured.

use std::path::Path;

use tempfile::TempDir;

use super::OverheadOptions;
use super::arms::Arm;
use super::targets::{Mode, Place, Target, start_mainpoint, start_other};
use super::upstream::Upstream;
use crate::BenchError;

/// What runs while something is measured. Everything ends when dropped.
#[derive(Debug)]
pub(super) struct Stage {
    // Targets are dropped before what they need.
    /// In the order of the tables.
    pub(super) targets: Vec<Target>,
    /// Why proxies are missing, a sentence each.
    pub(super) absent: Vec<String>,
    upstream: Upstream,
    directory: TempDir,
}

impl Stage {
    /// Starts everything and waits until it answers and mainpoint has read what it will be sent.
    ///
    /// # Errors
    /// Any failure of the upstream or of mainpoint. Other proxies that do not answer are left out.
    pub(super) async fn set(options: &OverheadOptions) -> Result<Self, BenchError> {
        let mut stage = Self {
            targets: Vec::new(),
            absent: Vec::new(),
            upstream: Upstream::start(&options.own_program).await?,
            directory: tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?,
        };
        stage.targets.push(Target::direct(stage.upstream.url()));
        anstream::println!("Starting {} …", options.mainpoint.display());
        for mode in [Mode::Off, Mode::On] {
            let target = start_mainpoint(&stage.place(options), mode).await?;
            target.show_every_body().await?;
            stage.targets.push(target);
        }
        for arm in [Arm::Nginx, Arm::Portkey, Arm::LiteLlm, Arm::Headroom] {
            anstream::println!("Starting {} …", arm.title());
            let started = start_other(&stage.place(options), arm).await;
            match started {
                Ok(target) => stage.targets.push(target),
                Err(error) => stage.leave_out(&error),
            }
        }
        stage.targets.sort_by_key(|target| target.arm);
        for target in &stage.targets {
            target.wait_until_read().await?;
        }
        Ok(stage)
    }

    /// What a further proxy would be started with.
    #[must_use]
    pub(super) fn place<'a>(&'a self, options: &'a OverheadOptions) -> Place<'a> {
        Place {
            upstream: self.upstream.url(),
            mainpoint: &options.mainpoint,
            installed: &options.installed,
            pins: &options.pins,
            directory: self.directory(),
        }
    }

    /// Ends every proxy, and leaves the upstream.
    ///
    /// # Errors
    /// [`BenchError::Proxy`] if mainpoint does not end well.
    pub(super) async fn end_targets(&mut self) -> Result<(), BenchError> {
        for target in self.targets.drain(..) {
            target.end().await?;
        }
        Ok(())
    }

    /// Ends the upstream, and every proxy that still runs.
    pub(super) async fn end(self) {
        drop(self.targets);
        self.upstream.end().await;
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn leave_out(&mut self, error: &BenchError) {
        let reason = error.with_causes();
        anstream::println!("Left out: {reason}");
        // The log behind the first line is for whoever watches.
        self.absent.extend(reason.lines().next().map(str::to_owned));
    }
}
