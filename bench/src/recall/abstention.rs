//! Whether a search can tell that nothing in the memory bears on a message, and what silence below a margin costs.
//!
//! It must not know how turns are ranked; evidence and margin are the product's.

use std::collections::BTreeMap;

use comfy_table::Table;
use mainpoint::memory::abstention::Evidence;

use super::arms::SHIPPED;
use super::rankings::{Material, full_pipeline};
use super::reading::{Asked, Library, Reading};
use super::{RESAMPLES, SEED};
use crate::BenchError;
use crate::bootstrap::Resamples;
use crate::mann_whitney;
use crate::metrics::as_float;
use crate::ranking::dot;
use crate::recorded::Conversation;
use crate::report::{Report, Row, table};

/// The evidence of every text that was asked, by what there is to find for it.
#[derive(Debug, Default)]
struct Measured {
    groups: BTreeMap<Group, Vec<Evidence>>,
}

/// What there is to find for a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Turns that answer it.
    Answerable,
    /// The same, and the full pipeline finds all of them among its first [`DEPTH`].
    Found,
    /// Nothing, though it asks about what the conversation is about.
    Unanswerable,
    /// Nothing: it is a short message of another conversation, and asks nothing.
    NoQuestion,
}

const NOTE: &str = "How well the evidence of a search tells questions with an answer from texts without one: the area under \
    the ROC curve (.5 tells nothing) over all texts of the set, so that one margin for every conversation is judged. Evidence: \
    the best cosine over all main points of the conversation, the most attention beyond that of \"N/A\", and the sum of both, \
    each standardised over all texts of the set. Unanswerable: LoCoMo's category 5, BEAM's abstention. No question: messages \
    of at most 8 words without a question mark from the other conversations of the set; none if they hold none. Both kinds \
    are resampled.";
const SILENCE_NOTE: &str = "The share of the texts whose best cosine lies below each margin, so that the product would recall \
    nothing (`memory.least_similarity`). Of the first two kinds as little as possible should be silenced, of the others as much.";
const AREA: &str = "abstention_auc";
/// Evidence that a margin could be set on, in the order of [`Measured::scores`].
const ARMS: [&str; 3] = ["cosine", "attention", "cosine+attention"];
const MARGINS: [f32; 6] = [0.05, 0.10, 0.15, 0.20, 0.25, 0.30];
/// First turns among which the pipeline has to find the evidence.
const DEPTH: usize = 10;
/// Most messages without a question for each conversation.
const REMARKS: usize = 40;
/// Most words of one.
const REMARK_WORDS: usize = 8;

