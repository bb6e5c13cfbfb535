//! What was measured, and the figures that follow from it.
//!
//! It must not know how they are shown.

use std::collections::BTreeMap;

use super::arms::Arm;
use super::bodies::Size;
use super::figures::Spread;
use super::load::Counted;
use super::slow::Slow;
use super::streams::Seen;

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// The proxies that took part with their versions, in the order of the tables.
    pub(super) versions: BTreeMap<Arm, String>,
    /// Why others did not, a sentence each.
    pub(super) absent: Vec<String>,
    /// A measurement for each round.
    pub(super) cells: BTreeMap<Cell, Vec<Measured>>,
    /// What the readers of streams have seen, over all rounds.
    pub(super) streams: BTreeMap<Arm, Seen>,
    /// Memory before the load and after it, in MiB.
    pub(super) resident: BTreeMap<Arm, (f64, f64)>,
    /// Many slow streams.
    pub(super) slow: Option<Slow>,
}

/// One proxy under one load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    /// What is sent.
    pub(super) size: Size,
    /// Connections at once.
    pub(super) connections: u32,
    /// Through what.
    pub(super) arm: Arm,
}

/// What one round of a cell has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Measured {
    /// What the load tool has counted.
    pub(super) counted: Counted,
    /// Processor time of the proxy and its children in that time, in microseconds; none for no proxy.
    pub(super) processor_us: Option<f64>,
    /// The most memory in that time, in MiB; none for no proxy.
    pub(super) peak_mib: Option<f64>,
}

impl Measured {
    /// Latencies mean nothing without answers.
    fn p50_us(&self) -> Option<f64> {
        (self.counted.requests > 0.0).then_some(self.counted.p50_us)
    }
}

impl Results {
    /// Answers in a second.
    #[must_use]
    pub(super) fn per_second(&self, cell: Cell) -> Option<Spread> {
        Spread::of(self.rounds(cell).iter().map(|round| round.counted.per_second()))
    }

    /// Median latency in microseconds.
    #[must_use]
    pub(super) fn p50_us(&self, cell: Cell) -> Option<Spread> {
        Spread::of(self.rounds(cell).iter().filter_map(Measured::p50_us))
    }

    /// 99th percentile of the latency in microseconds.
    #[must_use]
    pub(super) fn p99_us(&self, cell: Cell) -> Option<Spread> {
        let answered = self.rounds(cell).iter().filter(|round| round.counted.requests > 0.0);
        Spread::of(answered.map(|round| round.counted.p99_us))
    }

    /// Median latency beyond that without a proxy in the same round, in microseconds.
    #[must_use]
    pub(super) fn added_p50_us(&self, cell: Cell) -> Option<Spread> {
        let direct = self.rounds(Cell {
            arm: Arm::Direct,
            ..cell
        });
        let pairs = self.rounds(cell).iter().zip(direct);
        Spread::of(pairs.filter_map(|(own, direct)| Some(own.p50_us()? - direct.p50_us()?)))
    }

    /// Processor time for each answer in microseconds.
    #[must_use]
    pub(super) fn processor_us(&self, cell: Cell) -> Option<Spread> {
        let answered = self.rounds(cell).iter().filter(|round| round.counted.requests > 0.0);
        Spread::of(answered.filter_map(|round| Some(round.processor_us? / round.counted.requests)))
    }

    /// The most memory in MiB.
    #[must_use]
    pub(super) fn peak_mib(&self, cell: Cell) -> Option<Spread> {
        Spread::of(self.rounds(cell).iter().filter_map(|round| round.peak_mib))
    }

    /// Requests that failed, over all rounds.
    #[must_use]
    pub(super) fn failures(&self, cell: Cell) -> f64 {
        self.rounds(cell).iter().map(|round| round.counted.failures).sum()
    }

    /// One arm's median figure beside another's under the same load. A divisor below `least` counts as `least`, the
    /// resolution of the figure.
    #[must_use]
    pub(super) fn ratio(
        &self,
        figure: impl Fn(&Self, Cell) -> Option<Spread>,
        (own, other): (Cell, Arm),
        least: f64,
    ) -> Option<f64> {
        let divisor = figure(self, Cell { arm: other, ..own })?.median.max(least);
        Some(figure(self, own)?.median / divisor)
    }

