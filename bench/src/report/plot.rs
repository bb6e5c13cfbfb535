//! Charts as SVG text: dark on a white ground, readable without any stylesheet, with a legend beside each.
//!
//! It must not know what the numbers are.

use std::fmt::Write;

use crate::stats::as_float;

/// Series between two axes.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// What stands above it.
    pub(crate) title: String,
    /// The axis below.
    pub(crate) across: Axis,
    /// The axis on the left; its title is written above it.
    pub(crate) up: Axis,
    /// What is drawn, the last one in front; a series of one point is a mark, others are lines.
    pub(crate) series: Vec<Series>,
}

/// One axis: where values lie on it, and which of them are written beside it.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    title: String,
    is_logarithmic: bool,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

/// Points that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// What the legend calls it.
    pub(crate) name: String,
    /// Its values on the lower and on the left axis, in the order in which a line goes through them.
    pub(crate) points: Vec<(f64, f64)>,
}

/// The size of a chart's rectangle, and of everything with axes and legend.
const PANEL: (f64, f64) = (400.0, 290.0);
const CELL: (f64, f64) = (700.0, 420.0);
/// Where the rectangle's upper left corner lies in its cell.
const CORNER: (f64, f64) = (70.0, 70.0);
/// Colours that people with any colour vision can tell apart.
const COLOURS: [&str; 8] = ["#767676", "#e69f00", "#cc79a7", "#0072b2", "#009e73", "#56b4e9", "#d55e00", "#000000"];
const INK: &str = "#333333";
const GRID: &str = "#e0e0e0";
/// Lines through more points than this have none of them marked.
const MOST_MARKS: usize = 12;

/// The charts as one picture, row by row.
pub(crate) fn draw(rows: &[Vec<Chart>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (width, height) = (CELL.0 * as_float(columns), CELL.1 * as_float(rows.len()));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (row, charts) in rows.iter().enumerate() {
        for (at, chart) in charts.iter().enumerate() {
            let place = (CELL.0 * as_float(at), CELL.1 * as_float(row));
            chart.draw(&mut svg, (place.0 + CORNER.0, place.1 + CORNER.1));
        }
    }
    svg + "</svg>\n"
}

impl Chart {
    fn draw(&self, svg: &mut String, (left, top): (f64, f64)) {
        let Self { across, up, .. } = self;
        let (right, bottom) = (left + PANEL.0, top + PANEL.1);
        let x = |value: f64| left + PANEL.0 * across.share(value);
        let y = |value: f64| bottom - PANEL.1 * up.share(value);
        text(svg, (left, top - 34.0), "start", "bold", &self.title);
        text(svg, (left, top - 12.0), "start", "normal", &up.title);
        text(svg, (f64::midpoint(left, right), bottom + 40.0), "middle", "normal", &across.title);
        for (value, written) in up.ticks() {
            line(svg, (left, y(value)), (right, y(value)), GRID);
            text(svg, (left - 8.0, y(value) + 4.0), "end", "normal", &written);
        }
        for (value, written) in across.ticks() {
            line(svg, (x(value), bottom), (x(value), bottom + 5.0), INK);
            text(svg, (x(value), bottom + 20.0), "middle", "normal", &written);
        }
        for (index, series) in self.series.iter().enumerate() {
            let places: Vec<(f64, f64)> = series.points.iter().map(|(one, other)| (x(*one), y(*other))).collect();
            if places.len() > 1 {
                polyline(svg, &places, index);
            }
            if places.len() <= MOST_MARKS {
                places.iter().for_each(|place| mark(svg, *place, index));
            }
            let height = top + 18.0 * as_float(index);
            mark(svg, (right + 20.0, height), index);
            text(svg, (right + 32.0, height + 4.0), "start", "normal", &series.name);
        }
    }
}

impl Axis {
    /// Equal differences are equal distances: from a round value at or below all values to one at or above them, in about
    /// five steps.
    pub(crate) fn linear(title: impl Into<String>, values: &[f64]) -> Self {
        let (least, most) = bounds(values).unwrap_or((0.0, 1.0));
        let most = if most > least { most } else { least + 1.0 };
        let width = (most - least) / 5.0;
        let power = 10_f64.powf(width.log10().floor());
        let steps = [1.0, 2.0, 5.0].map(|digit| digit * power);
        let step = steps.into_iter().find(|step| *step >= width * (1.0 - 1e-9));
        let step = step.unwrap_or(10.0 * power);
        // A value that lies on a step must not be pushed to the next one by the last digit.
        let low = (least / step + 1e-9).floor() * step;
        let high = (most / step - 1e-9).ceil() * step;
        let ticks = (0..100_u32).map(|number| low + f64::from(number) * step);
        let ticks = ticks.take_while(|tick| *tick < high + step / 2.0).collect();
        Self { title: title.into(), is_logarithmic: false, low, high, ticks }
    }

    /// Equal factors are equal distances: from one of 1, 2, 5, 10 and so on at or below all values to one above them; those
    /// below 1 count as 1.
    pub(crate) fn logarithmic(title: impl Into<String>, values: &[f64]) -> Self {
        let (least, most) = bounds(values).unwrap_or((1.0, 1.0));
        let (least, most) = (least.max(1.0), most.max(1.0));
        let round = || (0..9).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
        let low = round().take_while(|value| *value <= least).last().unwrap_or(1.0);
        let high = round().find(|value| *value > most).unwrap_or(most * 2.0);
        let ticks = round().filter(|value| (low..=high).contains(value)).collect();
        Self { title: title.into(), is_logarithmic: true, low, high, ticks }
    }

    /// Where a value lies: at 0 on the lower end, at 1 on the upper one.
    fn share(&self, value: f64) -> f64 {
        if self.is_logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// The values that are written, as people write them on an axis of such steps: `0.25`, `500`, `20k`, `1M`.
    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let step = self.ticks.windows(2).next().map_or(1.0, |pair| pair[1] - pair[0]);
        self.ticks.iter().map(move |tick| {
            let written = match *tick {
                value if value >= 1e6 => format!("{}M", value / 1e6),
                value if value >= 1e3 => format!("{}k", value / 1e3),
                value if step < 0.1 - 1e-9 => format!("{value:.2}"),
                value if step < 1.0 - 1e-9 => format!("{value:.1}"),
                value => format!("{value:.0}"),
            };
            (*tick, written)
        })
    }
}

fn bounds(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().reduce(f64::min)?;
    Some((least, values.iter().copied().reduce(f64::max)?))
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, weight: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let style = format!("text-anchor=\"{anchor}\" font-weight=\"{weight}\" fill=\"{INK}\"");
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{text}</text>");
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    let places = format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
    let _ = writeln!(svg, "<line {places} stroke=\"{colour}\"/>");
}

fn polyline(svg: &mut String, places: &[(f64, f64)], index: usize) {
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let (points, colour) = (points.join(" "), COLOURS[index % COLOURS.len()]);
    let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{points}\"/>");
}

