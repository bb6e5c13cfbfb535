//! Says what speaks for the turns behind what the searches found, and puts them in order.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mainpoint_store::{SearchResult, TurnId};

use super::dates::{Period, nearness};
use super::relevance::{Candidate, scores};
use crate::memory::ranking_data::RankingData;

/// What the searches found for a question.
pub struct SearchFindings<'a> {
    /// The question's text.
    pub question: &'a str,
    /// The times that it names.
    pub periods: &'a [Period],
    /// By words and by vectors.
    pub found: &'a SearchResult,
    /// The MaxSim of each turn, in the turns' order; `None` where no codes can be read.
    pub max_sims: &'a [Option<f32>],
    /// When turns were said, as far as that matters for the question and is not when they were first seen alone.
    pub times: &'a HashMap<TurnId, Vec<DateTime<Utc>>>,
}

impl SearchFindings<'_> {
    /// What speaks for each turn, in their order. `turns` has every turn once.
    #[must_use]
    pub fn candidates(&self, turns: &[(TurnId, RankingData)]) -> Vec<Candidate> {
        let lexical = places(self.found.lexical.iter().map(|hit| hit.turn));
        let cosine = best(self.found.dense.iter().map(|hit| (hit.turn, hit.score)));
        let positions = places(turns.iter().map(|(turn, _)| *turn));
        let mut candidates: Vec<Candidate> = turns
            .iter()
            .enumerate()
            .map(|(place, (turn, profile))| Candidate {
                lexical: lexical.get(turn).copied(),
                cosine: cosine.get(turn).copied(),
                max_sim: self.max_sims.get(place).copied().flatten(),
                previous: profile.parent.and_then(|parent| positions.get(&parent).copied()),
                next: None,
                features: profile.features.beside(self.question),
                nearness: self.nearness(*turn, profile.time),
            })
            .collect();
        for place in 0..candidates.len() {
            if let Some(before) = candidates.get(place).and_then(|candidate| candidate.previous)
                && let Some(before) = candidates.get_mut(before)
            {
                before.next = Some(place);
            }
        }
        candidates
    }

    /// How near a turn was said to the periods, whenever it was nearest.
    fn nearness(&self, turn: TurnId, first_seen: DateTime<Utc>) -> f32 {
        match self.times.get(&turn) {
            Some(times) => times.iter().fold(0.0, |nearest, time| nearest.max(nearness(self.periods, *time))),
            None => nearness(self.periods, first_seen),
        }
    }
}

/// The places of candidates with their relevance, best first; equally relevant ones keep their order.
#[must_use]
pub fn ranked(candidates: &[Candidate]) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = scores(candidates).into_iter().enumerate().collect();
    ranked.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    ranked
}

/// Places and scores of [`ranked`], with each score turned into how likely it is that this one of all candidates answers. The weights
/// of relevance were learned so that this is the softmax of the scores.
#[must_use]
pub fn chances(ranked: Vec<(usize, f32)>) -> Vec<(usize, f32)> {
    let best = ranked.first().map_or(0.0, |(_, score)| *score);
    let all: f32 = ranked.iter().map(|(_, score)| (score - best).exp()).sum();
    ranked.into_iter().map(|(place, score)| (place, (score - best).exp() / all.max(1.0))).collect()
}

/// [`chances`], for candidates of which some only repeat the question (`stands_beside`). Those take nothing from the chances of the
/// others, which are computed without them; their own are computed among all.
pub(super) fn chances_beside(ranked: Vec<(usize, f32)>, stands_beside: impl Fn(usize) -> bool) -> Vec<(usize, f32)> {
    let others = ranked.iter().copied().filter(|(place, _)| !stands_beside(*place)).collect();
    let mut others = chances(others).into_iter();
    let all = chances(ranked).into_iter();
    all.map(|found| if stands_beside(found.0) { found } else { others.next().unwrap_or(found) }).collect()
}

/// Where each turn stands for the first time, counting every turn once.
fn places(turns: impl Iterator<Item = TurnId>) -> HashMap<TurnId, usize> {
    let mut places = HashMap::new();
    for turn in turns {
        let next = places.len();
        places.entry(turn).or_insert(next);
    }
    places
}

