//! The turns behind the passages that a question is compared with, and how well the codes of each match.

use std::collections::HashSet;

use mainpoint_store::{Hit, IndexedPassage, SearchResult, TurnId};

use crate::memory::ranking_data::RankingData;

/// Turns with their passages, in the order of their ids.
pub(super) struct ScoredTurns {
    profiles: Vec<(TurnId, RankingData)>,
    /// Of each turn, in order.
    passages: Vec<Vec<IndexedPassage>>,
    /// Of each turn; `None` if none of its codes can be read.
    max_sims: Vec<Option<f32>>,
    /// Of each turn: the place of the passage that matches best.
    best: Vec<Option<usize>>,
}

impl ScoredTurns {
    /// Groups passages by turn and compares each turn's codes. `compare` gets the codes of every turn's passages, and gives its
    /// MaxSim and the place of its best passage, or nothing if no codes can be read. Passages with ranking data that are not ours
    /// are passed over.
    pub(super) fn new(
        mut passages: Vec<IndexedPassage>,
        compare: impl FnOnce(&[Vec<&[u8]>]) -> Vec<Option<(f32, usize)>>,
    ) -> Self {
        passages.sort_by_key(|passage| (passage.turn, passage.passage));
        let (mut profiles, mut grouped): (Vec<(TurnId, RankingData)>, Vec<Vec<IndexedPassage>>) =
            (Vec::new(), Vec::new());
        for passage in passages {
            let Some((profile, _)) = RankingData::decode(&passage.ranking_data) else {
                continue;
            };
            match grouped.last_mut().filter(|group| is_of(group, passage.turn)) {
                Some(group) => group.push(passage),
                None => {
                    profiles.push((passage.turn, profile));
                    grouped.push(vec![passage]);
                }
            }
        }
        let count = grouped.len();
        let turns = Self { profiles, passages: grouped, max_sims: vec![None; count], best: vec![None; count] };
        turns.compared_without(&HashSet::new(), compare)
    }

    /// The same, compared as if some turns were not there; what is known of those stays.
    pub(super) fn compared_without(
        mut self,
        left_out: &HashSet<TurnId>,
        compare: impl FnOnce(&[Vec<&[u8]>]) -> Vec<Option<(f32, usize)>>,
    ) -> Self {
        let is_in: Vec<bool> = self.turns().map(|turn| !left_out.contains(turn)).collect();
        // What has no codes is not compared.
        let groups = self.passages.iter().zip(&is_in);
        let documents: Vec<Vec<&[u8]>> = groups
            .map(|(group, is_in)| if *is_in { group.iter().map(codes_of).collect() } else { Vec::new() })
            .collect();
        let mut matches = compare(&documents);
        matches.resize(is_in.len(), None);
        let known = self.max_sims.iter_mut().zip(&mut self.best);
        for (((max_sim, best), found), _) in known.zip(matches).zip(is_in).filter(|(_, is_in)| *is_in) {
            (*max_sim, *best) = (found.map(|(score, _)| score), found.map(|(_, place)| place));
        }
        self
    }

    /// The passages that were found of each turn of which `is_meant` holds, in order, at most so many turns, those that match best
    /// first.
    pub(super) fn best_of(&self, is_meant: impl Fn(&RankingData) -> bool, most: usize) -> Vec<&[IndexedPassage]> {
        let turns = self.profiles.iter().zip(&self.max_sims).zip(&self.passages);
        let meant = turns.filter(|(((_, profile), _), _)| is_meant(profile));
        let mut meant: Vec<(f32, &[IndexedPassage])> =
            meant.map(|((_, max_sim), group)| (max_sim.unwrap_or(f32::NEG_INFINITY), group.as_slice())).collect();
        meant.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        meant.into_iter().map(|(_, passages)| passages).take(most).collect()
    }

    /// The turns.
    pub(super) fn turns(&self) -> impl Iterator<Item = &TurnId> {
        self.profiles.iter().map(|(turn, _)| turn)
    }

    /// The turns and what is known of each.
    pub(super) fn profiles(&self) -> &[(TurnId, RankingData)] {
        &self.profiles
    }

    /// The MaxSim of each turn; `None` if none of its codes can be read.
    pub(super) fn max_sims(&self) -> &[Option<f32>] {
        &self.max_sims
    }

    /// The passages of each turn. The first one is that whose codes match best, else the one that was found first by vectors or by
    /// words, else the turn's first.
    pub(super) fn into_best_first(self, hits: &SearchResult) -> Vec<Vec<IndexedPassage>> {
        let found = |group: &[IndexedPassage]| {
            let hits = hits.dense.iter().chain(&hits.lexical);
            let mut places = hits.filter_map(|hit| group.iter().position(|passage| is_place(passage, hit)));
            places.next()
        };
        let best = self.best.into_iter().zip(self.passages);
        best.map(|(best, mut group)| {
            let place = best.or_else(|| found(&group)).unwrap_or_default();
            if place < group.len() {
                group.swap(0, place);
            }
            group
        })
        .collect()
    }
}

