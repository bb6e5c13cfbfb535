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
    let (Some(asked), Some(found), Some(candidates)) = (
        material.asked.get(question),
        material.found.get(question),
        material.candidates.get(question),
    ) else {
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
        (
            "first-passage",
            by_score(&best_cosines(&asked.vector, &material.first_passages)),
        ),
        ("mean", found.by_vector.clone()),
        ("bm25", found.by_words.clone()),
        ("rrf-bm25-mean", fused(&[&found.by_words, &found.by_vector], count)),
        ("maxsim", by_max_sim(&asked.codes, shipped)),
        ("full-pipeline", full_pipeline(candidates)),
    ];
    let without = Without::ALL.map(|(arm, without)| (arm, without.ranking(candidates)));
    let others = others.into_iter().chain(without);
    let others = others.map(|(arm, ranking)| (arm, vec![completed(&ranking, count)]));
    coded.chain(others).collect()
}

/// The candidates as the product ranks them, best first; turns that are none are missing.
pub(super) fn full_pipeline(found: &Candidates) -> Vec<usize> {
    ranked(&found.turns, &found.candidates)
}

/// A part of the shipped relevance that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Words,
    Cosine,
    MaxSim,
    Neighbours,
    Dates,
    Speaker,
}

impl Without {
    /// Every part, with the arm that goes without it.
    const ALL: [(&'static str, Self); 6] = [
        ("relevance-without-words", Self::Words),
        ("relevance-without-cosine", Self::Cosine),
        ("relevance-without-maxsim", Self::MaxSim),
        ("relevance-without-neighbours", Self::Neighbours),
        ("relevance-without-dates", Self::Dates),
        ("relevance-without-speaker", Self::Speaker),
    ];

    fn ranking(self, found: &Candidates) -> Vec<usize> {
        let candidates: Vec<Candidate> = found.candidates.iter().map(|one| self.of(*one)).collect();
        ranked(&found.turns, &candidates)
    }

    /// The candidate without this part.
    fn of(self, candidate: Candidate) -> Candidate {
        match self {
            Self::Words => Candidate {
                lexical: None,
                ..candidate
            },
            Self::Cosine => Candidate {
                cosine: None,
                ..candidate
            },
            Self::MaxSim => Candidate {
                max_sim: None,
                ..candidate
            },
            Self::Neighbours => Candidate {
                previous: None,
                next: None,
                ..candidate
            },
            Self::Dates => Candidate {
                nearness: 0.0,
                ..candidate
            },
            Self::Speaker => Candidate {
                features: candidate.features.without_speaker(),
                ..candidate
            },
        }
    }
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
        Candidate {
            lexical: Some(lexical),
            cosine: Some(cosine),
            max_sim: Some(max_sim),
            ..Candidate::default()
        }
    }

    #[test]
    fn without_what_tells_candidates_apart_the_order_is_another() {
        let found = Candidates {
            turns: vec![7, 3],
            candidates: vec![candidate(0, 0.2, 0.9), candidate(0, 0.2, 0.1)],
            ..Candidates::default()
        };
        assert_eq!(full_pipeline(&found), [7, 3]);
        let told = Candidates {
            candidates: vec![candidate(0, 0.2, 0.9), candidate(0, 0.3, 0.1)],
            ..found
        };
        assert_eq!(Without::MaxSim.ranking(&told), [3, 7]);
        assert_eq!(Without::Cosine.ranking(&told), [7, 3]);
    }

    #[test]
    fn every_part_that_is_left_out_has_its_arm() {
        for (arm, without) in Without::ALL {
            assert!(super::super::arms::ARMS.iter().any(|known| known.name == arm), "{arm}");
            let full = Candidate {
                previous: Some(0),
                next: Some(1),
                nearness: 0.5,
                ..candidate(0, 0.5, 0.5)
            };
            assert!(without == Without::Speaker || without.of(full) != full, "{arm}");
        }
    }
}