/// The best score of each turn's passages.
fn best(scores: impl Iterator<Item = (TurnId, f32)>) -> HashMap<TurnId, f32> {
    let mut best: HashMap<TurnId, f32> = HashMap::new();
    for (turn, score) in scores {
        let known = best.entry(turn).or_insert(score);
        *known = known.max(score);
    }
    best
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use mainpoint_store::Hit;

    use super::*;
    use crate::memory::features::TurnFeatures;
    use crate::memory::recall::dates::periods;

    fn turn(number: u8) -> (TurnId, RankingData) {
        let profile = RankingData {
            parent: number.checked_sub(1).map(|before| TurnId([before; 16])),
            time: DateTime::UNIX_EPOCH,
            features: TurnFeatures::new("user", "It leaves at nine in the morning."),
        };
        (TurnId([number; 16]), profile)
    }

    #[test]
    fn an_answer_without_a_word_of_the_question_follows_the_turn_that_asked_it() {
        let hit = |number: u8, score| Hit { turn: TurnId([number; 16]), passage: 0, score };
        let found = SearchResult {
            lexical: vec![hit(2, 7.0), hit(2, 1.0), hit(6, 0.5)],
            dense: vec![hit(2, 0.8), hit(9, 0.2), hit(6, 0.2), hit(3, 0.2)],
        };
        let findings = SearchFindings {
            question: "When does the ferry leave?",
            periods: &[],
            found: &found,
            max_sims: &[None, Some(0.1), None, Some(0.4)],
            times: &HashMap::new(),
        };
        let turns = [9, 3, 6, 2];
        let ranked = ranked(&findings.candidates(&turns.map(turn)));
        let order: Vec<u8> = ranked.iter().map(|(place, _)| turns[*place]).collect();
        assert_eq!(order, [2, 3, 6, 9]);
        assert!(ranked.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }

    #[test]
    fn chances_keep_the_order_and_are_shares_of_one() {
        let found = chances(vec![(7, 2.0), (1, 1.0), (3, -40.0)]);
        assert_eq!(found.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [7, 1, 3]);
        assert!((found.iter().map(|(_, chance)| chance).sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((found[0].1 / found[1].1 - std::f32::consts::E).abs() < 1e-5);
        assert!(chances(Vec::new()).is_empty());
    }

    #[test]
    fn what_stands_beside_takes_no_chance_from_the_others() {
        let ranked = vec![(7, 9.0), (1, 2.0), (3, 1.0)];
        let found = chances_beside(ranked.clone(), |place| place == 7);
        assert_eq!(found.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [7, 1, 3], "the order stays");
        assert_eq!(found[0], chances(ranked.clone())[0]);
        assert_eq!(found[1..], chances(ranked[1..].to_vec()));
        assert_eq!(chances_beside(ranked.clone(), |_| false), chances(ranked));
    }

    #[test]
    fn of_equal_turns_the_one_said_at_the_time_asked_about_comes_first() {
        let said = |number: u8, time: &str| {
            let (turn, profile) = turn(number);
            let profile = RankingData { parent: None, time: time.parse().unwrap(), ..profile };
            (turn, profile)
        };
        let turns = [said(1, "2023-05-07T09:00:00Z"), said(2, "2023-05-20T09:00:00Z")];
        let said = ["2023-04-03T09:00:00Z", "2023-05-20T09:00:00Z"].map(|time| time.parse().unwrap());
        let times = HashMap::from([(TurnId([2; 16]), said.to_vec())]);
        let order = |times: &HashMap<TurnId, Vec<DateTime<Utc>>>, question: &str| -> Vec<u8> {
            let findings = SearchFindings {
                question,
                periods: &periods(question, "2023-05-21T09:00:00Z".parse().unwrap()),
                found: &SearchResult { lexical: Vec::new(), dense: Vec::new() },
                max_sims: &[],
                times,
            };
            let ranked = ranked(&findings.candidates(&turns)).into_iter();
            ranked.map(|(place, _)| turns[place].0.0[0]).collect()
        };
        assert_eq!(order(&times, "What did I say of the ferry?"), [1, 2]);
        assert_eq!(order(&times, "What did I say of the ferry yesterday?"), [2, 1]);
        assert_eq!(order(&times, "What did I say of the ferry on 7 May?"), [1, 2]);
        assert_eq!(order(&times, "What did I say of the ferry on 3 April?"), [2, 1], "it was said then as well");
        let times = HashMap::from([(TurnId([2; 16]), vec![said[0]])]);
        assert_eq!(order(&times, "What did I say of the ferry yesterday?"), [1, 2], "not any more");
    }
}