fn is_of(group: &[IndexedPassage], turn: TurnId) -> bool {
    group.first().is_some_and(|passage| passage.turn == turn)
}

fn is_place(passage: &IndexedPassage, hit: &Hit) -> bool {
    (passage.turn, passage.passage) == (hit.turn, hit.passage)
}

fn codes_of(passage: &IndexedPassage) -> &[u8] {
    RankingData::decode(&passage.ranking_data).map_or(&[], |(_, codes)| codes)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::memory::features::TurnFeatures;

    fn passage(turn: u8, number: u32, codes: &[u8]) -> IndexedPassage {
        let profile = RankingData { parent: None, time: DateTime::UNIX_EPOCH, features: TurnFeatures::default() };
        IndexedPassage {
            turn: TurnId([turn; 16]),
            passage: number,
            ranking_data: profile.encode(codes).into(),
            row: u64::from(number),
        }
    }

    fn hit(turn: u8, passage: u32) -> Hit {
        Hit { turn: TurnId([turn; 16]), passage, score: 0.5 }
    }

    /// The greatest first byte of a turn's codes, and where it is.
    fn greatest(documents: &[Vec<&[u8]>]) -> Vec<Option<(f32, usize)>> {
        let best = |document: &Vec<&[u8]>| {
            let places = document.iter().enumerate();
            let read = places.filter_map(|(place, codes)| Some((f32::from(*codes.first()?), place)));
            read.max_by(|(one, _), (other, _)| one.total_cmp(other))
        };
        documents.iter().map(best).collect()
    }

    #[test]
    fn a_turn_is_worth_what_its_best_passage_is_and_one_without_readable_features_is_none() {
        let torn = IndexedPassage { ranking_data: vec![9].into(), ..passage(3, 0, &[]) };
        let passages = vec![passage(2, 1, &[5]), passage(1, 0, &[4]), torn, passage(2, 0, &[1]), passage(4, 0, &[])];
        let compared = ScoredTurns::new(passages, greatest);
        let turns: Vec<u8> = compared.turns().map(|turn| turn.0[0]).collect();
        assert_eq!(turns, [1, 2, 4]);
        assert_eq!(compared.max_sims(), [Some(4.0), Some(5.0), None]);
        let best = compared.into_best_first(&SearchResult::default());
        let best: Vec<Option<u32>> = best.iter().map(|best| best.first().map(|passage| passage.passage)).collect();
        assert_eq!(best, [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn what_is_left_out_keeps_what_it_had_and_is_no_measure_for_the_others() {
        let passages = vec![passage(1, 0, &[4]), passage(2, 0, &[9]), passage(3, 0, &[6])];
        // Of each the share that it has of the greatest.
        let shares = |documents: &[Vec<&[u8]>]| {
            let found = greatest(documents);
            let most = found.iter().flatten().map(|(best, _)| *best).fold(1.0, f32::max);
            found.into_iter().map(|found| found.map(|(best, place)| (best / most, place))).collect()
        };
        let compared = ScoredTurns::new(passages, shares);
        assert_eq!(compared.max_sims(), [Some(4.0 / 9.0), Some(1.0), Some(6.0 / 9.0)]);
        let compared = compared.compared_without(&[TurnId([2; 16])].into(), shares);
        assert_eq!(compared.max_sims(), [Some(4.0 / 6.0), Some(1.0), Some(1.0)]);
        let turns = |most| compared.best_of(|_| true, most).iter().map(|group| group[0].turn.0[0]).collect::<Vec<_>>();
        assert_eq!((turns(1), turns(9)), (vec![2], vec![2, 3, 1]));
        assert!(compared.best_of(|_| false, 9).is_empty());
        let compared = ScoredTurns::new(vec![passage(1, 1, &[4]), passage(1, 0, &[5])], greatest);
        let numbers: Vec<u32> = compared.best_of(|_| true, 9)[0].iter().map(|passage| passage.passage).collect();
        assert_eq!(numbers, [0, 1], "all passages of a turn, in order");
    }

    #[test]
    fn without_codes_the_passage_that_was_found_first_speaks_for_its_turn() {
        let hits = SearchResult { dense: vec![hit(2, 0), hit(1, 2), hit(1, 1)], lexical: vec![hit(3, 1)] };
        let passages = [(1, 0), (1, 1), (1, 2), (3, 0), (3, 1)].map(|(turn, number)| passage(turn, number, &[]));
        let best = ScoredTurns::new(passages.to_vec(), greatest).into_best_first(&hits);
        let best: Vec<Option<u32>> = best.iter().map(|best| best.first().map(|passage| passage.passage)).collect();
        assert_eq!(best, [Some(2), Some(1)]);
    }
}
