//! What was measured of the proxies, as rows and tables.

use std::collections::BTreeMap;
use std::path::Path;

use super::arm::Arm;
use super::bodies::Size;
use super::load::Counted;
use super::streams::{SLOW_STREAMS, Seen};
use super::targets::BUDGET;
use super::{Plan, Streams};
use crate::BenchError;
use crate::report::{Report, Row, SPEED, Table, quantiles, table};
use crate::stats::Figure;

#[derive(Debug, Default)]
pub(super) struct Results {
    /// The proxies that took part with their versions, in the order of the tables.
    pub(super) versions: BTreeMap<Arm, String>,
    /// Why others did not, a sentence each.
    pub(super) absent: Vec<String>,
    pub(super) cells: BTreeMap<Cell, Vec<Measured>>,
    pub(super) streams: BTreeMap<Arm, Seen>,
    /// Memory before the load and after it, in MiB.
    pub(super) resident: BTreeMap<Arm, (f64, f64)>,
    pub(super) slow: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) size: Size,
    pub(super) connections: u32,
    pub(super) arm: Arm,
}

/// What one round of a cell has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Measured {
    pub(super) counted: Counted,
    /// Processor time of the proxy and its children in that time, in microseconds; none for no proxy.
    pub(super) processor_us: Option<f64>,
    /// The most memory in that time, in MiB; none for no proxy.
    pub(super) peak_mib: Option<f64>,
}

/// A measure of one round, given that without a proxy under the same load in the same round.
#[derive(Clone, Copy)]
struct Measure {
    metric: &'static str,
    unit: &'static str,
    of: fn(&Measured, Option<&Measured>) -> Option<f64>,
}

/// The figures that proxies are compared by: a request's cost beyond its work.
const PASS_THROUGH: &str = "pass-through";
/// A short stream for each of a few readers.
const STREAMS: &str = "streams";
/// The load that latencies are compared under, and processor time and throughput.
const QUIET: Cell = Cell { size: Size::Small, connections: 1, arm: Arm::Mainpoint };
const BUSY: Cell = Cell { connections: 16, ..QUIET };

const PER_SECOND: Measure = measure("requests_per_second", "1/s", |own, _| Some(own.counted.per_second()));
const P50: Measure = measure("p50_us", "us", |own, _| Some(own.answered()?.p50_us));
const P99: Measure = measure("p99_us", "us", |own, _| Some(own.answered()?.p99_us));
const ADDED: Measure =
    measure("added_p50_us", "us", |own, direct| Some(own.answered()?.p50_us - direct?.answered()?.p50_us));
const PROCESSOR: Measure =
    measure("cpu_us_per_request", "us", |own, _| Some(own.processor_us? / own.answered()?.requests));
const PEAK: Measure = measure("peak_rss_mib", "MiB", |own, _| own.peak_mib);

const fn measure(
    metric: &'static str,
    unit: &'static str,
    of: fn(&Measured, Option<&Measured>) -> Option<f64>,
) -> Measure {
    Measure { metric, unit, of }
}

impl Measured {
    /// Nothing where nothing was answered.
    fn answered(&self) -> Option<&Counted> {
        Some(&self.counted).filter(|counted| counted.requests > 0.0)
    }
}

impl Results {
    /// The median of the rounds with their range.
    fn figure(&self, cell: Cell, measure: Measure) -> Option<Figure> {
        let direct = self.rounds(Cell { arm: Arm::Direct, ..cell });
        let rounds = self.rounds(cell).iter().enumerate();
        Figure::median(rounds.filter_map(|(round, own)| (measure.of)(own, direct.get(round))))
    }

    fn rounds(&self, cell: Cell) -> &[Measured] {
        self.cells.get(&cell).map_or(&[], Vec::as_slice)
    }

    /// A proxy's median beside another's under the same load; the load tool counts whole microseconds, and none of the
    /// other divisors comes near 1.
    fn ratio(&self, measure: Measure, cell: Cell, other: Arm) -> Option<f64> {
        let other = self.figure(Cell { arm: other, ..cell }, measure)?;
        Some(self.figure(cell, measure)?.value / other.value.max(1.0))
    }

