//! What a program used over time: samples, their slopes and their pictures.

use std::path::Path;

use crate::cache::{bytes_of, files_below};
use crate::report::{Axis, Chart, Series};
use crate::stats::{as_float, percentile};

#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) samples: Vec<Sample>,
    pub(super) tables: Vec<Tables>,
}

/// What the process used at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) hours: f64,
    pub(super) resident_mib: f64,
    /// Files and sockets.
    pub(super) open: f64,
    pub(super) threads: f64,
}

/// What lay in the data directory at a time.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Tables {
    hours: f64,
    /// Files of rows, of all tables.
    pub(super) fragments: f64,
    /// Manifests, of all tables.
    pub(super) versions: f64,
    pub(super) mebibytes: f64,
}

/// Until then everything fills: this share of the time.
const WARMING: f64 = 1.0 / 3.0;
/// Most points of a line in a picture.
const MOST_POINTS: usize = 240;

impl Course {
    /// The samples after the beginning, in which everything fills.
    fn settled(&self) -> &[Sample] {
        &self.samples[(as_float(self.samples.len()) * WARMING).round() as usize..]
    }

    /// What memory, open files and threads gain in an hour.
    pub(super) fn slopes(&self) -> [f64; 3] {
        let of = |value: fn(&Sample) -> f64| {
            slope(&self.settled().iter().map(|sample| (sample.hours, value(sample))).collect::<Vec<_>>())
        };
        [of(|sample| sample.resident_mib), of(|sample| sample.open), of(|sample| sample.threads)]
    }

    /// The memory once everything has filled, and at the end.
    pub(super) fn ends(&self) -> [f64; 2] {
        let memory: Vec<f64> = self.settled().iter().map(|sample| sample.resident_mib).collect();
        let part = memory.len().div_ceil(20);
        [&memory[..part], &memory[memory.len() - part..]].map(|part| percentile(part, 500))
    }

    pub(super) fn charts(&self) -> Vec<Vec<Chart>> {
        let (samples, tables) = (thinned(&self.samples), thinned(&self.tables));
        let sampled = |name, of: fn(&Sample) -> f64| {
            series(name, samples.iter().map(|sample| (sample.hours * 60.0, of(sample))).collect())
        };
        let looked = |name, of: fn(&Tables) -> f64| {
            series(name, tables.iter().map(|tables| (tables.hours * 60.0, of(tables))).collect())
        };
        let memory = chart("memory, MiB", vec![sampled("resident memory", |sample| sample.resident_mib)]);
        let open =
            [sampled("open files and sockets", |sample| sample.open), sampled("threads", |sample| sample.threads)];
        let files = [looked("fragments", |tables| tables.fragments), looked("versions", |tables| tables.versions)];
        let disk = chart("data directory, MiB", vec![looked("on disk", |tables| tables.mebibytes)]);
        vec![vec![memory, chart("open files and threads", open.into())], vec![chart("tables", files.into()), disk]]
    }
}

impl Tables {
    /// What lies in a data directory now; what vanishes meanwhile is not counted.
    pub(super) fn of(data: &Path, hours: f64) -> Self {
        let files = (0..5).find_map(|_| files_below(data).ok()).unwrap_or_default();
        let is_in = |file: &Path, folder: &str| {
            let mut above = file.ancestors().skip(1);
            above.next().is_some_and(|parent| parent.ends_with(folder))
                && above.next().and_then(Path::extension).is_some_and(|kind| kind == "lance")
        };
        let within = |folder| as_float(files.iter().filter(|file| is_in(file, folder)).count());
        let bytes: u64 = files.iter().filter_map(|file| bytes_of(std::slice::from_ref(file)).ok()).sum();
        let mebibytes = bytes as f64 / 1024.0 / 1024.0;
        Self { hours, fragments: within("data"), versions: within("_versions"), mebibytes }
    }
}

/// The slope by Theil and Sen: the median of the slopes through all pairs of points; 0 without two.
fn slope(points: &[(f64, f64)]) -> f64 {
    let pairs =
        points.iter().enumerate().flat_map(|(place, one)| points[place + 1..].iter().map(move |other| (one, other)));
    let slopes = pairs.filter(|(one, other)| other.0 > one.0).map(|(one, other)| (other.1 - one.1) / (other.0 - one.0));
    percentile(&slopes.collect::<Vec<f64>>(), 500)
}

/// Every so many items, so that they are not too many to be drawn.
fn thinned<T: Copy>(items: &[T]) -> Vec<T> {
    items.iter().step_by(items.len().div_ceil(MOST_POINTS).max(1)).copied().collect()
}

fn series(name: &str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), points }
}

fn chart(title: &str, series: Vec<Series>) -> Chart {
    let all = || series.iter().flat_map(|series| series.points.iter());
    let [across, mut up] = [all().map(|point| point.0).collect(), all().map(|point| point.1).collect::<Vec<f64>>()];
    up.push(0.0);
    let axes = [Axis::linear("minutes", &across), Axis::linear("", &up)];
    let [across, up] = axes;
    Chart { title: title.to_owned(), across, up, series }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_line_is_found_beside_what_lies_far_from_it() {
        let line = |hours: f64| (hours, 400.0 + 3.0 * hours);
        let mut points: Vec<(f64, f64)> = (0..200).map(|step| line(f64::from(step) / 100.0)).collect();
        for outlier in points.iter_mut().step_by(7) {
            outlier.1 += 5000.0;
        }
        assert!((slope(&points) - 3.0).abs() < 0.5, "{}", slope(&points));
        assert_eq!((slope(&points[..1]), slope(&[])), (0.0, 0.0));
    }

    #[test]
    fn a_saw_has_no_slope_and_the_time_in_which_everything_fills_does_not_count() {
        let sample = |step: u32| {
            let resident_mib = f64::from(step.min(100)) + f64::from(step % 10);
            Sample { hours: f64::from(step) / 300.0, resident_mib, open: 5.0, threads: f64::from(step) }
        };
        let course = Course { samples: (0..300).map(sample).collect(), tables: Vec::new() };
        let [memory, open, threads] = course.slopes();
        assert!(memory.abs() < 1.0 && open == 0.0 && (threads - 300.0).abs() < 1e-6, "{memory} {threads}");
        let [settled, end] = course.ends();
        assert!((settled - end).abs() < 2.0 && settled > 100.0);
        assert_eq!(course.charts().concat().len(), 4);
    }

    #[test]
    fn fragments_and_versions_of_all_tables_are_counted() {
        let home = tempfile::tempdir().unwrap();
        for file in [
            "../data/journal",
            "turns.lance/data/a",
            "turns.lance/data/b",
            "turns.lance/_versions/1",
            "points.lance/data/c",
            "x",
        ] {
            let path = home.path().join("lance").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "1234").unwrap();
        }
        let found = Tables::of(home.path(), 0.5);
        assert_eq!((found.fragments, found.versions), (3.0, 1.0));
        assert!(found.mebibytes > 0.0);
    }
}
