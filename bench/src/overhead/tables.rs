//! The tables of the overhead benchmark.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::bodies::Size;
use super::figures::Spread;
use super::results::Results;
use super::slow::Slow;
use super::streams::{Percentiles, Seen};
use crate::report::table;

/// Every proxy at every number of connections, for bodies of one size.
#[must_use]
pub(super) fn load_table(results: &Results, size: Size) -> Table {
    let mut table = table([
        "proxy",
        "connections",
        "requests/s",
        "range",
        "p50 ms",
        "p99 ms",
        "added p50 ms",
        "range",
        "CPU µs/request",
        "peak RSS MiB",
        "failed",
    ]);
    for cell in results.cells.keys().filter(|cell| cell.size == size) {
        let per_second = results.per_second(*cell);
        let added = results.added_p50_us(*cell);
        table.add_row([
            cell.arm.title().to_owned(),
            cell.connections.to_string(),
            median(per_second, figure),
            range(per_second, figure),
            median(results.p50_us(*cell), thousandth),
            median(results.p99_us(*cell), thousandth),
            median(added, thousandth),
            range(added, thousandth),
            median(results.processor_us(*cell), figure),
            median(results.peak_mib(*cell), figure),
            figure(results.failures(*cell)),
        ]);
    }
    table
}

/// What readers of a few streams have seen through every proxy.
#[must_use]
pub(super) fn stream_table(results: &Results) -> Table {
    let mut table = table([
        "proxy",
        "first chunk p50 ms",
        "p99 ms",
        "chunk delay p50 ms",
        "p99 ms",
        "chunks",
    ]);
    for (arm, Seen { first_ms, delays_ms }) in &results.streams {
        let [first, delay] = [first_ms, delays_ms].map(|values| percentiles(Percentiles::of(values)));
        let chunks = delays_ms.len().to_string();
        let [first_p50, first_p99] = first;
        let [delay_p50, delay_p99] = delay;
        table.add_row([
            arm.title().to_owned(),
            first_p50,
            first_p99,
            delay_p50,
            delay_p99,
            chunks,
        ]);
    }
    table
}

/// What many slow streams have shown.
#[must_use]
pub(super) fn slow_table(slow: &Slow) -> Table {
    let mut table = table(["many slow streams", "no proxy", "mainpoint, memory off", "added"]);
    let lines = [
        ("chunk delay p50 ms", slow.direct.p50_ms, slow.through.p50_ms),
        ("chunk delay p99 ms", slow.direct.p99_ms, slow.through.p99_ms),
    ];
    for (title, direct, through) in lines {
        table.add_row([
            title.to_owned(),
            milliseconds(direct),
            milliseconds(through),
            milliseconds(through - direct),
        ]);
    }
    table
}

/// Memory over many slow streams.
#[must_use]
pub(super) fn memory_table(slow: &Slow) -> Table {
    let mut table = table(["mainpoint, memory off", "RSS MiB"]);
    let lines = [
        ("before", slow.memory.idle_mib),
        ("all streams open", slow.memory.start_mib),
        ("in the middle", slow.memory.middle_mib),
        ("before the first ends", slow.memory.end_mib),
        ("growth while all are open", slow.memory.growth_mib()),
    ];
    for (title, mebibytes) in lines {
        table.add_row([title.to_owned(), format!("{mebibytes:.1}")]);
    }
    table
}

/// Memory before and after the load.
#[must_use]
pub(super) fn resident_table(results: &Results) -> Table {
    let mut table = table(["proxy", "version", "RSS MiB before", "RSS MiB after"]);
    for (arm, version) in &results.versions {
        let resident = results.resident.get(arm).filter(|(before, _)| *before > 0.0);
        let [before, after] = match resident {
            Some((before, after)) => [*before, *after].map(|mebibytes| format!("{mebibytes:.1}")),
            None => ["–", "–"].map(str::to_owned),
        };
        table.add_row([arm.title().to_owned(), version.clone(), before, after]);
    }
    table
}

fn percentiles(found: Option<Percentiles>) -> [String; 2] {
    found.map_or_else(
        || ["–", "–"].map(str::to_owned),
        |found| [found.p50_ms, found.p99_ms].map(milliseconds),
    )
}

fn median(spread: Option<Spread>, written: impl Fn(f64) -> String) -> String {
    spread.map_or_else(|| "–".to_owned(), |spread| written(spread.median))
}

fn range(spread: Option<Spread>, written: impl Fn(f64) -> String) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |spread| format!("{} to {}", written(spread.low), written(spread.high)),
    )
}

/// Small figures with a digit behind the point, large ones without.
fn figure(value: f64) -> String {
    if value.abs() < 100.0 && value.fract().abs() > 0.05 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Microseconds written as milliseconds.
fn thousandth(microseconds: f64) -> String {
    milliseconds(microseconds / 1e3)
}

fn milliseconds(value: f64) -> String {
    format!("{value:.3}")
}

#[cfg(test)]
mod tests {
    use super::super::arms::Arm;
    use super::super::results::tests::results;
    use super::*;

    #[test]
    fn every_proxy_has_a_line_for_each_number_of_connections() {
        let text = load_table(&results(), Size::Small).to_string();
        for arm in [Arm::Direct, Arm::Nginx, Arm::Mainpoint, Arm::Portkey] {
            assert_eq!(text.matches(arm.title()).count(), 2, "{text}");
        }
        assert!(text.contains("0.060") && text.contains("0.120"), "{text}");
    }

    #[test]
    fn streams_and_memory_have_tables() {
        let results = results();
        assert!(stream_table(&results).to_string().contains("0.300"));
        assert!(resident_table(&results).to_string().contains("25.0"));
        let slow = results
            .slow
            .map(|slow| format!("{}\n{}", slow_table(&slow), memory_table(&slow)));
        let slow = slow.unwrap_or_default();
        assert!(slow.contains("1.000") && slow.contains("2.0"), "{slow}");
    }

    #[test]
    fn figures_have_no_needless_digits() {
        assert_eq!([12.34, 12.0, 1234.56].map(figure), ["12.3", "12", "1235"]);
    }
}