/// Measures the conversations and adds the tables to the report; what comes back are the rows.
///
/// # Errors
/// Any failure of the engine or the cache.
pub(super) async fn add(
    library: &mut Library,
    materials: &[Material<'_>],
    (report, heading, bench): (&mut Report, &str, &str),
) -> Result<Vec<Row>, BenchError> {
    let measured = measure(library, materials).await?;
    let areas = measured.areas(bench);
    report.add(format!("{heading}: abstention"), NOTE, area_table(&areas));
    let title = format!("{heading}: share of texts silenced at each margin of the cosine");
    report.add(title, SILENCE_NOTE, measured.silence_table());
    Ok(areas.into_iter().chain(measured.silences(bench)).collect())
}

async fn measure(library: &mut Library, materials: &[Material<'_>]) -> Result<Measured, BenchError> {
    let mut measured = Measured::default();
    for material in materials {
        let (conversation, Some(reading)) = (material.conversation, material.reading(SHIPPED)) else {
            continue;
        };
        let answerable = evidence(&material.asked, reading);
        let found = answerable
            .iter()
            .enumerate()
            .filter(|(index, _)| is_found(material, *index));
        measured.add(Group::Found, found.map(|(_, evidence)| *evidence));
        measured.add(Group::Answerable, answerable.iter().copied());
        let others = materials.iter().map(|other| other.conversation);
        let remarks = remarks(others.filter(|other| other.name != conversation.name));
        let unanswerable = conversation.unanswerable.iter().map(String::as_str);
        let texts: Vec<&str> = unanswerable.chain(remarks).collect();
        if texts.is_empty() {
            continue;
        }
        let asked = library.ask_others(conversation, (SHIPPED, reading), &texts).await?;
        let mut nothing = evidence(&asked, reading).into_iter();
        measured.add(
            Group::Unanswerable,
            nothing.by_ref().take(conversation.unanswerable.len()),
        );
        measured.add(Group::NoQuestion, nothing);
    }
    Ok(measured)
}

/// What a search over everything that was said finds for each text.
fn evidence(asked: &Asked, reading: &Reading) -> Vec<Evidence> {
    let passages = || reading.turns.iter().flat_map(|turn| &turn.passages);
    let texts = asked.vectors.iter().zip(&asked.attention);
    texts
        .map(|(vector, attention)| {
            let embedded = passages().filter(|passage| !passage.vector.is_empty());
            // A turn without passages has the lowest score there is.
            let attention = attention.iter().copied().filter(|score| *score > f32::MIN);
            Evidence::of(embedded.map(|passage| dot(vector, &passage.vector)), attention)
        })
        .collect()
}

fn is_found(material: &Material<'_>, index: usize) -> bool {
    let (question, asking) = (material.conversation.questions.get(index), material.asking(index));
    question.zip(asking).is_some_and(|(question, asking)| {
        let ranking = full_pipeline(&asking);
        let first = &ranking[..DEPTH.min(ranking.len())];
        question.evidence.iter().all(|turn| first.contains(turn))
    })
}

/// Short messages that ask nothing, always the same ones of the same conversations.
fn remarks<'a>(conversations: impl Iterator<Item = &'a Conversation>) -> Vec<&'a str> {
    let turns = conversations.flat_map(|conversation| &conversation.turns);
    let said = turns.filter(|turn| turn.role == "user" && is_remark(&turn.text));
    let mut remarks: Vec<&str> = said.map(|turn| turn.text.as_str()).collect();
    remarks.sort_unstable();
    remarks.dedup();
    fastrand::Rng::with_seed(SEED).shuffle(&mut remarks);
    remarks.truncate(REMARKS);
    remarks
}

fn is_remark(text: &str) -> bool {
    !text.contains('?') && (1..=REMARK_WORDS).contains(&text.split_whitespace().count())
}

impl Group {
    const ALL: [Self; 4] = [Self::Answerable, Self::Found, Self::Unanswerable, Self::NoQuestion];

    fn name(self) -> &'static str {
        match self {
            Self::Answerable => "answerable",
            Self::Found => "answerable, found at 10",
            Self::Unanswerable => "unanswerable",
            Self::NoQuestion => "no question",
        }
    }
}

impl Measured {
    fn add(&mut self, group: Group, evidence: impl Iterator<Item = Evidence>) {
        self.groups.entry(group).or_default().extend(evidence);
    }

    fn of(&self, group: Group) -> &[Evidence] {
        self.groups.get(&group).map(Vec::as_slice).unwrap_or_default()
    }

    /// For each text of a group, how much speaks for recalling something, by each of [`ARMS`].
    fn scores(&self, group: Group) -> Vec<[f64; 3]> {
        let together = [Group::Answerable, Group::Unanswerable, Group::NoQuestion];
        let all: Vec<&Evidence> = together.into_iter().flat_map(|group| self.of(group)).collect();
        let standard = |signal: fn(&Evidence) -> f64| {
            let values: Vec<f64> = all.iter().map(|evidence| signal(evidence)).collect();
            let (mean, deviation) = spread(&values);
            move |evidence: &Evidence| (signal(evidence) - mean) / deviation
        };
        let (near, attended) = (standard(cosine), standard(attention));
        let texts = self.of(group).iter();
        texts
            .map(|evidence| {
                let both = near(evidence) + attended(evidence);
                [cosine(evidence), attention(evidence), both]
            })
            .collect()
    }