/// A mark whose shape tells series apart, beside its colour.
fn mark(svg: &mut String, (x, y): (f64, f64), index: usize) {
    let (colour, corners) = (COLOURS[index % COLOURS.len()], 3 + index % 4);
    let corner = |number: usize| {
        let angle = std::f64::consts::TAU * as_float(number) / as_float(corners);
        format!("{:.1},{:.1}", x + 5.5 * angle.sin(), y - 5.5 * angle.cos())
    };
    let points: Vec<String> = (0..corners).map(corner).collect();
    let _ = writeln!(svg, "<polygon points=\"{}\" fill=\"{colour}\"/>", points.join(" "));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(axis: &Axis) -> Vec<String> {
        axis.ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_linear_scale_begins_and_ends_at_round_values() {
        let scale = Axis::linear("", &[0.576, 0.885]);
        assert_eq!(written(&scale), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert!((scale.share(0.7) - 0.5).abs() < 1e-9);
        assert_eq!(written(&Axis::linear("", &[1.0, 94.0])), ["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn equal_factors_are_equal_distances() {
        let scale = Axis::logarithmic("", &[100.0, 9_999.0]);
        assert_eq!(written(&scale), ["100", "200", "500", "1k", "2k", "5k", "10k"]);
        assert!((scale.share(1000.0) - 0.5).abs() < 1e-9 && (scale.share(10_000.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn every_series_is_drawn_and_named_and_nothing_to_show_is_a_picture_all_the_same() {
        let series = |name: &str, points: &[(f64, f64)]| Series { name: name.to_owned(), points: points.to_vec() };
        let chart = Chart {
            title: "some <chart>".to_owned(),
            across: Axis::linear("round", &[1.0, 2.0]),
            up: Axis::logarithmic("tokens", &[0.0]),
            series: vec![
                series("line", &[(1.0, 5.0), (2.0, 1.0)]),
                series("mark", &[(1.0, 1.0)]),
                series("nothing", &[]),
            ],
        };
        let svg = draw(&[vec![chart.clone(), chart]]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<polygon").count(), 2 * (2 + 1 + 3));
        assert!(svg.contains("some &lt;chart&gt;") && svg.contains(">nothing<") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
