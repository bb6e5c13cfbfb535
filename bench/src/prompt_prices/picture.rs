//! A picture of token counts by round, with a logarithmic scale.
//!
//! It must not know whose token counts they are.

use crate::metrics::as_float;
use crate::picture::{Axis, Look, Panel, Scale, Series, Sheet};

/// A line of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What is written behind its end.
    pub(super) name: String,
    /// Its value in each round.
    pub(super) values: Vec<usize>,
}

/// The lines, the last one in front, as a picture of its own.
#[must_use]
pub(super) fn draw(title: &str, unit: &str, lines: &[Line]) -> String {
    let rounds = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let values = lines.iter().flat_map(|line| &line.values);
    let panel = Panel {
        corner: (LEFT, TOP),
        size: (WIDTH - LEFT - NAMES, HEIGHT - TOP - BOTTOM),
        across: Axis {
            title: "round".to_owned(),
            scale: Scale::linear([1.0, as_float(rounds)]),
        },
        up: Axis {
            title: format!("{unit}, logarithmic"),
            scale: Scale::logarithmic(values.map(|value| as_float(*value))),
        },
    };
    let series: Vec<Series> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| line.series(index))
        .collect();
    let mut sheet = Sheet::new(WIDTH, HEIGHT);
    panel.frame(&mut sheet, title);
    panel.lines(&mut sheet, &series);
    sheet.finished()
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 55.0;
/// How wide the names behind the lines are.
const NAMES: f64 = 240.0;

impl Line {
    fn series(&self, index: usize) -> Series {
        let points = self.values.iter().enumerate();
        Series {
            name: self.name.clone(),
            look: Look::nth(index),
            points: points
                .map(|(round, value)| (as_float(round + 1), as_float(*value)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, values: &[usize]) -> Line {
        Line {
            name: name.to_owned(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn every_line_has_a_point_for_each_round_and_a_name() {
        let svg = draw(
            "some <chat>",
            "tokens",
            &[line("one & only", &[100, 1000, 10_000]), line("two", &[100, 300, 200])],
        );
        assert_eq!(svg.matches("<polyline").count(), 2);
        // The lowest value of the first round lies at the bottom left.
        assert_eq!(svg.matches("points=\"70.0,425.0 ").count(), 2);
        assert!(svg.contains("one &amp; only") && svg.contains("some &lt;chat&gt;") && svg.contains(">20k<"));
    }

    #[test]
    fn nothing_to_show_is_a_picture_all_the_same() {
        assert!(draw("none", "tokens", &[line("empty", &[])]).contains("points=\"\""));
        assert!(!draw("none", "tokens", &[line("zero", &[0, 0])]).contains("NaN"));
    }
}
