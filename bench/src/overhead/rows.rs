//! The rows of the overhead benchmark for machines.
//!
//! It must not know how anything was measured.

use super::arms::Arm;
use super::bodies::Size;
use super::figures::Spread;
use super::results::{Cell, Results};
use super::slow::Slow;
use super::streams::{Percentiles, Seen};
use crate::report::Figure;

/// The figures that proxies are compared by: a request's cost beyond its work.
pub(super) const PASS_THROUGH: &str = "pass-through";
/// A short stream for each of a few readers.
pub(super) const STREAMS: &str = "streams";
/// Many slow streams at once.
pub(super) const SLOW_STREAMS: &str = "slow-streams";

/// The load that latencies are compared under, and processor time and throughput.
const QUIET: (Size, u32) = (Size::Small, 1);
const BUSY: (Size, u32) = (Size::Small, 16);

/// All rows: first what mainpoint is judged by.
#[must_use]
pub(super) fn rows(results: &Results) -> Vec<Figure> {
    let mut rows = ratios(results);
    for (arm, (before, after)) in &results.resident {
        if *arm != Arm::Direct {
            rows.push(row((PASS_THROUGH, "rss_mib"), *arm, (*after, "MiB")));
            rows.push(row((PASS_THROUGH, "rss_before_load_mib"), *arm, (*before, "MiB")));
        }
    }
    for cell in results.cells.keys() {
        rows.extend(load_rows(results, *cell));
    }
    for (arm, seen) in &results.streams {
        rows.extend(stream_rows(*arm, seen));
    }
    rows.extend(results.slow.iter().flat_map(slow_rows));
    rows
}

