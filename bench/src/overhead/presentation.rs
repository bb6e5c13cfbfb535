//! How the overhead benchmark's results are shown: headings, notes, files.
//!
//! It must not know how anything was measured.

use super::bodies::Size;
use super::plan::{Plan, Streams};
use super::results::Results;
use super::targets::BUDGET;
use super::{OverheadOptions, rows, tables};
use crate::BenchError;
use crate::cache::write_whole;
use crate::report::{Report, write_rows};

/// Every table with its heading and note.
#[must_use]
pub(super) fn report(options: &OverheadOptions, results: &Results) -> Report {
    let mut report = Report::default();
    let mut note = method(&options.plan);
    for size in Size::ALL {
        let heading = format!("Bodies of {}: {}", size.name(), content(size));
        report.add(heading, std::mem::take(&mut note), tables::load_table(results, size));
    }
    let note = stream_note(&options.plan.streams, options.plan.rounds);
    report.add("Streams", note, tables::stream_table(results));
    if let Some(slow) = &results.slow {
        let note = slow_note(&slow.streams);
        report.add("Many slow streams", note, tables::slow_table(slow));
        report.add("Memory over many slow streams", "", tables::memory_table(slow));
    }
    report.add(
        "Versions and memory around the whole load",
        absence(results),
        tables::resident_table(results),
    );
    report
}

/// Writes tables and rows.
///
/// # Errors
/// [`BenchError::Write`] or [`BenchError::Data`] if a file cannot be written.
pub(super) fn write(options: &OverheadOptions, report: &mut Report, results: &Results) -> Result<(), BenchError> {
    let [markdown, rows] = ["overhead.md", "overhead.jsonl"].map(|name| options.out.join(name));
    write_whole(&markdown, report.markdown("What a proxy costs").as_bytes())?;
    write_rows(&rows, &rows::rows(results))?;
    anstream::println!("Written: {} and {}", markdown.display(), rows.display());
    Ok(())
}

fn content(size: Size) -> &'static str {
    match size {
        Size::Small => "a question",
        Size::Middle => "a conversation of 90 turns",
        Size::Large => "a question about a picture",
    }
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

fn stream_note(streams: &Streams, rounds: usize) -> String {
    format!(
        "{} streams at once, each of {} chunks every {} ms, in each of {rounds} rounds. Each chunk carries the moment \
         at which the upstream wrote it; its delay is from then until the reader has it.",
        streams.count,
        streams.chunks,
        streams.pause.as_millis()
    )
}

fn slow_note(streams: &Streams) -> String {
    format!(
        "{} streams at once, each of {} chunks every {} ms, spread out, and one more reader that asked for a stream of \
         64 KiB every 5 ms and then stopped reading. First straight from the upstream, then through a fresh mainpoint.",
        streams.count,
        streams.chunks,
        streams.pause.as_millis()
    )
}

fn absence(results: &Results) -> String {
    if results.absent.is_empty() {
        return String::new();
    }
    format!("Left out: {}.", results.absent.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::super::tests::options;
    use super::*;

    #[test]
    fn the_report_says_how_it_was_measured_and_who_is_missing() {
        let text = report(&options(), &results()).markdown("What a proxy costs");
        assert!(
            text.contains("Method: wrk") && text.contains("## Bodies of 2.5MB"),
            "{text}"
        );
        assert!(text.contains("Left out: litellm: it is not installed."), "{text}");
    }

    #[test]
    fn files_are_written_where_they_are_wanted() {
        let directory = tempfile::tempdir();
        let Ok(directory) = directory else { return };
        let mut options = options();
        options.out = directory.path().to_owned();
        let results = results();
        let written = write(&options, &mut report(&options, &results), &results);
        assert!(written.is_ok(), "{written:?}");
        let rows = std::fs::read_to_string(directory.path().join("overhead.jsonl")).unwrap_or_default();
        let first = r#""metric":"added_p50_ratio_to_nginx","arm":"mainpoint","value":2.0,"unit":"ratio"}"#;
        assert!(rows.lines().next().is_some_and(|row| row.ends_with(first)), "{rows}");
    }
}
