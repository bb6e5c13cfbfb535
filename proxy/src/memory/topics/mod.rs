//! What a memory is about: its main points in topics, each with a name, its turns over time, and those that are most typical of it.

mod names;
mod small_words;
mod timeline;
mod vocabulary;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mainpoint_store::{ClusteredPoint, Clusters, Scope, Store, TurnId};
use serde::Serialize;

use super::main_point;
use crate::error::MemoryError;
use timeline::{Count, Unit};
use vocabulary::Vocabulary;

/// What is asked of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicsWanted {
    /// Most topics; `None` for at most as many as is usual for the memory's size.
    pub(crate) topics: Option<usize>,
    /// Most turns that are shown of each.
    pub(crate) nearest: usize,
}

/// What a memory is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Topics {
    object: &'static str,
    /// The topics, those with most turns first.
    pub(crate) data: Vec<Topic>,
    /// Main points of the memory.
    pub(crate) main_points: usize,
    /// Those that were looked at.
    pub(crate) main_points_looked_at: usize,
    /// What the turns of every topic are counted by.
    pub(crate) timeline_unit: Unit,
}

/// Something that a memory is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Topic {
    /// Its name: the words that say best what it is about, best first. None where no word tells it from the others.
    pub(crate) words: Vec<String>,
    /// Its turns. Each turn is in one topic.
    pub(crate) turns: usize,
    /// Main points in it.
    pub(crate) main_points: usize,
    /// When the first of its turns was said.
    pub(crate) first_time: DateTime<Utc>,
    /// When the last one was.
    pub(crate) last_time: DateTime<Utc>,
    /// How many of its turns were said when, oldest first.
    pub(crate) timeline: Vec<Count>,
    /// The turns most typical of it, best first.
    pub(crate) nearest: Vec<TypicalTurn>,
}

/// A turn that is typical of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TypicalTurn {
    /// Its name.
    pub(crate) turn: TurnId,
    /// When it was said last.
    pub(crate) time: DateTime<Utc>,
    /// The main point that makes it so.
    pub(crate) main_point: String,
}

/// A topic to be: its main points, and their words.
#[derive(Debug, Clone, Default)]
struct Draft<'a> {
    points: Vec<&'a ClusteredPoint>,
    vocabulary: Vocabulary,
}

impl TopicsWanted {
    /// Most topics that may be asked for.
    pub(crate) const MOST_TOPICS: usize = 100;
    /// Most turns of each that may be asked for.
    pub(crate) const MOST_NEAREST: usize = 20;
    /// Turns of each where nobody says how many.
    pub(crate) const USUAL_NEAREST: usize = 3;
}

/// What the memory of a scope is about now.
///
/// # Errors
/// When the store fails.
pub(crate) async fn find(store: &Store, scope: &Scope, wanted: TopicsWanted) -> Result<Topics, MemoryError> {
    let clusters = store.clusters(scope, wanted.topics).await?;
    // Thousands of main points are cut into words.
    Ok(tokio::task::spawn_blocking(move || Topics::new(&clusters, wanted.nearest)).await?)
}

impl Topics {
    fn new(clusters: &Clusters, nearest: usize) -> Self {
        let unit = Unit::for_times(clusters.points.iter().map(|point| point.time));
        let mut drafts = vec![Draft::default(); clusters.count];
        for point in &clusters.points {
            if let Some(draft) = drafts.get_mut(point.cluster) {
                draft.add(point);
            }
        }
        let named = named(drafts).into_iter();
        let mut topics: Vec<Topic> =
            named.filter_map(|(draft, words)| Topic::new(draft.points, words, unit, nearest)).collect();
        // Equally large ones stay in the order of the clusters, which is always the same.
        topics.sort_by_key(|topic| std::cmp::Reverse((topic.turns, topic.main_points)));
        Self {
            object: "list",
            data: topics,
            main_points: clusters.total,
            main_points_looked_at: clusters.points.len(),
            timeline_unit: unit,
        }
    }
}

impl<'a> Draft<'a> {
    fn add(&mut self, point: &'a ClusteredPoint) {
        let pieces = main_point::pieces(point.start..point.end, &point.spans, &point.text);
        self.vocabulary.add(&point.text, &pieces);
        self.points.push(point);
    }
}

