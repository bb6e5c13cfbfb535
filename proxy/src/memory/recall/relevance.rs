//! How relevant a turn is to a question: a linear model over what the searches say of it, what they say of the turns beside
//! it, its features, and how near to the times that the question names it was said.
//!
//! Answers stand beside what they answer: a turn is worth more when the turn before it fits the question, too. The
//! longer a turn is, the more it matches by chance, and who asks something rarely answers. The weights are near to what
//! the benchmark learns (`make bench-weights`), but for two: that the user speaks counts for less, since what tools and
//! assistants say is asked for, too, and length counts for more, since a long turn leaves the prompt less room for
//! others.

use crate::memory::features::PairFeatures;

/// A turn that some search found, with what each search says of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Candidate {
    /// Its place in the ranking by BM25, from 0; `None` if it has no word of the question. BM25 itself depends on how much of
    /// the index is merged, so that after a restart the same question would be answered by other memories.
    pub lexical: Option<usize>,
    /// Cosine similarity of its best passage's vector; `None` if it was not among the most similar.
    pub cosine: Option<f32>,
    /// Weighted MaxSim of the question's tokens and its own, -1 to 1; `None` if its codes cannot be read.
    pub max_sim: Option<f32>,
    /// Index of the turn before it, if that is a candidate.
    pub previous: Option<usize>,
    /// Index of the turn after it, if that is a candidate.
    pub next: Option<usize>,
    /// What it looks like.
    pub features: PairFeatures,
    /// How near it was said to a time that the question names, see [`super::dates::nearness`]; 0 if it names none.
    pub nearness: f32,
}

/// What the score of a candidate is the weighted sum of, in the order of [`WEIGHTS`].
pub type Signals = [f32; WEIGHTS.len()];

/// How much each signal is worth: one more standard deviation of what a search says of the turn, of the turn before it and of
/// the turn after it, and one more of each property.
pub const WEIGHTS: [(&str, f32); 13] = [
    ("words", 0.05),
    ("cosine", 0.6),
    ("max_sim", 0.8),
    ("words, turn before", 0.1),
    ("max_sim, turn before", 0.35),
    ("cosine, turn after", 0.2),
    ("max_sim, turn after", 0.15),
    ("substance", -0.4),
    ("excess", -1.4),
    ("asks", -0.6),
    ("speaker is named", 2.2),
    ("user speaks", 1.0),
    ("nearness", 1.5),
];

/// One score per candidate, higher for more relevant ones; only comparable within one question.
#[must_use]
pub fn scores(candidates: &[Candidate]) -> Vec<f32> {
    let score = |signals: Signals| signals.iter().zip(WEIGHTS).map(|(signal, (_, weight))| signal * weight).sum();
    signals(candidates).into_iter().map(score).collect()
}

/// The signals of every candidate.
#[must_use]
pub fn signals(candidates: &[Candidate]) -> Vec<Signals> {
    let found = [
        standardised(candidates, |candidate| Some(candidate.lexical.map_or(0.0, place_value))),
        standardised(candidates, |candidate| candidate.cosine),
        standardised(candidates, |candidate| candidate.max_sim),
    ];
    let of = |index: Option<usize>| [&found[0], &found[1], &found[2]].map(|signal| signal.of(index));
    let is = |property: bool| if property { 1.0 } else { 0.0 };
    let signals = |(index, candidate): (usize, &Candidate)| {
        let ([words, cosine, max_sim], features) = (of(Some(index)), &candidate.features);
        let ([words_before, _, max_sim_before], [_, cosine_after, max_sim_after]) =
            (of(candidate.previous), of(candidate.next));
        [
            words,
            cosine,
            max_sim,
            words_before,
            max_sim_before,
            cosine_after,
            max_sim_after,
            features.substance,
            features.excess,
            is(features.asks),
            is(features.is_named),
            is(features.by_user),
            candidate.nearness,
        ]
    };
    candidates.iter().enumerate().map(signals).collect()
}

