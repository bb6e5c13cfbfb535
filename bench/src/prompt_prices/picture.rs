//! A picture of numbers by round as SVG text, with a logarithmic scale.
//!
//! It must not know what the numbers are.

use std::fmt::Write;

use crate::metrics::as_float;

/// A line of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What the legend calls it.
    pub(super) name: String,
    /// Its value in each round.
    pub(super) values: Vec<usize>,
}

/// The lines, the last one in front, as a picture of its own.
#[must_use]
pub(super) fn draw(title: &str, unit: &str, lines: &[Line]) -> String {
    let scale = Scale::of(lines);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    let heading = format!("{title} ({unit}, logarithmic)");
    svg.push_str(&label(LEFT, TOP - 20.0, "start", &heading));
    grid(&mut svg, &scale);
    for (line, color) in lines.iter().zip(COLORS.into_iter().cycle()) {
        let points: Vec<String> = (line.values.iter().enumerate())
            .map(|(round, value)| format!("{:.1},{:.1}", scale.across(round), scale.up(*value)))
            .collect();
        let points = points.join(" ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" points=\"{points}\"/>"
        );
    }
    legend(&mut svg, lines);
    svg.push_str("</svg>\n");
    svg
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 730.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 430.0;
/// Colors that people with any color vision can tell apart.
const COLORS: [&str; 5] = ["#767676", "#e69f00", "#cc79a7", "#0072b2", "#009e73"];

/// Where rounds and values lie in the picture.
struct Scale {
    rounds: usize,
    low: f64,
    high: f64,
}

impl Scale {
    /// The scale that shows every value.
    fn of(lines: &[Line]) -> Self {
        let values = || {
            lines
                .iter()
                .flat_map(|line| &line.values)
                .map(|value| as_float(*value).max(1.0))
        };
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(1.0, f64::max);
        Self {
            rounds: lines.iter().map(|line| line.values.len()).max().unwrap_or(0),
            low: ticks().take_while(|tick| *tick <= low).last().unwrap_or(1.0),
            high: ticks().find(|tick| *tick > high).unwrap_or(high),
        }
    }

    fn across(&self, round: usize) -> f64 {
        LEFT + (RIGHT - LEFT) * as_float(round) / as_float(self.rounds.saturating_sub(1).max(1))
    }

    fn up(&self, value: usize) -> f64 {
        self.up_to(as_float(value).max(1.0))
    }

    fn up_to(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * (value / self.low).ln() / (self.high / self.low).ln()
    }
}

/// 1, 2, 5, 10 and so on up to a thousand million.
fn ticks() -> impl Iterator<Item = f64> {
    (0..9).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

fn grid(svg: &mut String, scale: &Scale) {
    for tick in ticks().filter(|tick| (scale.low..=scale.high).contains(tick)) {
        let y = scale.up_to(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"#e0e0e0\"/>"
        );
        svg.push_str(&label(LEFT - 8.0, y + 4.0, "end", &short(tick)));
    }
    let step = (scale.rounds / 8).next_multiple_of(5).max(5);
    for round in (0..scale.rounds).step_by(step) {
        svg.push_str(&label(
            scale.across(round),
            BOTTOM + 20.0,
            "middle",
            &(round + 1).to_string(),
        ));
    }
    svg.push_str(&label(f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0, "middle", "round"));
}

fn legend(svg: &mut String, lines: &[Line]) {
    let mut y = TOP + 10.0;
    for (line, color) in lines.iter().zip(COLORS.into_iter().cycle()) {
        let (start, end) = (RIGHT + 16.0, RIGHT + 40.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{start}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"{color}\" stroke-width=\"3\"/>"
        );
        svg.push_str(&label(end + 6.0, y + 4.0, "start", &line.name));
        y += 22.0;
    }
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#333333\">{text}</text>\n")
}

/// A round number as people write it on a scale: `500`, `20k`, `1M`.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.0}M", value / 1e6),
        value if value >= 1e3 => format!("{:.0}k", value / 1e3),
        value => format!("{value:.0}"),
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
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        // The lowest value lies at the bottom left.
        assert_eq!(svg.matches("points=\"70.0,430.0 400.0,").count(), 2);
        assert!(svg.contains("one &amp; only") && svg.contains("some &lt;chat&gt;") && svg.contains(">20k<"));
    }

    #[test]
    fn equal_factors_are_equal_distances() {
        let scale = Scale::of(&[line("one", &[100, 9_999])]);
        assert_eq!((scale.low, scale.high), (100.0, 10_000.0));
        assert!((scale.up(1000) - f64::midpoint(TOP, BOTTOM)).abs() < 1e-9);
        assert!((scale.up(10_000) - TOP).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_show_is_a_picture_all_the_same() {
        assert!(draw("none", "tokens", &[line("empty", &[])]).contains("points=\"\""));
        assert!(!draw("none", "tokens", &[line("zero", &[0, 0])]).contains("NaN"));
    }
}