    /// All rows: first what mainpoint is judged by.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (metric, measure, cell, other) in [
            ("added_p50_ratio_to_nginx", ADDED, QUIET, Arm::Nginx),
            ("cpu_ratio_to_nginx", PROCESSOR, BUSY, Arm::Nginx),
            ("rps_ratio_to_nginx", PER_SECOND, BUSY, Arm::Nginx),
            ("rps_ratio_to_portkey", PER_SECOND, BUSY, Arm::Portkey),
            ("rps_ratio_to_litellm", PER_SECOND, BUSY, Arm::LiteLlm),
            ("rps_ratio_to_headroom", PER_SECOND, BUSY, Arm::Headroom),
        ] {
            let ratio = self.ratio(measure, cell, other);
            rows.extend(ratio.map(|ratio| row(PASS_THROUGH, metric, Arm::Mainpoint, ratio, "ratio")));
        }
        for (arm, (before, after)) in self.resident.iter().filter(|(arm, _)| **arm != Arm::Direct) {
            rows.push(row(PASS_THROUGH, "rss_mib", *arm, *after, "MiB"));
            rows.push(row(PASS_THROUGH, "rss_before_load_mib", *arm, *before, "MiB"));
        }
        for (cell, rounds) in &self.cells {
            let name = |metric: &str| format!("{metric}/{}/c{}", cell.size.name(), cell.connections);
            for measure in [PER_SECOND, P50, P99, ADDED, PROCESSOR, PEAK] {
                if cell.arm == Arm::Direct && measure.metric == ADDED.metric {
                    continue;
                }
                let figure = self.figure(*cell, measure);
                let row = |figure| row(PASS_THROUGH, &name(measure.metric), cell.arm, figure, measure.unit);
                rows.extend(figure.map(row));
            }
            let failures: f64 = rounds.iter().map(|round| round.counted.failures).sum();
            rows.push(row(PASS_THROUGH, &name("failures"), cell.arm, failures, "requests"));
        }
        for (arm, seen) in &self.streams {
            rows.extend(quantiles(STREAMS, "ttft_", arm.name(), std::slice::from_ref(&seen.first_ms)));
            rows.extend(quantiles(STREAMS, "chunk_delay_", arm.name(), std::slice::from_ref(&seen.delays_ms)));
        }
        rows.extend_from_slice(&self.slow);
        rows
    }
}

fn row(bench: &str, metric: &str, arm: Arm, figure: impl Into<Figure>, unit: &'static str) -> Row {
    Row::new(bench, metric, arm.name(), figure).counted_in(unit)
}

pub(super) fn publish(directory: &Path, plan: &Plan, results: &Results) -> Result<(), BenchError> {
    report(plan, results).publish(directory, "overhead", "What a proxy costs", SPEED)
}

fn report(plan: &Plan, results: &Results) -> Report {
    let mut report = Report::default();
    report.rows = results.rows();
    let mut note = method(plan);
    for size in Size::ALL {
        let heading = format!("Bodies of {}", size.name());
        report.tabulate(heading, std::mem::take(&mut note), |row| row.metric.contains(&format!("/{}/", size.name())));
    }
    let summary = |row: &Row| row.bench == PASS_THROUGH && !row.metric.contains('/');
    report.tabulate("In relation, and memory before and after the whole load", "", summary);
    let note = format!(
        "{} in each of {} rounds. Each chunk carries the moment at which the upstream wrote it; its delay is from then until the \
         reader has it.",
        described(&plan.streams),
        plan.rounds
    );
    report.tabulate("Streams", note, |row| row.bench == STREAMS);
    let note = format!(
        "{}, spread out, and one more reader that asked for a stream of 64 KiB every 5 ms and then stopped reading. First straight \
         from the upstream, then through a fresh mainpoint, whose memory is shown before, with all streams open, in the middle, \
         and before the first ends.",
        described(&plan.slow)
    );
    report.tabulate("Many slow streams", note, |row| row.bench == SLOW_STREAMS);
    let absence = match results.absent.as_slice() {
        [] => String::new(),
        absent => format!("Left out: {}.", absent.join("; ")),
    };
    report.add("Versions", absence, versions(results));
    report
}

fn versions(results: &Results) -> Table {
    let mut table = table(["proxy", "version"]);
    for (arm, version) in &results.versions {
        table.add_row([arm.name(), version]);
    }
    table
}

fn method(plan: &Plan) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "Question: what does a request cost beyond its work? Method: wrk with one thread sends the same body for {} \
         s over each number of connections; every proxy takes its turn in each of {} rounds, and the next one begins \
         when the last is idle. Load tool, proxy and upstream (a process of its own that answers at once) share \
         {cores} cores of one machine, so throughput is that of all three. Figures are medians of the rounds with \
         their range; added p50 is the median latency beyond that without a proxy in the same round; CPU is user and \
         system time of the proxy's processes from `/proc`; peak RSS adds up its processes. mainpoint is built as \
         `make` builds it; with its memory on it has a budget of {BUDGET} tokens and has read every turn before, so \
         that the conversation of 100KB is rewritten in each request. nginx: a worker for each core, no buffers, \
         kept connections. LiteLLM: one worker, its defaults, access log included. Headroom: no cache, offline, so \
         without the compressor whose model it would fetch.",
        plan.seconds, plan.rounds
    )
}

