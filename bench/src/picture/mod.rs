//! Pictures of numbers as SVG text: dark on a white ground, readable without any stylesheet.
//!
//! Responsible for the elements, the colors and the size of letters. It must not know what the numbers are.

mod labels;
mod panel;
mod scale;

use std::fmt::Write;

pub(crate) use self::panel::{Axis, Panel, Series};
pub(crate) use self::scale::Scale;
use crate::metrics::as_float;

/// A place on a sheet: how far from its left, how far from its top.
pub(crate) type Place = (f64, f64);

/// A picture that is being drawn.
pub(crate) struct Sheet {
    svg: String,
}

/// Which part of a text lies at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// How a series is drawn: color, shape and dashes tell it apart, so that no one of them has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    color: &'static str,
    shape: Shape,
    dashes: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
}

/// The height of letters.
const FONT_SIZE: f64 = 12.0;
/// The width of an average letter, rather too wide than too narrow, since fonts differ.
const LETTER: f64 = 0.6 * FONT_SIZE;
const INK: &str = "#333333";
/// Colors that people with any color vision can tell apart.
const COLORS: [&str; 8] = [
    "#767676", "#e69f00", "#cc79a7", "#0072b2", "#009e73", "#56b4e9", "#d55e00", "#000000",
];
const SHAPES: [Shape; 4] = [Shape::Circle, Shape::Square, Shape::Diamond, Shape::Triangle];
/// Solid lines first; then each color comes again, dashed.
const DASHES: [&str; 3] = ["", "6 3", "2 3"];
/// Half the width of a mark.
const MARK: f64 = 4.5;

impl Sheet {
    /// An empty white sheet.
    #[must_use]
    pub(crate) fn new(width: f64, height: f64) -> Self {
        let mut sheet = Self { svg: String::new() };
        sheet.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             font-size=\"{FONT_SIZE}\">"
        ));
        sheet.add(format_args!(
            "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
        ));
        sheet
    }

    /// A line of text.
    pub(crate) fn text(&mut self, (x, y): Place, anchor: Anchor, text: &str) {
        let (anchor, text) = (anchor.name(), escaped(text));
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{INK}\">{text}</text>"
        ));
    }

    /// A line of text in bold letters.
    pub(crate) fn heading(&mut self, (x, y): Place, text: &str) {
        let text = escaped(text);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-weight=\"bold\" fill=\"{INK}\">{text}</text>"
        ));
    }

    /// The picture as a file of its own.
    #[must_use]
    pub(crate) fn finished(mut self) -> String {
        self.add(format_args!("</svg>"));
        self.svg
    }

    /// A thin straight line.
    fn segment(&mut self, (from, to): (Place, Place), color: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>"
        ));
    }

    /// A line through places.
    fn polyline(&mut self, places: &[Place], look: Look) {
        let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (points, Look { color, dashes, .. }) = (points.join(" "), look);
        self.add(format_args!(
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\" \
             points=\"{points}\"/>"
        ));
    }

    /// A mark in a look's shape.
    fn mark(&mut self, (x, y): Place, look: Look) {
        let Look { color, shape, .. } = look;
        let (left, right, top, bottom) = (x - MARK, x + MARK, y - MARK, y + MARK);
        let outline = match shape {
            Shape::Circle => {
                self.add(format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{MARK}\" fill=\"{color}\"/>"
                ));
                return;
            }
            Shape::Square => [(left, top), (right, top), (right, bottom), (left, bottom)].to_vec(),
            Shape::Diamond => [(x, top), (right, y), (x, bottom), (left, y)].to_vec(),
            Shape::Triangle => [(x, top), (right, bottom), (left, bottom)].to_vec(),
        };
        let corners: Vec<String> = outline.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let corners = corners.join(" ");
        self.add(format_args!("<polygon points=\"{corners}\" fill=\"{color}\"/>"));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.svg, "{element}");
    }
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

impl Look {
    /// The look of one of many series.
    #[must_use]
    pub(crate) fn nth(index: usize) -> Self {
        Self {
            color: COLORS[index % COLORS.len()],
            shape: SHAPES[index % SHAPES.len()],
            dashes: DASHES[(index / COLORS.len()) % DASHES.len()],
        }
    }
}

/// How wide a text is at most.
fn width_of(text: &str) -> f64 {
    as_float(text.chars().count()) * LETTER
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_a_white_picture_of_its_own() {
        let mut sheet = Sheet::new(100.0, 50.0);
        sheet.text((1.0, 2.0), Anchor::End, "one <b> & two");
        let svg = sheet.finished();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("<rect width=\"100\" height=\"50\" fill=\"#ffffff\"/>"));
        assert!(svg.contains("text-anchor=\"end\"") && svg.contains("one &lt;b&gt; &amp; two"));
    }

    #[test]
    fn no_two_of_many_series_look_alike() {
        let looks: Vec<Look> = (0..24).map(Look::nth).collect();
        for (place, look) in looks.iter().enumerate() {
            assert!(!looks[..place].contains(look), "{place}");
        }
    }
}
