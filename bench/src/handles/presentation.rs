//! What was counted, as a table for people and as figures for machines.
//!
//! It must not know how it was counted.

use super::{Count, HandlesOptions};
use crate::metrics::as_float;
use crate::report::{Figure, Report, table};

/// The course of a run in three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    /// Open when it began to listen.
    pub(super) first: usize,
    /// The most in its second tenth.
    pub(super) early: usize,
    /// The most in its last tenth.
    pub(super) late: usize,
}

impl Course {
    /// `None` with too few counts to have tenths.
    pub(super) fn of(counted: &[Count]) -> Option<Self> {
        let tenth = counted.len() / 10;
        let most = |counts: &[Count]| counts.iter().map(|count| count.open).max();
        Some(Self {
            first: counted.first()?.open,
            early: most(counted.get(tenth..2 * tenth)?)?,
            late: most(counted.get(counted.len() - tenth..)?)?,
        })
    }
}

const NOTE: &str = "A client says something about twice a second, in conversations of 60 turns with a budget of 900 tokens; the \
    store is maintained every second. The most files that were open in each tenth of the run.";
const ARM: &str = "mainpoint";

/// The report and the figures.
pub(super) fn present(options: &HandlesOptions, counted: &[Count], course: Course) -> (Report, Vec<Figure>) {
    let mut report = Report::default();
    let mut tenths = table(["minutes", "open files, at most"]);
    for counts in counted.chunks((counted.len() / 10).max(1)) {
        let (Some(last), Some(most)) = (counts.last(), counts.iter().map(|count| count.open).max()) else {
            continue;
        };
        tenths.add_row([format!("{:.1}", last.after.as_secs_f64() / 60.0), most.to_string()]);
    }
    report.add(format!("{} minutes", options.minutes), NOTE, tenths);
    let figure = |metric: &str, value: f64, unit| Figure::new("handles", (metric, ARM), value, unit);
    let figures = vec![
        figure("minutes", f64::from(options.minutes), "min"),
        figure("open_first", as_float(course.first), "files"),
        figure("open_early_most", as_float(course.early), "files"),
        figure("open_late_most", as_float(course.late), "files"),
    ];
    (report, figures)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counted(open: impl Iterator<Item = usize>) -> Vec<Count> {
        let count = |(second, open): (u64, usize)| Count {
            after: Duration::from_secs(second),
            open,
        };
        (0..).zip(open).map(count).collect()
    }

    #[test]
    fn a_course_compares_the_second_tenth_with_the_last() {
        let course = Course::of(&counted(0..100));
        let expected = Course {
            first: 0,
            early: 19,
            late: 99,
        };
        assert_eq!(course, Some(expected));
        assert_eq!(Course::of(&counted(0..9)), None);
    }
}
