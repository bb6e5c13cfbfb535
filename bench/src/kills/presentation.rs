//! What was compared, as a table for people and as figures for machines.
//!
//! It must not know how anything was compared.

use comfy_table::Table;

use super::rounds::Ending;
use super::{KillOptions, Outcome};
use crate::metrics::as_float;
use crate::report::{Figure, Report, table};

/// The name of the study in the file of figures.
pub(super) const STUDY: &str = "overload-kill";

/// The report and the figures of all ways of ending the program.
pub(super) fn present(options: &KillOptions, outcomes: &[Outcome]) -> (Report, Vec<Figure>) {
    let mut report = Report::default();
    report.add("Turns that clients have seen", note(options), outcome_table(outcomes));
    (report, outcomes.iter().flat_map(figures).collect())
}

fn note(options: &KillOptions) -> String {
    format!(
        "Many conversations of several callers at once, half of them streamed, as fast as they are answered; the program is ended \
         after a random time, round by round, on one data directory for each row (seed {}). Acknowledged: questions and answers \
         of which a client has seen the last byte. Lost: not in the store. Doubled: more than once in it. Unread: kept and not \
         yet read, which is what a reader that is slower than its clients leaves. Failed: requests without a right answer while \
         the program ran.",
        options.seed
    )
}

fn outcome_table(outcomes: &[Outcome]) -> Table {
    let mut table = table([
        "ended by",
        "times",
        "acknowledged",
        "lost",
        "doubled",
        "unread",
        "failed",
        "turns a second",
        "slowest start, s",
        "slowest end, s",
    ]);
    for outcome in outcomes {
        let Outcome { played, comparison, .. } = outcome;
        table.add_row([
            outcome.ending.name().to_owned(),
            outcome.rounds.to_string(),
            played.acknowledged.len().to_string(),
            comparison.lost.to_string(),
            comparison.doubled.to_string(),
            outcome.unread.to_string(),
            played.failed.to_string(),
            format!("{:.0}", outcome.turns_a_second()),
            format!("{:.1}", played.slowest_start.as_secs_f64()),
            format!("{:.1}", played.slowest_end.as_secs_f64()),
        ]);
    }
    table
}

fn figures(outcome: &Outcome) -> Vec<Figure> {
    let (arm, times) = match outcome.ending {
        Ending::Kill => ("mainpoint", "kills"),
        Ending::Stop => ("mainpoint, stopped", "stops"),
    };
    let Outcome { played, comparison, .. } = outcome;
    let figure = |metric: &str, value: f64, unit| Figure::new(STUDY, (metric, arm), value, unit);
    vec![
        figure("acknowledged", as_float(played.acknowledged.len()), "turns"),
        figure("lost", as_float(comparison.lost), "turns"),
        figure("doubled", as_float(comparison.doubled), "turns"),
        figure(times, as_float(outcome.rounds), "rounds"),
        figure("unread", as_float(outcome.unread), "turns"),
        figure("failed", as_float(played.failed), "requests"),
        figure("turns_per_second", outcome.turns_a_second(), "turns/s"),
        figure("slowest_start_s", played.slowest_start.as_secs_f64(), "s"),
        figure("slowest_end_s", played.slowest_end.as_secs_f64(), "s"),
    ]
}

impl Outcome {
    fn turns_a_second(&self) -> f64 {
        as_float(self.played.acknowledged.len()) / self.played.talking.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::comparison::Comparison;
    use super::super::crowd::Acknowledged;
    use super::super::rounds::Played;
    use super::*;

    #[test]
    fn every_way_of_ending_has_its_row_and_its_arm() {
        let options = KillOptions {
            kills: 2,
            stops: 1,
            seed: 7,
            program: PathBuf::new(),
            out: PathBuf::new(),
        };
        let turn = Acknowledged {
            text: "a".to_owned(),
            caller: 0,
        };
        let outcome = |ending, rounds| Outcome {
            ending,
            rounds,
            played: Played {
                acknowledged: vec![turn.clone(); 10],
                talking: Duration::from_secs(5),
                ..Played::default()
            },
            comparison: Comparison {
                lost: 3,
                ..Comparison::default()
            },
            unread: 4,
        };
        let (mut report, figures) = present(&options, &[outcome(Ending::Kill, 2), outcome(Ending::Stop, 1)]);
        let text = report.terminal();
        assert!(
            text.contains("seed 7") && text.contains("SIGKILL") && text.contains("SIGTERM"),
            "{text}"
        );
        let value = |arm: &str, metric: &str| {
            let mut of_arm = figures
                .iter()
                .filter(|figure| figure.arm == arm && figure.bench == STUDY);
            of_arm.find(|figure| figure.metric == metric).map(|figure| figure.value)
        };
        assert_eq!(value("mainpoint", "acknowledged"), Some(10.0));
        assert_eq!(
            (value("mainpoint", "lost"), value("mainpoint", "kills")),
            (Some(3.0), Some(2.0))
        );
        assert_eq!(value("mainpoint, stopped", "stops"), Some(1.0));
        assert_eq!(value("mainpoint", "turns_per_second"), Some(2.0));
    }
}