/// A signal with mean 0 and standard deviation 1 over the candidates.
struct Signal {
    values: Vec<f32>,
    lowest: f32,
}

impl Signal {
    /// The value of a candidate; the lowest there is for a turn that is none.
    fn of(&self, index: Option<usize>) -> f32 {
        index.and_then(|index| self.values.get(index)).copied().unwrap_or(self.lowest)
    }
}

/// What a place in a ranking is worth, as in reciprocal rank fusion.
fn place_value(place: usize) -> f32 {
    const DAMPING: f32 = 20.0;
    #[expect(clippy::cast_precision_loss, reason = "hundreds of places")]
    let place = place as f32;
    1.0 / (DAMPING + place)
}

/// A signal that is missing counts as its lowest value.
fn standardised(candidates: &[Candidate], signal: impl Fn(&Candidate) -> Option<f32>) -> Signal {
    let found: Vec<Option<f32>> =
        candidates.iter().map(|candidate| signal(candidate).filter(|value| value.is_finite())).collect();
    let lowest = found.iter().copied().flatten().fold(f32::INFINITY, f32::min);
    let lowest = if lowest.is_finite() { lowest } else { 0.0 };
    let values: Vec<f32> = found.into_iter().map(|value| value.unwrap_or(lowest)).collect();
    #[expect(clippy::cast_precision_loss, reason = "hundreds of candidates")]
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    let deviation = variance.sqrt().max(f32::MIN_POSITIVE);
    let place = |value: f32| {
        if variance > 0.0 { (value - mean) / deviation } else { 0.0 }
    };
    Signal { lowest: place(lowest), values: values.into_iter().map(place).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::features::TurnFeatures;

    fn found(lexical: usize, cosine: f32) -> Candidate {
        Candidate {
            lexical: Some(lexical),
            cosine: Some(cosine),
            max_sim: Some(0.0),
            features: TurnFeatures::new("user", "Ann: In the old harbour, near the station.").beside("Where?"),
            ..Candidate::default()
        }
    }

    #[test]
    fn a_turn_after_one_that_fits_is_worth_more_than_one_after_nothing() {
        let asked = found(0, 0.9);
        let answer = Candidate { previous: Some(0), ..found(5, 0.1) };
        let scores = scores(&[asked, answer, found(5, 0.1), found(3, 0.2)]);
        assert!(scores[1] > scores[2], "{scores:?}");
        assert!(scores[0] > scores[3], "{scores:?}");
    }

    #[test]
    fn a_signal_that_is_missing_counts_as_the_lowest() {
        let unknown = Candidate { max_sim: None, ..found(2, 0.3) };
        let matching = Candidate { max_sim: Some(0.5), ..found(2, 0.3) };
        let scores = scores(&[matching, unknown, found(2, 0.3)]);
        assert_eq!(scores[1], scores[2]);
        assert!(scores[0] > scores[1]);
    }

    #[test]
    fn a_turn_near_to_the_time_asked_about_is_worth_more() {
        let near = |nearness: f32| Candidate { nearness, ..found(2, 0.3) };
        let scores = scores(&[near(1.0), near(0.5), near(0.0), found(2, 0.3)]);
        assert!(scores[0] > scores[1] && scores[1] > scores[2], "{scores:?}");
        assert_eq!(scores[2], scores[3]);
    }

    proptest! {
        #[test]
        fn every_candidate_gets_a_finite_score(
            signals in proptest::collection::vec(
                (proptest::option::of(0_usize..400), proptest::option::of(-1.0_f32..1.0), 0_usize..40), 0..20,
            )
        ) {
            let candidates: Vec<Candidate> = signals
                .iter()
                .map(|(lexical, cosine, previous)| Candidate {
                    lexical: *lexical,
                    cosine: *cosine,
                    previous: Some(*previous),
                    ..Candidate::default()
                })
                .collect();
            let scores = scores(&candidates);
            prop_assert_eq!(scores.len(), candidates.len());
            prop_assert!(scores.iter().all(|score| score.is_finite()));
        }
    }
}
