//! How much is measured: rounds, seconds, connections, streams.
//!
//! It must not know what is measured with it.

use std::time::Duration;

use super::bodies::Size;

/// How much is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How often everything is measured; every proxy takes its turn in each round.
    pub rounds: usize,
    /// How long each body is sent at each number of connections, in seconds.
    pub seconds: u64,
    /// Connections that send at once.
    pub connections: Vec<u32>,
    /// The streams that every proxy passes on, once in each round.
    pub streams: Streams,
    /// Many slow streams at once, through mainpoint alone.
    pub slow: Streams,
}

/// Streams that run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// How many.
    pub count: u32,
    /// Chunks of each.
    pub chunks: u32,
    /// Between two chunks of one stream.
    pub pause: Duration,
}

impl Streams {
    /// How long a stream takes at least.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.pause * self.chunks.saturating_sub(1)
    }
}

impl Plan {
    /// About twelve minutes.
    #[must_use]
    pub fn full() -> Self {
        Self {
            rounds: 3,
            seconds: 3,
            connections: vec![1, 16, 128],
            streams: Streams {
                count: 8,
                chunks: 50,
                pause: Duration::from_millis(20),
            },
            slow: Streams {
                count: 1000,
                chunks: 21,
                pause: Duration::from_secs(1),
            },
        }
    }

    /// About two minutes: enough to see that everything runs, too little to rely on.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            rounds: 1,
            seconds: 1,
            connections: vec![1, 16],
            streams: Streams {
                chunks: 25,
                ..Self::full().streams
            },
            slow: Streams {
                chunks: 7,
                ..Self::full().slow
            },
        }
    }

    /// Every body at every number of connections.
    pub(super) fn cells(&self) -> impl Iterator<Item = (Size, u32)> + '_ {
        let sizes = Size::ALL.into_iter();
        sizes.flat_map(move |size| self.connections.iter().map(move |connections| (size, *connections)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_plans_hold_what_the_ratios_are_made_of() {
        for plan in [Plan::full(), Plan::quick()] {
            let cells: Vec<(Size, u32)> = plan.cells().collect();
            assert_eq!(cells.len(), 3 * plan.connections.len());
            assert!(cells.contains(&(Size::Small, 1)) && cells.contains(&(Size::Small, 16)));
        }
        assert_eq!(Plan::full().slow.length(), Duration::from_secs(20));
    }
}
