//! A rectangle of a sheet with two axes, and the series that are drawn in it.
//!
//! It must not know what they mean.

use super::labels::{Area, LINE, beside, spread};
use super::{Anchor, FONT_SIZE, Look, MARK, Place, Scale, Sheet, width_of};

/// One axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// What it measures, with its unit.
    pub(crate) title: String,
    /// Where values lie on it.
    pub(crate) scale: Scale,
}

/// Points that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// What stands beside it.
    pub(crate) name: String,
    /// How it is drawn.
    pub(crate) look: Look,
    /// Its values on the lower and on the left axis, in the order in which a line goes through them.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A rectangle with an axis below it and one on its left.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    /// Where its upper left corner lies.
    pub(crate) corner: Place,
    /// How wide and how high it is.
    pub(crate) size: (f64, f64),
    /// The axis below.
    pub(crate) across: Axis,
    /// The axis on the left; its title is written above it.
    pub(crate) up: Axis,
}

const GRID: &str = "#e0e0e0";
const LEADER: &str = "#999999";
/// Lines through more points than this have none of them marked.
const MOST_MARKS: usize = 12;
/// How far behind the right side the names of lines begin.
const NAMES: f64 = 24.0;

impl Panel {
    /// Draws heading, axes and grid.
    pub(crate) fn frame(&self, sheet: &mut Sheet, heading: &str) {
        let Area {
            left,
            top,
            right,
            bottom,
        } = self.area();
        sheet.heading((left, top - 30.0), heading);
        sheet.text((left, top - 12.0), Anchor::Start, &self.up.title);
        for (value, text) in self.up.scale.ticks() {
            let y = self.height_of(value);
            sheet.segment(((left, y), (right, y)), GRID);
            sheet.text((left - 8.0, y + 4.0), Anchor::End, &text);
        }
        for (value, text) in self.across.scale.ticks() {
            let x = self.place_of((value, 0.0)).0;
            sheet.segment(((x, bottom), (x, bottom + 5.0)), LEADER);
            sheet.text((x, bottom + 20.0), Anchor::Middle, &text);
        }
        let middle = f64::midpoint(left, right);
        sheet.text((middle, bottom + 40.0), Anchor::Middle, &self.across.title);
    }

    /// Draws a line through the points of each series, the last series in front, with its name behind its end.
    pub(crate) fn lines(&self, sheet: &mut Sheet, all: &[Series]) {
        let area = self.area();
        for series in all {
            let places: Vec<Place> = series.points.iter().map(|point| self.place_of(*point)).collect();
            sheet.polyline(&places, series.look);
            if places.len() <= MOST_MARKS {
                places.iter().for_each(|place| sheet.mark(*place, series.look));
            }
        }
        let ends = all
            .iter()
            .map(|series| series.points.last().map(|point| self.place_of(*point)));
        let ends: Vec<Place> = ends.map(|end| end.unwrap_or((area.right, area.bottom))).collect();
        let wanted: Vec<f64> = ends.iter().map(|(_, y)| *y).collect();
        let heights = spread(&wanted, LINE, (area.top, area.bottom));
        for ((series, (x, y)), height) in all.iter().zip(ends).zip(heights) {
            let name = area.right + NAMES;
            sheet.segment(((x + MARK, y), (name - 4.0, height)), series.look.color);
            sheet.text((name, height + FONT_SIZE / 3.0), Anchor::Start, &series.name);
        }
    }

    /// Marks the points of each series, with its name beside the last one.
    pub(crate) fn marks(&self, sheet: &mut Sheet, all: &[Series]) {
        let marked: Vec<(&Series, Place)> = all
            .iter()
            .filter_map(|series| Some((series, self.place_of(*series.points.last()?))))
            .collect();
        let widths: Vec<(Place, f64)> = marked
            .iter()
            .map(|(series, place)| (*place, width_of(&series.name)))
            .collect();
        let labels = beside(&widths, &self.area());
        for ((_, (x, y)), label) in marked.iter().zip(&labels) {
            let near = label.nearest((*x, *y));
            if (near.0 - x).hypot(near.1 - y) > 2.5 * MARK {
                sheet.segment(((*x, *y), near), LEADER);
            }
        }
        for series in all {
            let places = series.points.iter().map(|point| self.place_of(*point));
            places.for_each(|place| sheet.mark(place, series.look));
        }
        for ((series, (x, _)), label) in marked.iter().zip(labels) {
            let baseline = f64::midpoint(label.top, label.bottom) + FONT_SIZE / 3.0;
            let (near, anchor) = match *x {
                x if x < label.left => (label.left, Anchor::Start),
                x if x > label.right => (label.right, Anchor::End),
                _ => (f64::midpoint(label.left, label.right), Anchor::Middle),
            };
            sheet.text((near, baseline), anchor, &series.name);
        }
    }

    fn area(&self) -> Area {
        let ((left, top), (width, height)) = (self.corner, self.size);
        Area {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    }

    fn place_of(&self, (across, up): (f64, f64)) -> Place {
        let x = self.corner.0 + self.size.0 * self.across.scale.share(across);
        (x, self.height_of(up))
    }

    fn height_of(&self, value: f64) -> f64 {
        self.corner.1 + self.size.1 * (1.0 - self.up.scale.share(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        let axis = |title: &str, scale| Axis {
            title: title.to_owned(),
            scale,
        };
        Panel {
            corner: (100.0, 50.0),
            size: (400.0, 200.0),
            across: axis("tokens", Scale::of_values(&[500.0, 1000.0, 2000.0])),
            up: axis("share", Scale::linear([0.0, 1.0])),
        }
    }

    fn series(name: &str, points: &[(f64, f64)]) -> Series {
        Series {
            name: name.to_owned(),
            look: Look::nth(1),
            points: points.to_vec(),
        }
    }

    #[test]
    fn a_frame_names_both_axes() {
        let mut sheet = Sheet::new(600.0, 300.0);
        panel().frame(&mut sheet, "some picture");
        let svg = sheet.finished();
        for text in [">tokens<", ">share<", ">some picture<", ">500<", ">2k<", ">0.4<"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn lines_go_from_corner_to_corner_and_have_a_name_each() {
        let mut sheet = Sheet::new(600.0, 300.0);
        let all = [
            series("one", &[(500.0, 0.0), (2000.0, 1.0)]),
            series("two", &[(500.0, 0.5), (1000.0, 0.5), (2000.0, 1.0)]),
            series("nothing", &[]),
        ];
        panel().lines(&mut sheet, &all);
        let svg = sheet.finished();
        assert!(svg.contains("points=\"100.0,250.0 500.0,50.0\""), "{svg}");
        assert!(svg.contains("points=\"100.0,150.0 300.0,150.0 500.0,50.0\""), "{svg}");
        // Both lines end at the top; their names do not.
        assert!(svg.contains("y=\"54.0\" text-anchor=\"start\"") && svg.contains("y=\"69.0\" text-anchor=\"start\""));
        assert!([">one<", ">two<", ">nothing<"].iter().all(|name| svg.contains(name)));
    }

    #[test]
    fn marks_on_one_place_are_all_named() {
        let mut sheet = Sheet::new(600.0, 300.0);
        panel().marks(
            &mut sheet,
            &[series("one", &[(1000.0, 0.5)]), series("two", &[(1000.0, 0.5)])],
        );
        let svg = sheet.finished();
        assert_eq!(svg.matches("<polygon").count(), 2);
        assert!(svg.contains(">one<") && svg.contains(">two<"));
    }
}
