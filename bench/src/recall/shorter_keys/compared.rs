//! What rankings by shorter keys find, beside those by the keys as they are read.
//!
//! It must not know how keys are shortened.

use comfy_table::Table;

use super::super::arms::BOTH_LAYERS;
use super::super::rankings::{Asking, Material, full_pipeline};
use super::super::report::{MINUS, points, share};
use super::super::results::{Measure, Results};
use super::super::sizes;
use super::asking::{Attention, BySchemes};
use super::keys::Shape;
use super::schemes::{SCHEMES, Scheme, WHOLE};
use crate::bootstrap::{Interval, Resamples};
use crate::metrics::{DEPTHS, SHALLOW_DEPTHS, Scores, as_float, measure};
use crate::ranking::{by_score, completed};
use crate::report::{Row, table};

/// The rankings after every scheme.
pub(crate) struct Compared {
    /// Those that could be applied to every conversation, with the bytes that they keep per token of a main point.
    schemes: Vec<(&'static Scheme, f64)>,
    turns: usize,
    /// The candidates by attention alone, under the schemes' names.
    among: Results,
    /// The same by the full pipeline.
    pipeline: Results,
}

/// The beginnings of the arms; `-keys-` and a scheme's name follow.
const AMONG: &str = "attention-among";
const PIPELINE: &str = "full-pipeline";
/// The measures of which differences are shown: `recall_all` at 5 and at 10.
const SHOWN: [Measure; 2] = [Measure::RecallAll(0), Measure::RecallAll(1)];

impl Compared {
    /// Ranks the candidates of every question by every scheme's attention.
    #[must_use]
    pub(super) fn of(materials: &[Material<'_>], asked: &[BySchemes]) -> Self {
        let everywhere = |scheme: &&Scheme| {
            let has = |schemes: &BySchemes| schemes.iter().any(|(found, _)| found.name == scheme.name);
            asked.iter().all(has)
        };
        let shapes = shapes_of(materials);
        let schemes = SCHEMES.iter().filter(everywhere);
        let mut compared = Self {
            schemes: schemes
                .map(|scheme| (scheme, each_token(&shapes, |shape| scheme.bytes(shape))))
                .collect(),
            turns: materials.iter().map(|material| material.conversation.turns.len()).sum(),
            among: Results::default(),
            pipeline: Results::default(),
        };
        for (material, asked) in materials.iter().zip(asked) {
            compared.add(material, asked);
        }
        compared
    }

    fn add(&mut self, material: &Material<'_>, asked: &[(&'static Scheme, Attention)]) {
        let conversation = material.conversation;
        let sizes = sizes(material);
        for (index, question) in conversation.questions.iter().enumerate() {
            let Some(asking) = material.asking(index) else {
                continue;
            };
            let judged = |ranking: &[usize]| {
                let ranking = completed(ranking, conversation.turns.len());
                measure(&conversation.judged(&ranking), &question.evidence, &sizes)
            };
            let both = |asking: &Asking<'_>| (judged(&by_attention(asking)), judged(&full_pipeline(asking)));
            let mut scores: Vec<(&'static str, (Scores, Scores))> = Vec::new();
            for (scheme, _) in &self.schemes {
                let found = asked.iter().find(|(found, _)| found.name == scheme.name);
                let attention = found.and_then(|(_, attention)| attention.get(index));
                let Some(attention_among) = attention.map(Vec::as_slice) else {
                    continue;
                };
                let with_scheme = Asking {
                    attention_among,
                    periods: asking.periods.clone(),
                    ..asking
                };
                scores.push((scheme.name, both(&with_scheme)));
            }
            let groups = vec![question.category.clone()];
            let among = scores.iter().map(|(name, (among, _))| (*name, *among));
            self.among.add(groups.clone(), among);
            let pipeline = scores.iter().map(|(name, (_, pipeline))| (*name, *pipeline));
            self.pipeline.add(groups, pipeline);
        }
    }

    /// Every scheme with its bytes, what it finds, and the differences to the keys as they are read.
    #[must_use]
    pub(crate) fn table(&self, resamples: &Resamples) -> Table {
        let mut table = table([
            "keys",
            "bytes a token",
            "attention @5",
            "points, 95 % interval",
            "attention @10",
            "points, 95 % interval",
            "pipeline @5",
            "points, 95 % interval",
            "pipeline @10",
            "points, 95 % interval",
        ]);
        for (scheme, bytes) in &self.schemes {
            let name = scheme.name;
            let mut cells = vec![scheme.title.to_owned(), format!("{bytes:.0}")];
            for results in [&self.among, &self.pipeline] {
                for measure in SHOWN {
                    cells.push(share(measure.of(&results.mean(name, None))));
                    let found = difference(results, (name, measure), resamples);
                    cells.push(if name == WHOLE {
                        String::new()
                    } else {
                        format!(
                            "{} ({} to {})",
                            points(found.mean),
                            points(found.low),
                            points(found.high)
                        )
                    });
                }
            }
            table.add_row(cells);
        }
        table
    }

    /// The same for machines, and more depths.
    #[must_use]
    pub(crate) fn rows(&self, bench: &str, resamples: &Resamples) -> Vec<Row> {
        let mut rows = Vec::new();
        for (scheme, bytes) in &self.schemes {
            let (name, bytes) = (scheme.name, *bytes);
            for (results, base) in [(&self.among, AMONG), (&self.pipeline, PIPELINE)] {
                let (arm, whole) = (arm(base, name), arm(base, WHOLE));
                let mut add = |metric: String, arm: String, interval: Interval| {
                    rows.push(Row::new(bench, metric, arm, interval).over(results.questions()));
                };
                for measure in measures() {
                    let interval = resamples.interval(&results.values(name, measure));
                    add(measure.name(), arm.clone(), interval);
                }
                if name != WHOLE {
                    for measure in SHOWN {
                        let found = difference(results, (name, measure), resamples);
                        add(measure.name(), format!("{arm}{MINUS}{whole}"), found);
                    }
                }
            }
            let interval = Interval {
                mean: bytes,
                low: bytes,
                high: bytes,
            };
            rows.push(Row::new(bench, "key_bytes_a_token", arm(PIPELINE, name), interval).over(self.turns));
        }
        rows
    }
}

/// The candidates by attention, best first.
fn by_attention(asking: &Asking<'_>) -> Vec<usize> {
    let order = by_score(asking.attention_among).into_iter();
    order.filter(|turn| asking.attention_among[*turn] > f32::MIN).collect()
}

/// The shapes of all blocks that are stored.
fn shapes_of(materials: &[Material<'_>]) -> Vec<Shape> {
    let readings = materials.iter().filter_map(|material| material.reading(BOTH_LAYERS));
    let turns = readings.flat_map(|reading| &reading.turns);
    let passages = turns.flat_map(|turn| &turn.passages);
    passages.filter_map(|passage| Shape::of(&passage.keys)).collect()
}

/// Bytes of all blocks per token of a main point.
fn each_token(shapes: &[Shape], bytes: impl Fn(Shape) -> usize) -> f64 {
    let tokens: usize = shapes.iter().map(|shape| shape.tokens).sum();
    as_float(shapes.iter().map(|shape| bytes(*shape)).sum()) / as_float(tokens.max(1))
}

fn difference(results: &Results, (name, measure): (&str, Measure), resamples: &Resamples) -> Interval {
    resamples.difference(&results.values(name, measure), &results.values(WHOLE, measure))
}

fn arm(base: &str, name: &str) -> String {
    format!("{base}-keys-{name}")
}

fn measures() -> impl Iterator<Item = Measure> {
    let shallow = (0..SHALLOW_DEPTHS.len()).map(Measure::RecallAllShallow);
    let depths = (0..DEPTHS.len()).map(Measure::RecallAll);
    depths.chain(shallow).chain([Measure::Ndcg])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared() -> Compared {
        let scores = |found: f64| Scores {
            recall_all: [found; 4],
            ..Scores::default()
        };
        let mut results = Results::default();
        for question in 0..10_u8 {
            let found = f64::from(question % 2);
            let both = [(WHOLE, scores(1.0)), ("bits-1", scores(found))];
            results.add(vec!["some".to_owned()], both);
        }
        let token = Shape {
            slots: 2,
            width: 256,
            tokens: 1,
        };
        let schemes = SCHEMES.iter().filter(|scheme| [WHOLE, "bits-1"].contains(&scheme.name));
        Compared {
            schemes: schemes.map(|scheme| (scheme, as_float(scheme.bytes(token)))).collect(),
            turns: 4,
            among: results.clone(),
            pipeline: results,
        }
    }

    #[test]
    fn rows_hold_every_scheme_and_its_differences() {
        let rows = compared().rows("some-bench", &Resamples::draw(10, 100, 1));
        let value = |metric: &str, arm: &str| {
            let row = rows.iter().find(|row| row.metric == metric && row.arm == arm);
            row.map(|row| row.value)
        };
        assert_eq!(value("recall_all@10", "attention-among-keys-int8"), Some(1.0));
        assert_eq!(value("recall_all@10", "attention-among-keys-bits-1"), Some(0.5));
        assert_eq!(value("recall_all@5", "full-pipeline-keys-bits-1"), Some(0.5));
        assert_eq!(
            value("recall_all@5", "full-pipeline-keys-bits-1 − full-pipeline-keys-int8"),
            Some(-0.5)
        );
        assert_eq!(value("key_bytes_a_token", "full-pipeline-keys-bits-1"), Some(68.0));
        assert_eq!(value("key_bytes_a_token", "full-pipeline-keys-int8"), Some(520.0));
    }

    #[test]
    fn the_table_shows_bytes_and_differences() {
        let text = compared().table(&Resamples::draw(10, 100, 1)).to_string();
        let line = text.lines().find(|line| line.contains("1 bit a coordinate"));
        let line = line.unwrap_or_default();
        assert!(
            line.contains("68") && line.contains("0.500") && line.contains("-50.0 ("),
            "{text}"
        );
        assert!(text.contains("520"), "{text}");
    }

    #[test]
    fn bytes_are_shared_out_over_all_tokens() {
        let shape = |tokens| Shape {
            slots: 2,
            width: 256,
            tokens,
        };
        let pooled = each_token(&[shape(3), shape(1)], |shape| 520 * shape.tokens.min(1));
        assert!((pooled - 260.0).abs() < 1e-9);
        assert!((each_token(&[shape(3), shape(0)], |shape| 520 * shape.tokens) - 520.0).abs() < 1e-9);
    }
}
