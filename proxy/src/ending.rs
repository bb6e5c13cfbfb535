//! The promise of a stop: the process has ended so long after the last request could have, whatever its threads are doing.

use std::io;
use std::time::{Duration, Instant};

/// A stop that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    by: Instant,
}

impl Ending {
    /// A stop that begins now, in which requests may take `timeout`.
    pub(crate) fn begin(timeout: Duration) -> Self {
        Self { by: Instant::now() + timeout + OVERTIME }
    }

    /// The time that is left.
    pub(crate) fn left(self) -> Duration {
        self.by.saturating_duration_since(Instant::now())
    }

    /// Ends the process when the time is over, if it has not ended by then. What counts is on disk already: a turn that was
    /// being read is read after the next start.
    ///
    /// # Errors
    /// When the thread that waits for it cannot be started.
    pub(crate) fn enforce(self) -> io::Result<()> {
        let wait = move || {
            std::thread::sleep(self.left());
            tracing::warn!("a part of the process did not end in time; it is not waited for");
            std::process::exit(0);
        };
        std::thread::Builder::new().name("mainpoint-ending".to_owned()).spawn(wait).map(drop)
    }
}

/// The promise is two seconds; the rest is the system's, for taking the process apart.
const OVERTIME: Duration = Duration::from_millis(1700);