fn described(streams: &Streams) -> String {
    let Streams { count, chunks, pause } = streams;
    format!("{count} streams at once, each of {chunks} chunks every {} ms", pause.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::find;

    fn measured(p50_us: f64, processor_us: f64) -> Measured {
        Measured {
            counted: Counted { requests: 100.0, seconds: 2.0, p50_us, p99_us: 3.0 * p50_us, failures: 1.0 },
            processor_us: Some(processor_us),
            peak_mib: Some(20.0),
        }
    }

    /// Two rounds of everything; no proxy takes 50 and 70 µs, nginx 30 µs more, mainpoint 60 µs, Portkey 90 µs.
    fn results() -> Results {
        let mut results = Results::default();
        let arms = [Arm::Direct, Arm::Nginx, Arm::Mainpoint, Arm::Portkey];
        for (arm, more) in arms.into_iter().zip([0.0, 30.0, 60.0, 90.0]) {
            results.versions.insert(arm, "1.2.3".to_owned());
            results.resident.insert(arm, (10.0, 25.0));
            for (size, connections) in Plan::quick().cells() {
                let rounds = [50.0, 70.0].map(|p50| measured(p50 + more, 1000.0 + 100.0 * more));
                results.cells.insert(Cell { size, connections, arm }, rounds.to_vec());
            }
            let seen = Seen { first_ms: vec![1.0, 2.0], delays_ms: vec![0.1, 0.2, 0.3] };
            results.streams.insert(arm, seen);
        }
        results.absent.push("litellm: it is not installed".to_owned());
        results
    }

    #[test]
    fn what_mainpoint_is_judged_by_compares_medians_of_the_same_rounds() {
        let rows = results().rows();
        let own = |metric: &str| find(&rows, PASS_THROUGH, metric, "mainpoint").map(|row| row.value);
        assert_eq!(own("added_p50_us/1KB/c1"), Some(60.0));
        assert_eq!(own("requests_per_second/1KB/c1"), Some(50.0));
        assert_eq!(own("cpu_us_per_request/1KB/c16"), Some(70.0));
        assert_eq!(own("failures/1KB/c1"), Some(2.0));
        assert_eq!(own("added_p50_ratio_to_nginx"), Some(2.0));
        assert_eq!(own("cpu_ratio_to_nginx"), Some(1.75));
        assert_eq!(own("rps_ratio_to_portkey"), Some(1.0));
        assert_eq!(own("rps_ratio_to_litellm"), None, "it did not take part");
        assert_eq!(own("rss_mib"), Some(25.0));
        let of = |metric, arm: Arm| find(&rows, PASS_THROUGH, metric, arm.name());
        assert!(of("p50_us/100KB/c16", Arm::Nginx).is_some() && of("added_p50_us/1KB/c1", Arm::Direct).is_none());
        assert!(rows.iter().all(|row| row.value.is_finite() && row.unit.is_some()));
    }

    #[test]
    fn a_round_without_answers_has_no_latency() {
        let cell = Cell { size: Size::Small, connections: 1, arm: Arm::Mainpoint };
        let mut results = results();
        let rounds = vec![Measured::default(), measured(130.0, 1000.0)];
        results.cells.insert(cell, rounds);
        assert_eq!(results.figure(cell, ADDED).map(|figure| figure.value), Some(60.0));
        results.cells.insert(cell, vec![Measured::default()]);
        assert_eq!((results.figure(cell, P50), results.figure(cell, PROCESSOR)), (None, None));
    }

    #[test]
    fn every_proxy_has_a_column_and_the_missing_are_named() {
        let results = results();
        let directory = tempfile::tempdir().unwrap_or_else(|error| unreachable!("{error}"));
        assert!(publish(directory.path(), &Plan::quick(), &results).is_ok());
        let text = std::fs::read_to_string(directory.path().join("overhead.md")).unwrap_or_default();
        for arm in [Arm::Direct, Arm::Nginx, Arm::Mainpoint, Arm::Portkey] {
            assert!(text.contains(arm.name()), "{text}");
        }
        assert!(text.contains("added_p50_us/1KB/c1") && text.contains("120"), "{text}");
        assert!(text.contains("Method: wrk") && text.contains("Left out: litellm: it is not installed."), "{text}");
    }
}
