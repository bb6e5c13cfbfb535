//! What was measured, as tables for people and as figures for machines.
//!
//! It must not know how it was measured.

use std::time::Duration;

use comfy_table::Table;

use super::importing::Summary;
use super::readiness::{ROUNDS, Starts};
use super::watching::Run;
use super::{IngestOptions, Measured};
use crate::metrics::as_float;
use crate::report::{Figure, Report, sized, table};

/// What the runs that brought the history in came to together.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Whole {
    turns: usize,
    tokens: usize,
    run: Run,
}

/// The arm of the product's own model.
const ARM: &str = "mainpoint";

/// Adds tables of everything that was measured with one model to the report; what comes back are the figures.
pub(super) fn present(options: &IngestOptions, measured: &Measured, report: &mut Report) -> Vec<Figure> {
    let whole = Whole::of(measured);
    let with = measured
        .reader
        .as_ref()
        .map_or_else(String::new, |reader| format!(" with {reader}"));
    let heading = format!("Importing {} tokens{with}", whole.tokens);
    report.add(heading, runs_note(options, measured), runs_table(measured, whole));
    report.add(
        format!("What it comes to{with}"),
        OUTCOME,
        outcome_table(measured, whole),
    );
    report.add(format!("Ready again{with}"), ready_note(), ready_table(measured));
    figures(options, measured, whole)
}

const OUTCOME: &str = "Tokens and turns a second of the whole: both runs from start to end, loading the model, what was read twice and indexing \
    included. While reading: the program's own figure of the resumed run, from the first turn to the last. Repeated work: \
    from the journal's last write before the kill, when a chunk was finished or moved to the database (at most a second or two \
    later), until the kill. Starting anew: a run that finds nothing left to do, which loads the model and looks every turn \
    up. Bytes a turn: the store's whole directory, as the program counts it at the end of the import.";

impl Whole {
    fn of(measured: &Measured) -> Self {
        let (first, second, said) = (measured.killed.run, measured.resumed.run, &measured.resumed.summary);
        Self {
            turns: said.turns + said.turns_known,
            tokens: said.tokens + said.tokens_known,
            run: Run {
                time: first.time + second.time,
                processor_s: first.processor_s + second.processor_s,
                peak_mib: first.peak_mib.max(second.peak_mib),
            },
        }
    }

    fn tokens_per_second(self) -> f64 {
        per_second(self.tokens, self.run.time)
    }

    fn turns_per_second(self) -> f64 {
        per_second(self.turns, self.run.time)
    }
}

fn runs_note(options: &IngestOptions, measured: &Measured) -> String {
    let extent = &measured.extent;
    format!(
        "{} conversations of {} in turn, {} turns, {} bytes of text; from the second passage through the data on, the sentences \
         of each speaker stand in another order. The first run is killed (SIGKILL) at about {} % of the tokens; the second goes \
         on where it was; the third finds nothing left to do. Afterwards every turn is in the store once.",
        extent.conversations, measured.material, extent.turns, extent.bytes, options.kill_at
    )
}

fn runs_table(measured: &Measured, whole: Whole) -> Table {
    let mut table = table(["run", "turns read", "tokens read", "s", "processor s", "peak MiB"]);
    let resumed = &measured.resumed.summary;
    let mut add = |name: &str, (turns, tokens): (usize, usize), run: Run| {
        table.add_row([
            name.to_owned(),
            turns.to_string(),
            tokens.to_string(),
            shown(run.time.as_secs_f64()),
            shown(run.processor_s),
            format!("{:.0}", run.peak_mib),
        ]);
    };
    let read = |summary: &Summary| (summary.turns, summary.tokens);
    // What the second run found in memory is what the first one had brought there.
    add(
        "killed",
        (resumed.turns_known, resumed.tokens_known),
        measured.killed.run,
    );
    add("resumed", read(resumed), measured.resumed.run);
    add("both", (whole.turns, whole.tokens), whole.run);
    add("once more", read(&measured.again.summary), measured.again.run);
    table
}

fn outcome_table(measured: &Measured, whole: Whole) -> Table {
    let resumed = &measured.resumed.summary;
    let mut table = table(["measure", "figure"]);
    let rows = [
        ("tokens a second", format!("{:.0}", whole.tokens_per_second())),
        (
            "tokens a second while reading",
            format!("{:.0}", resumed.tokens_per_second),
        ),
        ("turns a second", shown(whole.turns_per_second())),
        ("bytes a turn on disk", resumed.bytes_per_turn.to_string()),
        ("peak memory, MiB", format!("{:.0}", whole.run.peak_mib)),
        ("repeated work, s", shown(measured.killed.repeated.as_secs_f64())),
        ("starting anew, s", shown(measured.again.run.time.as_secs_f64())),
        ("turns that cannot be read", resumed.turns_unreadable.to_string()),
    ];
    for (measure, figure) in rows {
        table.add_row([measure.to_owned(), figure]);
    }
    table
}