/// The topics with their names. Those whose names are nearly the same are one, and named anew.
fn named(mut drafts: Vec<Draft<'_>>) -> Vec<(Draft<'_>, Vec<String>)> {
    loop {
        let names = names::names(&drafts.iter().map(|draft| &draft.vocabulary).collect::<Vec<_>>());
        let Some((into, from)) = names::alike(&names) else {
            return drafts.into_iter().zip(names).collect();
        };
        let absorbed = drafts.remove(from);
        if let Some(draft) = drafts.get_mut(into) {
            draft.vocabulary.absorb(&absorbed.vocabulary);
            draft.points.extend(absorbed.points);
        }
    }
}

impl Topic {
    /// A topic of these main points; `None` without any.
    fn new(mut points: Vec<&ClusteredPoint>, words: Vec<String>, unit: Unit, nearest: usize) -> Option<Self> {
        let times: BTreeMap<TurnId, DateTime<Utc>> = points.iter().map(|point| (point.turn, point.time)).collect();
        points.sort_by(|one, other| {
            let place = |point: &ClusteredPoint| (point.turn, point.passage);
            one.distance.total_cmp(&other.distance).then_with(|| place(one).cmp(&place(other)))
        });
        Some(Self {
            words,
            turns: times.len(),
            main_points: points.len(),
            first_time: times.values().min().copied()?,
            last_time: times.values().max().copied()?,
            timeline: timeline::timeline(unit, times.values().copied()),
            nearest: typical(&points, nearest),
        })
    }
}

