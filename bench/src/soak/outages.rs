//! An upstream that breaks off now and then, as a crash breaks it off, and comes again on the same port.
//!
//! It runs in a runtime of its own, with which its listener and its connections end, whatever they are at.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainpoint_tests::ScriptedUpstream;
use tokio::runtime::{Builder, Runtime};

use super::answers::script;
use crate::{BenchError, Failing};

/// Whether the upstream is there: even while it is, odd while it is not.
#[derive(Debug, Default)]
pub(super) struct Epoch(AtomicUsize);

#[derive(Debug)]
pub(super) struct Fragile {
    own: Own,
    pub(super) upstream: ScriptedUpstream,
}

/// A runtime that may end anywhere: none may be waited for where another runs.
#[derive(Debug)]
struct Own(Option<Runtime>);

/// Shortest and longest time in which the upstream is not there, in milliseconds.
const DOWN_MS: std::ops::Range<u64> = 500..3000;
/// How long its connections may take to end.
const END: Duration = Duration::from_secs(5);
const FAILED: &str = "the upstream cannot be started";

impl Epoch {
    pub(super) fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Whether it was there all the time since another moment.
    pub(super) fn is_whole_since(&self, other: usize) -> bool {
        other.is_multiple_of(2) && self.now() == other
    }

    /// How often it broke off.
    pub(super) fn outages(&self) -> usize {
        self.now().div_ceil(2)
    }

    fn turn(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Fragile {
    /// Starts on this port; 0 lets the machine choose.
    pub(super) async fn start(port: u16) -> Result<Self, BenchError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().because(FAILED)?;
        let starting = runtime.spawn(ScriptedUpstream::start_on(port));
        let own = Own(Some(runtime));
        let upstream = starting.await.because(FAILED)?;
        script(&upstream);
        Ok(Self { own, upstream })
    }

    /// Breaks off and comes again, without end.
    pub(super) async fn go_on(
        mut self,
        epoch: &Epoch,
        mut random: fastrand::Rng,
        up_ms: std::ops::Range<u64>,
    ) -> Result<(), BenchError> {
        loop {
            tokio::time::sleep(Duration::from_millis(random.u64(up_ms.clone()))).await;
            epoch.turn();
            let port = self.upstream.port();
            let runtime = self.own.0.take();
            let ending = tokio::task::spawn_blocking(move || {
                if let Some(runtime) = runtime {
                    runtime.shutdown_timeout(END);
                }
            });
            ending.await.because("the upstream does not end")?;
            tokio::time::sleep(Duration::from_millis(random.u64(DOWN_MS))).await;
            self = Self::start(port).await?;
            epoch.turn();
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::running::{CHAT, Door};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_breaks_off_and_comes_again_on_the_same_port() {
        let fragile = Fragile::start(0).await.unwrap();
        let door = Door::at(&format!("127.0.0.1:{}", fragile.upstream.port()));
        let asked = || door.send(Method::POST, CHAT, "k", r#"{"messages":[{"role":"user","content":"a"}]}"#.to_owned());
        assert!(asked().await.is_some_and(|heard| heard.status == 200));
        let epoch = Epoch::default();
        let going_on = fragile.go_on(&epoch, fastrand::Rng::with_seed(1), 300..301);
        let watching = async {
            while epoch.outages() < 1 {
                tokio::task::yield_now().await;
            }
            while asked().await.is_none_or(|heard| heard.status != 200) {}
        };
        tokio::select! {
            result = going_on => result.unwrap(),
            () = watching => {}
        }
        assert!(epoch.outages() >= 1 && epoch.is_whole_since(epoch.now()) == epoch.now().is_multiple_of(2));
    }
}
