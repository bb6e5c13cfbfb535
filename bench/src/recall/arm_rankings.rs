//! Which turns each arm finds for a question, best first.
//!
//! It must not know how turns are read or stored, or how rankings are judged.

use mainpoint::memory::recall::relevance::{Candidate, scores};
use mainpoint_engine::{Codes, QuestionCodes};

use super::material::Material;
use super::shelf::Candidates;
use crate::ranking::{best_cosines, by_score, completed, fused};

/// An arm's rankings of all turns, best first; several for random choices.
pub(super) type Ranked = (&'static str, Vec<Vec<usize>>);

/// Every arm's rankings for one question of a conversation; none for a question that there is not.
pub(super) fn rankings(material: &Material<'_>, question: usize) -> Vec<Ranked> {
    let (Some(asked), Some(found), Some(candidates)) =
        (material.asked.get(question), material.found.get(question), material.candidates.get(question))
    else {
        return Vec::new();
    };
    let count = material.conversation.turns.len();
    let coded = material.coded.iter().map(|coded| {
        let variants = coded.variants.iter();
        let rankings = variants.map(|turns| by_max_sim(&asked.codes, turns.iter().map(|codes| codes.iter())));
        (coded.arm, rankings.collect())
    });
    let points = material.points.iter();
    let shipped = points.map(|passages| passages.iter().map(|passage| &passage.codes));
    let others = [
        ("first-passage", by_score(&best_cosines(&asked.vector, &material.first_passages))),
        ("mean", found.by_vector.clone()),
        ("bm25", found.by_words.clone()),
        ("rrf-bm25-mean", fused(&[&found.by_words, &found.by_vector], count)),
        ("maxsim", by_max_sim(&asked.codes, shipped)),
        ("full-pipeline", full_pipeline(candidates)),
    ];
    let without = WITHOUT.map(|(arm, lose)| (arm, without(candidates, lose)));
    let others = others.into_iter().chain(without);
    let others = others.map(|(arm, ranking)| (arm, vec![completed(&ranking, count)]));
    coded.chain(others).collect()
}

/// The candidates as the product ranks them, best first; turns that are none are missing.
pub(super) fn full_pipeline(found: &Candidates) -> Vec<usize> {
    ranked(&found.turns, &found.candidates)
}

/// Takes a part of what is known from a candidate.
type Lose = fn(&mut Candidate);

/// The arms that go without a part of the shipped relevance, and how a candidate loses it.
const WITHOUT: [(&str, Lose); 6] = [
    ("relevance-without-words", |one| one.lexical = None),
    ("relevance-without-cosine", |one| one.cosine = None),
    ("relevance-without-maxsim", |one| one.max_sim = None),
    ("relevance-without-neighbours", |one| {
        one.previous = None;
        one.next = None;
    }),
    ("relevance-without-dates", |one| one.nearness = 0.0),
    ("relevance-without-speaker", |one| {
        one.features = one.features.without_speaker();
    }),
];

fn without(found: &Candidates, lose: Lose) -> Vec<usize> {
    let mut candidates = found.candidates.clone();
    candidates.iter_mut().for_each(lose);
    ranked(&found.turns, &candidates)
}

fn ranked(turns: &[usize], candidates: &[Candidate]) -> Vec<usize> {
    let order = by_score(&scores(candidates)).into_iter();
    order.filter_map(|at| turns.get(at).copied()).collect()
}

/// The turns by MaxSim of the codes of their passages; those without codes come last.
fn by_max_sim<'a, P>(question: &QuestionCodes, turns: impl Iterator<Item = P>) -> Vec<usize>
where
    P: Iterator<Item = &'a Codes>,
{
    let documents: Vec<Vec<&[u8]>> = turns.map(|codes| codes.map(Codes::as_bytes).collect()).collect();
    let scores = question.max_sim(&documents).into_iter();
    by_score(&scores.map(|score| score.unwrap_or(f32::MIN)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(lexical: usize, cosine: f32, max_sim: f32) -> Candidate {
        Candidate { lexical: Some(lexical), cosine: Some(cosine), max_sim: Some(max_sim), ..Candidate::default() }
    }

    #[test]
    fn without_what_tells_candidates_apart_the_order_is_another() {
        let found = Candidates {
            turns: vec![7, 3],
            candidates: vec![candidate(0, 0.2, 0.9), candidate(0, 0.2, 0.1)],
            ..Candidates::default()
        };
        assert_eq!(full_pipeline(&found), [7, 3]);
        let told = Candidates { candidates: vec![candidate(0, 0.2, 0.9), candidate(0, 0.3, 0.1)], ..found };
        let [_, (_, cosine), (_, max_sim), ..] = WITHOUT;
        assert_eq!((without(&told, max_sim), without(&told, cosine)), (vec![3, 7], vec![7, 3]));
    }

    #[test]
    fn every_part_that_is_left_out_has_its_arm() {
        let full = Candidate { previous: Some(0), next: Some(1), nearness: 0.5, ..candidate(0, 0.5, 0.5) };
        for (arm, lose) in WITHOUT {
            assert!(super::super::arms::ARMS.iter().any(|known| known.name == arm), "{arm}");
            let mut less = full;
            lose(&mut less);
            assert!(arm == "relevance-without-speaker" || less != full, "{arm}");
        }
    }
}
