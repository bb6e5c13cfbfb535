//! Says what speaks for the turns behind what the searches found, and puts them in order.
//!
//! It must not know how searches are made; the arithmetic is [`super::relevance`]'s.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mainpoint_store::{SearchResult, TurnId};

use super::dates::{nearness, periods};
use super::relevance::{Candidate, scores};
use crate::memory::profile::Profile;

/// What the searches found for a question.
pub struct Findings<'a> {
    /// The question's text.
    pub question: &'a str,
    /// When it is asked.
    pub asked: DateTime<Utc>,
    /// By words and by vectors.
    pub found: &'a SearchResult,
    /// The MaxSim of each turn, in the turns' order; `None` where no codes can be read.
    pub max_sims: &'a [Option<f32>],
}

impl Findings<'_> {
    /// What speaks for each turn, in their order. `turns` has every turn once.
    #[must_use]
    pub fn candidates(&self, turns: &[(TurnId, Profile)]) -> Vec<Candidate> {
        let lexical = places(self.found.lexical.iter().map(|hit| hit.turn));
        let cosine = best(self.found.dense.iter().map(|hit| (hit.turn, hit.score)));
        let positions = places(turns.iter().map(|(turn, _)| *turn));
        let periods = periods(self.question, self.asked);
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
                nearness: nearness(&periods, profile.time),
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
}

/// The places of candidates with their relevance, best first; equally relevant ones keep their order.
#[must_use]
pub fn ranked(candidates: &[Candidate]) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = scores(candidates).into_iter().enumerate().collect();
    ranked.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    ranked
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

    fn turn(number: u8) -> (TurnId, Profile) {
        let profile = Profile {
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
        let findings = Findings {
            question: "When does the ferry leave?",
            asked: DateTime::UNIX_EPOCH,
            found: &found,
            max_sims: &[None, Some(0.1), None, Some(0.4)],
        };
        let turns = [9, 3, 6, 2];
        let ranked = ranked(&findings.candidates(&turns.map(turn)));
        let order: Vec<u8> = ranked.iter().map(|(place, _)| turns[*place]).collect();
        assert_eq!(order, [2, 3, 6, 9]);
        assert!(ranked.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }

    #[test]
    fn of_equal_turns_the_one_said_at_the_time_asked_about_comes_first() {
        let said = |number: u8, time: &str| {
            let (turn, profile) = turn(number);
            let profile = Profile { parent: None, time: time.parse().unwrap(), ..profile };
            (turn, profile)
        };
        let turns = [said(1, "2023-05-07T09:00:00Z"), said(2, "2023-05-20T09:00:00Z")];
        let order = |question: &str| -> Vec<u8> {
            let findings = Findings {
                question,
                asked: "2023-05-21T09:00:00Z".parse().unwrap(),
                found: &SearchResult { lexical: Vec::new(), dense: Vec::new() },
                max_sims: &[],
            };
            let ranked = ranked(&findings.candidates(&turns)).into_iter();
            ranked.map(|(place, _)| turns[place].0.0[0]).collect()
        };
        assert_eq!(order("What did I say of the ferry?"), [1, 2]);
        assert_eq!(order("What did I say of the ferry yesterday?"), [2, 1]);
        assert_eq!(order("What did I say of the ferry on 7 May?"), [1, 2]);
    }
}