fn ratios(results: &Results) -> Vec<Figure> {
    let ratio = |metric: &str, value: Option<f64>| {
        value.map(|value| row((PASS_THROUGH, metric), Arm::Mainpoint, (value, "ratio")))
    };
    let own = |(size, connections): (Size, u32)| Cell {
        size,
        connections,
        arm: Arm::Mainpoint,
    };
    // The load tool counts whole microseconds; none of the other divisors comes near 1.
    let added = results.ratio(Results::added_p50_us, (own(QUIET), Arm::Nginx), 1.0);
    let processor = results.ratio(Results::processor_us, (own(BUSY), Arm::Nginx), 1.0);
    let throughput = |other| results.ratio(Results::per_second, (own(BUSY), other), 1.0);
    [
        ratio("added_p50_ratio_to_nginx", added),
        ratio("cpu_ratio_to_nginx", processor),
        ratio("rps_ratio_to_nginx", throughput(Arm::Nginx)),
        ratio("rps_ratio_to_portkey", throughput(Arm::Portkey)),
        ratio("rps_ratio_to_litellm", throughput(Arm::LiteLlm)),
        ratio("rps_ratio_to_headroom", throughput(Arm::Headroom)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn load_rows(results: &Results, cell: Cell) -> Vec<Figure> {
    let Cell { size, connections, arm } = cell;
    let of = |metric: &str, spread: Option<Spread>, unit: &'static str| {
        let metric = format!("{metric}/{}/c{connections}", size.name());
        spread.map(|spread| row((PASS_THROUGH, metric.as_str()), arm, (spread.median, unit)))
    };
    let added = results.added_p50_us(cell).filter(|_| arm != Arm::Direct);
    let failures = Spread::of([results.failures(cell)]);
    [
        of("requests_per_second", results.per_second(cell), "1/s"),
        of("p50_us", results.p50_us(cell), "us"),
        of("p99_us", results.p99_us(cell), "us"),
        of("added_p50_us", added, "us"),
        of("cpu_us_per_request", results.processor_us(cell), "us"),
        of("peak_rss_mib", results.peak_mib(cell), "MiB"),
        of("failures", failures, "requests"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn stream_rows(arm: Arm, seen: &Seen) -> Vec<Figure> {
    let first = Percentiles::of(&seen.first_ms);
    let delay = Percentiles::of(&seen.delays_ms);
    let of = |metric: &str, value: f64| row((STREAMS, metric), arm, (value, "ms"));
    let first = first.map(|first| [of("ttft_p50_ms", first.p50_ms), of("ttft_p99_ms", first.p99_ms)]);
    let delay = delay.map(|delay| {
        [
            of("chunk_delay_p50_ms", delay.p50_ms),
            of("chunk_delay_p99_ms", delay.p99_ms),
        ]
    });
    first.into_iter().chain(delay).flatten().collect()
}

fn slow_rows(slow: &Slow) -> Vec<Figure> {
    let delays = |arm: Arm, delay: Percentiles| {
        [
            row((SLOW_STREAMS, "chunk_delay_p50_ms"), arm, (delay.p50_ms, "ms")),
            row((SLOW_STREAMS, "chunk_delay_p99_ms"), arm, (delay.p99_ms, "ms")),
        ]
    };
    let own = |metric: &str, value: f64, unit| row((SLOW_STREAMS, metric), Arm::Mainpoint, (value, unit));
    let memory = slow.memory;
    let mut rows = delays(Arm::Mainpoint, slow.through).to_vec();
    rows.extend(delays(Arm::Direct, slow.direct));
    rows.extend([
        own(
            "added_chunk_delay_p50_ms",
            slow.through.p50_ms - slow.direct.p50_ms,
            "ms",
        ),
        own(
            "added_chunk_delay_p99_ms",
            slow.through.p99_ms - slow.direct.p99_ms,
            "ms",
        ),
        own("rss_growth_mib", memory.growth_mib(), "MiB"),
        own("rss_idle_mib", memory.idle_mib, "MiB"),
        own("rss_start_mib", memory.start_mib, "MiB"),
        own("rss_middle_mib", memory.middle_mib, "MiB"),
        own("rss_end_mib", memory.end_mib, "MiB"),
        own("streams", f64::from(slow.streams.count), "streams"),
    ]);
    rows
}

fn row((bench, metric): (&str, &str), arm: Arm, (value, unit): (f64, &'static str)) -> Figure {
    Figure::new(bench, (metric, arm.name()), value, unit)
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;

    fn value(rows: &[Figure], bench: &str, metric: &str, arm: Arm) -> Option<f64> {
        let wanted = |row: &&Figure| row.bench == bench && row.metric == metric && row.arm == arm.name();
        rows.iter().find(wanted).map(|row| row.value)
    }

    #[test]
    fn what_mainpoint_is_judged_by_is_there() {
        let rows = rows(&results());
        let own = |metric: &str| value(&rows, PASS_THROUGH, metric, Arm::Mainpoint);
        assert_eq!(own("added_p50_ratio_to_nginx"), Some(2.0));
        assert_eq!(own("cpu_ratio_to_nginx"), Some(1.75));
        assert_eq!(own("rps_ratio_to_portkey"), Some(1.0));
        assert_eq!(own("rps_ratio_to_litellm"), None, "it did not take part");
        assert_eq!(own("rss_mib"), Some(25.0));
        let slow = |metric: &str| value(&rows, SLOW_STREAMS, metric, Arm::Mainpoint);
        assert_eq!(slow("chunk_delay_p99_ms"), Some(3.0));
        assert_eq!(slow("added_chunk_delay_p99_ms"), Some(1.0));
        assert_eq!(slow("rss_growth_mib"), Some(2.0));
    }

    #[test]
    fn every_load_and_every_stream_has_its_rows() {
        let rows = rows(&results());
        assert_eq!(value(&rows, PASS_THROUGH, "p50_us/100KB/c16", Arm::Nginx), Some(90.0));
        assert_eq!(value(&rows, PASS_THROUGH, "added_p50_us/1KB/c1", Arm::Direct), None);
        assert_eq!(value(&rows, STREAMS, "ttft_p99_ms", Arm::Portkey), Some(2.0));
        assert!(rows.iter().all(|row| row.value.is_finite() && !row.unit.is_empty()));
    }
}