/// The turns of the first points, each once.
fn typical(points: &[&ClusteredPoint], most: usize) -> Vec<TypicalTurn> {
    let mut found: Vec<TypicalTurn> = Vec::with_capacity(most);
    for point in points {
        if found.len() >= most {
            break;
        }
        if found.iter().all(|known| known.turn != point.turn) {
            let pieces = main_point::pieces(point.start..point.end, &point.spans, &point.text);
            let texts: Vec<&str> = pieces.iter().map(|piece| piece.text).collect();
            found.push(TypicalTurn { turn: point.turn, time: point.time, main_point: texts.join(" … ") });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mainpoint_store::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns_for_tests::id;

    /// A main point of which all is kept, said on a day of 1970.
    fn point(turn: u32, text: &str, cluster: usize, distance: f32) -> ClusteredPoint {
        let end = u32::try_from(text.len()).unwrap_or_default();
        ClusteredPoint {
            turn: id(turn),
            passage: 0,
            time: DateTime::UNIX_EPOCH + TimeDelta::days(i64::from(turn)),
            start: 0,
            end,
            spans: vec![Span { start: 0, end, salience: 1.0 }],
            text: text.to_owned(),
            cluster,
            distance,
        }
    }

    fn clusters(points: Vec<ClusteredPoint>) -> Clusters {
        let count = points.iter().map(|point| point.cluster + 1).max().unwrap_or_default();
        Clusters { total: points.len() + 7, points, count }
    }

    #[test]
    fn topics_are_named_counted_and_shown_with_their_most_typical_turns() {
        let found = Topics::new(
            &clusters(vec![
                point(1, "the train to Ghent", 0, 0.2),
                point(2, "a heron in the pond", 1, 0.3),
                point(3, "the heron and the pond", 1, 0.1),
                ClusteredPoint { passage: 1, ..point(3, "the pond of the heron", 1, 0.2) },
                point(4, "the pond without a heron", 1, 0.4),
            ]),
            2,
        );
        assert_eq!((found.main_points, found.main_points_looked_at), (12, 5));
        let pond = &found.data[0];
        assert_eq!(
            (&pond.words[..2], pond.turns, pond.main_points),
            (&["heron".to_owned(), "pond".to_owned()][..], 3, 4)
        );
        assert_eq!(pond.nearest.iter().map(|typical| typical.turn).collect::<Vec<_>>(), [id(3), id(2)]);
        assert_eq!(pond.nearest[0].main_point, "the heron and the pond");
        assert_eq!(
            (pond.first_time, pond.last_time),
            (pond.nearest[1].time, DateTime::UNIX_EPOCH + TimeDelta::days(4))
        );
        assert!(found.data[1].words.contains(&"train".to_owned()), "{found:?}");
    }

    #[test]
    fn topics_with_nearly_the_same_names_are_one() {
        let texts = [
            "guitar chord strings",
            "the guitars and a chord, and strings",
            "guitar, chord, string",
            "chord of a guitar with strings",
            "heron pond carp",
            "train ticket Ghent",
            "oven kettle kitchen",
            "tomato basil lettuce",
        ];
        let clusters = [0, 0, 1, 1, 2, 3, 4, 5];
        let points = texts.into_iter().zip(clusters).zip(1..);
        let points = points.map(|((text, cluster), turn)| point(turn, text, cluster, 0.1));
        let found = Topics::new(&self::clusters(points.collect()), 4);
        assert_eq!((found.data.len(), found.data[0].turns, found.data[0].main_points), (5, 4, 4), "{found:?}");
        assert_eq!(found.data[0].words, ["chord", "guitar", "strings"]);
        assert_eq!(found.data[0].nearest.len(), 4);
    }

    #[test]
    fn a_memory_without_main_points_has_no_topics() {
        let found = Topics::new(&Clusters::default(), 3);
        assert_eq!((found.data.len(), found.main_points), (0, 0));
    }

    proptest! {
        #[test]
        fn counts_add_up_and_the_same_memory_has_the_same_topics(
            drawn in prop::collection::vec((0..30_u32, 0..6_usize, "[a-e]{2,3}( [a-e]{2,3}){0,3}", 0.0_f32..1.0), 0..40),
            nearest in 0..4_usize,
        ) {
            let points = drawn.iter().zip(0..).map(|((turn, cluster, text, distance), passage)| {
                ClusteredPoint { passage, ..point(*turn, text, *cluster, *distance) }
            });
            let clusters = clusters(points.collect());
            let found = Topics::new(&clusters, nearest);
            prop_assert_eq!(&Topics::new(&clusters, nearest), &found);
            prop_assert_eq!(found.data.iter().map(|topic| topic.main_points).sum::<usize>(), drawn.len());
            prop_assert!(found.data.is_sorted_by_key(|topic| std::cmp::Reverse(topic.turns)));
            for topic in &found.data {
                prop_assert!(topic.turns > 0 && topic.turns <= topic.main_points);
                prop_assert_eq!(topic.timeline.iter().map(|count| count.turns).sum::<usize>(), topic.turns);
                prop_assert!(topic.first_time <= topic.last_time);
                prop_assert_eq!(topic.nearest.len(), nearest.min(topic.turns));
                let said = |word: &String| drawn.iter().any(|(_, _, text, _)| text.contains(word.as_str()));
                prop_assert!(topic.words.iter().all(said));
            }
        }

        #[test]
        fn every_turn_is_in_one_topic_and_no_two_topics_have_nearly_the_same_name(
            drawn in prop::collection::vec((0..30_u32, "[a-e]{2,3}( [a-e]{2,3}){0,5}"), 0..40), clusters in 1..8_usize,
        ) {
            let points = drawn.iter().zip(0..).map(|((turn, text), passage)| {
                let cluster = usize::try_from(*turn).unwrap_or_default() % clusters;
                ClusteredPoint { passage, ..point(*turn, text, cluster, 0.5) }
            });
            let found = Topics::new(&self::clusters(points.collect()), 30);
            let mut turns: Vec<TurnId> = drawn.iter().map(|(turn, _)| id(*turn)).collect();
            turns.sort_unstable();
            turns.dedup();
            let mut shown: Vec<TurnId> =
                found.data.iter().flat_map(|topic| topic.nearest.iter().map(|typical| typical.turn)).collect();
            shown.sort_unstable();
            prop_assert_eq!(shown, turns);
            let names: Vec<Vec<String>> = found.data.iter().map(|topic| topic.words.clone()).collect();
            prop_assert_eq!(names::alike(&names), None);
        }
    }
}