fn ready_note() -> String {
    format!(
        "From starting the program until /readyz answers 200, the model loaded; median, shortest and longest of {ROUNDS} \
         starts, on the two stores in turn."
    )
}

fn ready_table(measured: &Measured) -> Table {
    let mut table = table(["store", "turns", "ms", "low to high"]);
    let mut add = |name: &str, turns: usize, starts: &Starts| {
        let (low, high) = starts.extremes();
        table.add_row([
            name.to_owned(),
            turns.to_string(),
            format!("{:.0}", starts.median()),
            format!("{low:.0} to {high:.0}"),
        ]);
    };
    let readiness = &measured.readiness;
    add("imported", measured.again.summary.turns_stored, &readiness.full);
    add("empty", 0, &readiness.empty);
    table
}

fn figures(options: &IngestOptions, measured: &Measured, whole: Whole) -> Vec<Figure> {
    let bench = sized("ingest", options.tokens);
    let arm = measured
        .reader
        .as_ref()
        .map_or_else(|| ARM.to_owned(), |reader| format!("{ARM}-{reader}"));
    let figure = |metric: &str, value: f64, unit| Figure::new(&bench, (metric, &arm), value, unit);
    let resumed = &measured.resumed.summary;
    let mut figures = vec![
        figure("tokens", as_float(whole.tokens), "tokens"),
        figure("turns", as_float(whole.turns), "turns"),
        figure("tokens_per_second", whole.tokens_per_second(), "tokens/s"),
        figure("reading_tokens_per_second", resumed.tokens_per_second, "tokens/s"),
        figure("turns_per_second", whole.turns_per_second(), "turns/s"),
        figure("bytes_per_turn", as_float(resumed.bytes_per_turn), "bytes"),
        figure("peak_rss_mib", whole.run.peak_mib, "MiB"),
        figure("processor_s", whole.run.processor_s, "s"),
        figure("repeated_s", measured.killed.repeated.as_secs_f64(), "s"),
        figure("restart_s", measured.again.run.time.as_secs_f64(), "s"),
    ];
    let readiness = &measured.readiness;
    for (suffix, starts) in [("", &readiness.full), ("_empty", &readiness.empty)] {
        let (low, high) = starts.extremes();
        for (measure, value) in [
            ("ready_ms", starts.median()),
            ("ready_low_ms", low),
            ("ready_high_ms", high),
        ] {
            figures.push(figure(&format!("{measure}{suffix}"), value, "ms"));
        }
    }
    figures
}

fn per_second(count: usize, time: Duration) -> f64 {
    as_float(count) / time.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn shown(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::path::PathBuf;

    use super::super::history::Extent;
    use super::super::importing::{Finished, Killed};
    use super::super::readiness::Readiness;
    use super::*;

    fn run(seconds: u64, peak_mib: f64) -> Run {
        Run {
            time: Duration::from_secs(seconds),
            processor_s: 1.0,
            peak_mib,
        }
    }

    fn measured() -> Measured {
        let summary = Summary {
            turns: 60,
            turns_known: 40,
            tokens: 600,
            tokens_known: 400,
            turns_stored: 100,
            ..Summary::default()
        };
        Measured {
            reader: None,
            extent: Extent::default(),
            material: "locomo + beam".to_owned(),
            killed: Killed {
                run: run(10, 900.0),
                repeated: Duration::from_secs(2),
            },
            resumed: Finished {
                run: run(15, 800.0),
                summary: summary.clone(),
            },
            again: Finished {
                run: run(3, 700.0),
                summary,
            },
            readiness: Readiness {
                full: [3.0, 1.0, 2.0].into_iter().collect(),
                empty: [1.0].into_iter().collect(),
            },
        }
    }

    #[test]
    fn both_runs_make_the_whole() {
        let options = IngestOptions {
            tokens: 1_000_000,
            kill_at: 33,
            data: Vec::new(),
            readers: vec![None],
            program: PathBuf::new(),
            out: PathBuf::new(),
        };
        let mut report = Report::default();
        let figures = present(&options, &measured(), &mut report);
        let value = |metric: &str| figures.iter().find(|figure| figure.metric == metric).unwrap().value;
        assert_eq!((value("tokens"), value("tokens_per_second")), (1000.0, 40.0));
        assert_eq!((value("turns_per_second"), value("peak_rss_mib")), (4.0, 900.0));
        assert_eq!(
            (value("ready_ms"), value("ready_high_ms"), value("ready_ms_empty")),
            (2.0, 3.0, 1.0)
        );
        assert!(
            figures
                .iter()
                .all(|figure| figure.bench == "ingest-1m" && figure.arm == ARM)
        );
        assert!(report.terminal().contains("locomo + beam in turn"));
        let light = Measured {
            reader: Some("light".to_owned()),
            ..measured()
        };
        let figures = present(&options, &light, &mut report);
        assert!(figures.iter().all(|figure| figure.arm == "mainpoint-light"));
    }
}
