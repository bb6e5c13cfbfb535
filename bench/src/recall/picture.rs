//! The recall benchmark's picture: for each data set, what arms find in a token budget and what they have to store.
//!
//! It must not know how anything was measured.

use crate::metrics::{BUDGETS, as_float};
use crate::picture::{Anchor, Axis, Look, Panel, Scale, Series, Sheet};
use crate::report::Row;

/// The rows of one data set, under its name.
#[derive(Debug, Clone)]
pub(super) struct Pictured {
    /// What stands above its panels.
    pub(super) heading: String,
    /// Every measure of every arm.
    pub(super) rows: Vec<Row>,
}

/// The data sets, one below the other, as a picture of its own.
#[must_use]
pub(super) fn draw(sets: &[Pictured]) -> String {
    let mut sheet = Sheet::new(WIDTH, HEAD + SET * as_float(sets.len()));
    sheet.heading(
        (LEFT, 28.0),
        "What memory finds, by what it may say and by what it stores",
    );
    for (number, set) in sets.iter().enumerate() {
        let top = HEAD + SET * as_float(number);
        sheet.heading((LEFT, top + 14.0), &set.heading);
        set.draw_coverage(&mut sheet, (LEFT, top + PANEL_TOP));
        set.draw_bytes(&mut sheet, (SECOND, top + PANEL_TOP));
    }
    sheet.finished()
}

const WIDTH: f64 = 1200.0;
/// The height of the title and of each data set.
const HEAD: f64 = 44.0;
const SET: f64 = 450.0;
/// The left side of the first and of the second panel.
const LEFT: f64 = 60.0;
const SECOND: f64 = 690.0;
/// Where panels begin below the top of their data set.
const PANEL_TOP: f64 = 78.0;
/// The size of both panels; behind the first one there is room for names.
const COVERAGE_PANEL: (f64, f64) = (370.0, 290.0);
const BYTES_PANEL: (f64, f64) = (480.0, 290.0);
const RECALL: &str = "recall_all@10";
/// The measure of what an arm has to store.
pub(super) const BYTES: &str = "bytes_per_turn";

/// The arms of the picture by their names in result files, each with what stands beside it.
const SHOWN: [(&str, &str); 7] = [
    ("first-passage", "first passage's mean"),
    ("mean", "mean vector"),
    ("bm25", "BM25"),
    ("rrf-bm25-mean", "RRF(BM25, mean)"),
    ("maxsim-all", "MaxSim, all tokens"),
    ("maxsim", "MaxSim, main point"),
    ("full-pipeline", "full pipeline (shipped)"),
];

impl Pictured {
    fn draw_coverage(&self, sheet: &mut Sheet, corner: (f64, f64)) {
        let budgets = BUDGETS.map(as_float);
        let lines = series(|arm| {
            let point = |budget| Some((as_float(budget), self.value(&format!("coverage@{budget}"), arm)?));
            BUDGETS.into_iter().filter_map(point).collect()
        });
        if lines.is_empty() {
            let text = "Evidence is whole sessions here: what fits a token budget is not measured.";
            sheet.text((corner.0, corner.1 + 20.0), Anchor::Start, text);
            return;
        }
        let panel = Panel {
            corner,
            size: COVERAGE_PANEL,
            across: axis(
                "tokens of memory in the prompt (logarithmic)",
                Scale::of_values(&budgets),
            ),
            up: axis("share of the evidence", self.shares("coverage@")),
        };
        panel.frame(sheet, "Evidence that fits a token budget");
        panel.lines(sheet, &lines);
    }

    fn draw_bytes(&self, sheet: &mut Sheet, corner: (f64, f64)) {
        let marks = series(|arm| {
            let point = || Some((self.value(BYTES, arm)?, self.value(RECALL, arm)?));
            point().into_iter().collect()
        });
        let bytes = marks.iter().flat_map(|mark| &mark.points).map(|(bytes, _)| *bytes);
        let panel = Panel {
            corner,
            size: BYTES_PANEL,
            across: axis(
                "bytes a turn that the search needs (logarithmic)",
                Scale::logarithmic(bytes),
            ),
            up: axis(
                &format!("{RECALL}: share of the questions{}", self.precision()),
                self.shares(RECALL),
            ),
        };
        panel.frame(sheet, "All evidence among the first ten, by bytes stored");
        panel.marks(sheet, &marks);
    }

    fn value(&self, metric: &str, arm: &str) -> Option<f64> {
        self.row(metric, arm).map(|row| row.value)
    }

    fn row(&self, metric: &str, arm: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric == metric && row.arm == arm)
    }

    /// A scale that has room for the intervals of all shown arms, so that noise is never drawn large.
    fn shares(&self, metric: &str) -> Scale {
        let shown = |row: &&Row| row.metric.starts_with(metric) && SHOWN.iter().any(|(arm, _)| row.arm == *arm);
        let rows = self.rows.iter().filter(shown);
        Scale::linear(rows.flat_map(|row| [row.low, row.high]))
    }

    /// How far the intervals of the shares reach.
    fn precision(&self) -> String {
        let intervals = SHOWN.iter().filter_map(|(arm, _)| self.row(RECALL, arm));
        let widest = intervals.map(|row| (row.high - row.low) / 2.0).fold(0.0, f64::max);
        format!(" (95 % intervals: ± {widest:.2} at most)")
    }
}

/// A series for each shown arm that has points.
fn series(points: impl Fn(&str) -> Vec<(f64, f64)>) -> Vec<Series> {
    let all = SHOWN.iter().enumerate().map(|(index, (arm, name))| Series {
        name: (*name).to_owned(),
        look: Look::nth(index),
        points: points(arm),
    });
    all.filter(|series| !series.points.is_empty()).collect()
}

fn axis(title: &str, scale: Scale) -> Axis {
    Axis {
        title: title.to_owned(),
        scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::Interval;

    fn row(metric: &str, arm: &str, value: f64) -> Row {
        let interval = Interval {
            mean: value,
            low: value - 0.125,
            high: value + 0.125,
        };
        Row::new("some-bench", metric, arm, interval)
    }

    fn pictured(metrics: &[(&str, f64)]) -> Pictured {
        let of_arm = |arm| metrics.iter().map(move |(metric, value)| row(metric, arm, *value));
        Pictured {
            heading: "some conversations".to_owned(),
            rows: ["bm25", "full-pipeline", "maxsim-25-random"]
                .into_iter()
                .flat_map(of_arm)
                .collect(),
        }
    }

    #[test]
    fn every_shown_arm_has_a_line_and_a_mark() {
        let set = pictured(&[
            ("coverage@500", 0.5),
            ("coverage@1000", 0.75),
            (RECALL, 0.5),
            (BYTES, 1536.0),
        ]);
        let svg = draw(&[set.clone(), set]);
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert_eq!(svg.matches(">BM25<").count(), 4);
        assert_eq!(svg.matches(">full pipeline (shipped)<").count(), 4);
        assert!(svg.contains("± 0.13 at most") || svg.contains("± 0.12 at most"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn sessions_have_marks_alone() {
        let svg = draw(&[pictured(&[(RECALL, 0.9), (BYTES, 100.0)])]);
        assert_eq!(svg.matches("<polyline").count(), 0);
        assert!(svg.contains("whole sessions") && svg.contains(">BM25<"));
    }
}