    fn rounds(&self, cell: Cell) -> &[Measured] {
        self.cells.get(&cell).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::plan::Plan;
    use super::super::slow::Memory;
    use super::super::streams::Percentiles;
    use super::*;

    const CELL: Cell = Cell {
        size: Size::Small,
        connections: 1,
        arm: Arm::Mainpoint,
    };

    fn measured(p50_us: f64, processor_us: f64) -> Measured {
        Measured {
            counted: Counted {
                requests: 100.0,
                seconds: 2.0,
                p50_us,
                p99_us: 3.0 * p50_us,
                failures: 1.0,
            },
            processor_us: Some(processor_us),
            peak_mib: Some(20.0),
        }
    }

    /// Two rounds of everything; no proxy takes 50 and 70 µs, nginx 30 µs more, mainpoint 60 µs, Portkey 90 µs.
    pub(in crate::overhead) fn results() -> Results {
        let mut results = Results::default();
        let arms = [
            (Arm::Direct, 0.0),
            (Arm::Nginx, 30.0),
            (Arm::Mainpoint, 60.0),
            (Arm::Portkey, 90.0),
        ];
        for (arm, more) in arms {
            results.versions.insert(arm, "1.2.3".to_owned());
            results.resident.insert(arm, (10.0, 25.0));
            for (size, connections) in Plan::quick().cells() {
                let rounds = [50.0, 70.0].map(|p50| measured(p50 + more, 1000.0 + 100.0 * more));
                let cell = Cell { size, connections, arm };
                results.cells.insert(cell, rounds.to_vec());
            }
            let seen = Seen {
                first_ms: vec![1.0, 2.0],
                delays_ms: vec![0.1, 0.2, 0.3],
            };
            results.streams.insert(arm, seen);
        }
        results.absent.push("litellm: it is not installed".to_owned());
        let percentiles = |p99_ms| Percentiles { p50_ms: 0.5, p99_ms };
        results.slow = Some(Slow {
            streams: Plan::quick().slow,
            direct: percentiles(2.0),
            through: percentiles(3.0),
            memory: Memory {
                idle_mib: 10.0,
                start_mib: 40.0,
                middle_mib: 41.0,
                end_mib: 42.0,
            },
        });
        results
    }

    fn median(spread: Option<Spread>) -> f64 {
        spread.map_or(f64::NAN, |spread| spread.median)
    }

    #[test]
    fn added_latency_is_that_beyond_the_same_round_without_a_proxy() {
        let results = results();
        assert!((median(results.added_p50_us(CELL)) - 60.0).abs() < 1e-9);
        assert!((median(results.p50_us(CELL)) - 120.0).abs() < 1e-9);
        assert!((median(results.per_second(CELL)) - 50.0).abs() < 1e-9);
        assert!((median(results.processor_us(CELL)) - 70.0).abs() < 1e-9);
        assert!((results.failures(CELL) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn ratios_compare_medians_and_divisors_are_never_below_the_resolution() {
        let results = results();
        let ratio = |own: Cell, other| {
            results
                .ratio(Results::added_p50_us, (own, other), 1.0)
                .unwrap_or(f64::NAN)
        };
        assert!((ratio(CELL, Arm::Nginx) - 2.0).abs() < 1e-9);
        // No proxy adds nothing to itself.
        assert!((ratio(CELL, Arm::Direct) - 60.0).abs() < 1e-9);
        assert!(ratio(CELL, Arm::LiteLlm).is_nan());
    }

    #[test]
    fn a_round_without_answers_has_no_latency() {
        let mut results = results();
        results
            .cells
            .insert(CELL, vec![Measured::default(), measured(130.0, 1000.0)]);
        assert!((median(results.added_p50_us(CELL)) - 60.0).abs() < 1e-9);
        results.cells.insert(CELL, vec![Measured::default()]);
        assert_eq!(results.p50_us(CELL), None);
        assert_eq!(results.processor_us(CELL), None);
    }
}