    /// How well each kind of evidence tells questions with an answer from each kind of texts without.
    fn areas(&self, bench: &str) -> Vec<Row> {
        let answerable = self.scores(Group::Answerable);
        let mut rows = Vec::new();
        for group in [Group::Unanswerable, Group::NoQuestion] {
            let nothing = self.scores(group);
            for (place, arm) in ARMS.into_iter().enumerate() {
                let of = |texts: &[[f64; 3]]| texts.iter().map(|scores| scores[place]).collect::<Vec<f64>>();
                let interval = mann_whitney::interval(&of(&answerable), &of(&nothing), (RESAMPLES, SEED));
                let row = |interval| Row::new(bench, AREA, format!("{arm}, {}", group.name()), interval);
                rows.extend(interval.map(|interval| row(interval).over(answerable.len() + nothing.len())));
            }
        }
        rows
    }

    /// The share of each group that each margin silences.
    fn silences(&self, bench: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for group in Group::ALL {
            let count = self.of(group).len();
            if count == 0 {
                continue;
            }
            let resamples = Resamples::draw(count, RESAMPLES, SEED);
            for margin in MARGINS {
                let interval = resamples.interval(&self.silenced(group, margin));
                rows.push(Row::new(bench, format!("silenced@{margin:.2}"), group.name(), interval).over(count));
            }
        }
        rows
    }

    /// For each text of a group, 1 if the product would recall nothing, else 0.
    fn silenced(&self, group: Group, margin: f32) -> Vec<f64> {
        let texts = self.of(group).iter();
        texts
            .map(|evidence| if evidence.is_enough(margin) { 0.0 } else { 1.0 })
            .collect()
    }

    fn silence_table(&self) -> Table {
        let margins = MARGINS.map(|margin| format!("{margin:.2}"));
        let header = ["texts", "n"].map(str::to_owned);
        let mut table = table(header.into_iter().chain(margins));
        for group in Group::ALL {
            let count = self.of(group).len();
            let shares = MARGINS.map(|margin| match count {
                0 => String::new(),
                _ => format!(
                    "{:.3}",
                    self.silenced(group, margin).iter().sum::<f64>() / as_float(count)
                ),
            });
            table.add_row([group.name().to_owned(), count.to_string()].into_iter().chain(shares));
        }
        table
    }
}

fn area_table(rows: &[Row]) -> Table {
    let mut table = table(["evidence, against", "AUC", "95 % interval", "texts"]);
    for row in rows {
        table.add_row([
            row.arm.clone(),
            format!("{:.3}", row.value),
            format!("{:.3} to {:.3}", row.low, row.high),
            row.n.to_string(),
        ]);
    }
    table
}

/// -1 where nothing was compared: nothing can be further away.
fn cosine(evidence: &Evidence) -> f64 {
    evidence.cosine.map_or(-1.0, f64::from)
}

/// -1 where nothing was read: nothing can get less.
fn attention(evidence: &Evidence) -> f64 {
    evidence.attention.map_or(-1.0, f64::from)
}

