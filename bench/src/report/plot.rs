//! Charts as SVG text: dark on a white ground, readable without any stylesheet, with a legend beside each.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, LineSeries, RGBColor,
    SVGBackend, Text, WHITE,
};

use crate::{BenchError, Failing};

#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// The axis below.
    pub(crate) across: Axis,
    /// The axis on the left; its title is written above it.
    pub(crate) up: Axis,
    /// What is drawn, the last one in front; a series of one point is a mark, others are lines.
    pub(crate) series: Vec<Series>,
}

/// One axis, from the first of the values that are written beside it to the last.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    title: &'static str,
    is_logarithmic: bool,
    ticks: Vec<f64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// What the legend calls it.
    pub(crate) name: String,
    /// Its values on the lower and on the left axis, in the order in which a line goes through them.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Pixels of a chart with its legend, and of the legend.
const CELL: (u32, u32) = (720, 420);
const LEGEND: u32 = 250;
/// Colours that people with any colour vision can tell apart.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x76, 0x76, 0x76),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x00, 0x00),
];
const GRID: RGBColor = RGBColor(0xe0, 0xe0, 0xe0);
const FONT: &str = "sans-serif";
/// Lines through more points than this have none of them marked.
const MOST_MARKS: usize = 12;

/// The charts as one picture, row by row.
///
/// # Errors
/// When they cannot be drawn.
pub(crate) fn draw(rows: &[Vec<Chart>]) -> Result<String, BenchError> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let size = |cell: u32, count: usize| cell.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    const FAILED: &str = "a picture cannot be drawn";
    let mut svg = String::new();
    let root =
        SVGBackend::with_string(&mut svg, (size(CELL.0, columns), size(CELL.1, rows.len().max(1)))).into_drawing_area();
    root.fill(&WHITE).because(FAILED)?;
    let cells = root.split_evenly((rows.len().max(1), columns));
    for (row, charts) in rows.iter().enumerate() {
        for (cell, chart) in cells.iter().skip(row * columns).zip(charts) {
            chart.draw(cell).because(FAILED)?;
        }
    }
    root.present().because(FAILED)?;
    drop(cells);
    drop(root);
    Ok(svg)
}

impl Chart {
    fn draw<B: DrawingBackend>(
        &self,
        cell: &DrawingArea<B, plotters::coord::Shift>,
    ) -> Result<(), plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
        let (panel, legend) = cell.split_horizontally(CELL.0 - LEGEND);
        let mut chart = ChartBuilder::on(&panel)
            .caption(&self.title, (FONT, 14).into_font())
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(self.across.clone(), self.up.clone())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(GRID)
            .bold_line_style(GRID)
            .x_desc(self.across.title)
            .y_desc(self.up.title)
            .draw()?;
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            if series.points.len() <= MOST_MARKS {
                chart.draw_series(series.points.iter().map(|place| Circle::new(*place, 4, colour.filled())))?;
            }
            if series.points.len() > 1 {
                chart.draw_series(LineSeries::new(series.points.iter().copied(), colour.stroke_width(2)))?;
            }
            let height = 40 + 20 * i32::try_from(index).unwrap_or_default();
            legend.draw(&Circle::new((10, height), 4, colour.filled()))?;
            legend.draw(&Text::new(series.name.clone(), (22, height - 6), (FONT, 12).into_font()))?;
        }
        Ok(())
    }
}

impl Axis {
    /// Equal differences are equal distances: from a round value at or below all values to one at or above them, in about five
    /// steps.
    pub(crate) fn linear(title: &'static str, values: &[f64]) -> Self {
        let [least, most] = bounds(values);
        let most = most.max(least + 1e-3);
        let power = 10_f64.powf(((most - least) / 5.0).log10().floor());
        let mut steps = [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter();
        let step = steps.find(|step| 5.0 * step >= most - least).unwrap_or(10.0 * power);
        let numbers = (least / step).floor() as i64..=(most / step).ceil() as i64;
        Self { title, is_logarithmic: false, ticks: numbers.map(|number| number as f64 * step).collect() }
    }

    /// Equal factors are equal distances: from one of 1, 2, 5, 10 and so on at or below all values to one at or above them.
    pub(crate) fn logarithmic(title: &'static str, values: &[f64]) -> Self {
        let [least, most] = bounds(values);
        let ticks = (0..12).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
        let mut ticks: Vec<f64> = ticks.collect();
        let first = ticks.partition_point(|tick| *tick <= least).saturating_sub(1);
        let last = ticks.partition_point(|tick| *tick < most).max(first + 1);
        ticks.truncate(last + 1);
        Self { title, is_logarithmic: true, ticks: ticks.split_off(first) }
    }

    /// Where a value lies: at 0 on the lower end, at 1 on the upper one.
    fn share(&self, value: f64) -> f64 {
        let Range { start, end } = self.range();
        let place = |value: f64| if self.is_logarithmic { value.max(start).ln() } else { value };
        (place(value) - place(start)) / (place(end) - place(start))
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (f64::from(to - from) * self.share(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.ticks.first().copied().unwrap_or(0.0)..self.ticks.last().copied().unwrap_or(1.0)
    }
}

impl ValueFormatter<f64> for Axis {
    /// As people write it on an axis: `0.2`, `500`, `20k`.
    fn format_ext(&self, value: &f64) -> String {
        if *value >= 1e3 { format!("{}k", value / 1e3) } else { ((value * 1e4).round() / 1e4).to_string() }
    }
}

/// The least and the greatest of the values; 0 and 1 without any.
fn bounds(values: &[f64]) -> [f64; 2] {
    let bound = |of: fn(f64, f64) -> f64| values.iter().copied().reduce(of);
    [bound(f64::min).unwrap_or(0.0), bound(f64::max).unwrap_or(1.0)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn axes_begin_and_end_at_round_values_around_what_is_drawn() {
        let written = |axis: Axis| axis.ticks.iter().map(|tick| axis.format_ext(tick)).collect::<Vec<_>>();
        assert_eq!(written(Axis::linear("", &[0.576, 0.885])), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert_eq!(written(Axis::linear("", &[1.0, 94.0])), ["0", "20", "40", "60", "80", "100"]);
        let axis = Axis::logarithmic("", &[100.0, 9_999.0]);
        assert!((axis.share(1000.0) - 0.5).abs() < 1e-9 && (axis.share(10_000.0) - 1.0).abs() < 1e-9);
        assert_eq!(written(axis), ["100", "200", "500", "1k", "2k", "5k", "10k"]);
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
        let svg = draw(&[vec![chart.clone(), chart]]).unwrap();
        assert_eq!(svg.matches("#767676").count(), 2 * (1 + 2 + 1), "a line, its marks and the legend's: {svg}");
        assert_eq!(svg.matches("<circle").count(), 2 * (2 + 1 + 3));
        assert!(svg.contains("nothing") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(draw(&[]).is_ok());
    }
}