/// Mean and standard deviation; a deviation of 1 where nothing varies.
fn spread(values: &[f64]) -> (f64, f64) {
    let count = as_float(values.len().max(1));
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::reading::{ReadPassage, ReadTurn};
    use crate::recorded::{Turn, Unit};

    fn conversation(texts: &[(&'static str, &str)]) -> Conversation {
        let turn = |&(role, text): &(&'static str, &str)| Turn {
            speaker: "Ann".to_owned(),
            role,
            text: text.to_owned(),
            time: chrono::DateTime::UNIX_EPOCH,
        };
        Conversation {
            name: "some".to_owned(),
            sessions: Vec::new(),
            turns: texts.iter().map(turn).collect(),
            questions: Vec::new(),
            unanswerable: Vec::new(),
            unit: Unit::Turn,
        }
    }

    fn measured() -> Measured {
        let evidence = |cosine: f32, attention: f32| Evidence::of([cosine], [attention]);
        let mut measured = Measured::default();
        let answerable = [evidence(0.6, 0.1), evidence(0.4, 0.3)];
        measured.add(Group::Answerable, answerable.into_iter());
        measured.add(Group::Found, answerable.into_iter().take(1));
        let nothing = [evidence(0.12, 0.2), Evidence::of([0.5], [])];
        measured.add(Group::Unanswerable, nothing.into_iter());
        measured
    }

    #[test]
    fn remarks_are_short_messages_of_users_that_ask_nothing() {
        let one = conversation(&[
            ("user", "Thanks, bye!"),
            ("user", "Thanks, bye!"),
            ("user", "And you?"),
            ("assistant", "Bye!"),
            ("user", " "),
            ("user", "One two three four five six seven eight nine."),
        ]);
        assert_eq!(remarks([&one].into_iter()), ["Thanks, bye!"]);
        let texts: Vec<String> = (0..99).map(|number| format!("Number {number}.")).collect();
        let many: Vec<(&'static str, &str)> = texts.iter().map(|text| ("user", text.as_str())).collect();
        let many = conversation(&many);
        let drawn = remarks([&many].into_iter());
        assert_eq!(drawn.len(), REMARKS);
        assert_eq!(drawn, remarks([&many].into_iter()));
    }

    #[test]
    fn each_kind_of_evidence_is_judged_against_each_kind_that_there_is() {
        let rows = measured().areas("some");
        let arms: Vec<(&str, f64)> = rows.iter().map(|row| (row.arm.as_str(), row.value)).collect();
        // Of the four pairs the cosine has (0.6, 0.12), (0.6, 0.5) and (0.4, 0.12) in order, attention all but (0.1, 0.2).
        assert_eq!(
            arms.first_chunk::<2>(),
            Some(&[("cosine, unanswerable", 0.75), ("attention, unanswerable", 0.75)])
        );
        assert_eq!(arms.len(), 3);
        assert!(rows.iter().all(|row| row.metric == "abstention_auc" && row.n == 4));
    }

    #[test]
    fn a_margin_silences_the_texts_whose_best_cosine_lies_below_it() {
        let measured = measured();
        assert_eq!(measured.silenced(Group::Unanswerable, 0.15), [1.0, 0.0]);
        assert_eq!(measured.silenced(Group::Answerable, 0.15), [0.0, 0.0]);
        let rows = measured.silences("some");
        let row = rows
            .iter()
            .find(|row| row.metric == "silenced@0.15" && row.arm == "unanswerable");
        assert_eq!(row.map(|row| (row.value, row.n)), Some((0.5, 2)));
        assert!(rows.iter().all(|row| row.arm != "no question"));
        assert_eq!(measured.silence_table().row_iter().count(), 4);
    }

    #[test]
    fn what_does_not_vary_is_not_divided_by_nothing() {
        assert_eq!(spread(&[0.5, 0.5]), (0.5, 1.0));
        assert_eq!(spread(&[]), (0.0, 1.0));
        assert_eq!(spread(&[1.0, 3.0]), (2.0, 1.0));
    }

    #[test]
    fn evidence_is_the_best_of_all_passages() {
        let passage = |vector: &[f32]| ReadPassage {
            vector: vector.to_vec(),
            ..ReadPassage::default()
        };
        let turn = |passages| ReadTurn {
            passages,
            ..ReadTurn::default()
        };
        let reading = Reading {
            turns: vec![
                turn(vec![passage(&[0.6, 0.8]), passage(&[])]),
                turn(vec![passage(&[1.0, 0.0])]),
                turn(Vec::new()),
            ],
            milliseconds: 0,
        };
        let asked = Asked {
            vectors: vec![vec![0.0, 1.0]],
            attention: vec![vec![-0.2, 0.1, f32::MIN]],
        };
        assert_eq!(
            evidence(&asked, &reading),
            [Evidence {
                cosine: Some(0.8),
                attention: Some(0.1)
            }]
        );
    }
}
