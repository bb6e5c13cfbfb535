//! Which turns each arm finds for a question, best first.

use mainpoint::memory::recall::candidates::{chances, ranked};
use mainpoint::memory::recall::newer::{DatedTurn, newer, newest_first};
use mainpoint::memory::recall::relevance::Candidate;
use mainpoint_engine::{Codes, QuestionCodes};

use super::material::Material;
use super::shelf::Candidates;
use crate::data::{Conversation, Question, Turn};
use crate::ranking::{best_cosines, by_score, completed, fused};

/// An arm's rankings of all turns, best first; several for random choices.
pub(super) type Ranked = (&'static str, Vec<Vec<usize>>);

pub(super) fn rankings(material: &Material<'_>, question: usize) -> Vec<Ranked> {
    let (asked, found, candidates) =
        (&material.asked[question], &material.found[question], &material.candidates[question]);
    let question = &material.conversation.questions[question];
    let shipped = Shipped { conversation: material.conversation, question };
    let count = material.conversation.turns.len();
    let coded = material.coded.iter().map(|coded| {
        let variants = coded.variants.iter();
        let rankings = variants.map(|turns| by_max_sim(&asked.codes, turns.iter().map(|codes| codes.iter())));
        (coded.arm, rankings.collect())
    });
    let points = material.points.iter();
    let codes = points.map(|passages| passages.iter().map(|passage| &passage.codes));
    let others = [
        ("first-passage", by_score(&best_cosines(&asked.vector, &material.first_passages))),
        ("mean", found.by_vector.clone()),
        ("bm25", found.by_words.clone()),
        ("rrf-bm25-mean", fused(&[&found.by_words, &found.by_vector], count)),
        ("maxsim", by_max_sim(&asked.codes, codes)),
        ("full-pipeline", shipped.ranking(candidates)),
    ];
    let without = WITHOUT.map(|(arm, lose)| (arm, shipped.without(candidates, lose)));
    let others = others.into_iter().chain(without).map(|(arm, ranking)| (arm, vec![completed(&ranking, count)]));
    coded.chain(others).collect()
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

/// How the product ranks candidates for a question of a conversation.
struct Shipped<'a> {
    conversation: &'a Conversation,
    question: &'a Question,
}

/// Most turns that the product recalls; what is newer comes first among them.
const MOST_TURNS: usize = 64;

impl Shipped<'_> {
    /// The candidates as the product ranks them, best first; turns that are none are missing.
    fn ranking(&self, found: &Candidates) -> Vec<usize> {
        let ranking = by_chance(&found.candidates);
        let turns = turns_of(&found.turns, &ranking);
        let (recalled, others) = turns.split_at(turns.len().min(MOST_TURNS));
        let told = recalled.iter().zip(&ranking).filter_map(|(turn, (_, chance))| Some((self.turn(*turn)?, *chance)));
        let told: Vec<(&Turn, String, f32)> = told.map(|(turn, chance)| (turn, turn.message(), chance)).collect();
        let dated: Vec<DatedTurn<'_>> = told
            .iter()
            .map(|(turn, text, chance)| DatedTurn { role: turn.role, text, time: turn.time, chance: *chance })
            .collect();
        let order = newest_first(&newer(&self.question.text, self.conversation.end(), &dated));
        let recalled = order.iter().filter_map(|place| recalled.get(*place));
        recalled.chain(others).copied().collect()
    }

    fn turn(&self, place: usize) -> Option<&Turn> {
        self.conversation.turns.get(place)
    }

    fn without(&self, found: &Candidates, lose: Lose) -> Vec<usize> {
        let mut candidates = found.clone();
        candidates.candidates.iter_mut().for_each(lose);
        self.ranking(&candidates)
    }
}

/// The places of candidates, best first, each with how likely it is to answer.
fn by_chance(candidates: &[Candidate]) -> Vec<(usize, f32)> {
    chances(ranked(candidates))
}

fn turns_of(turns: &[usize], ranking: &[(usize, f32)]) -> Vec<usize> {
    ranking.iter().filter_map(|(place, _)| turns.get(*place).copied()).collect()
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
    use chrono::TimeDelta;

    use super::*;
    use crate::data::tests::{conversation, question};

    fn candidate(lexical: usize, cosine: f32, max_sim: f32) -> Candidate {
        Candidate { lexical: Some(lexical), cosine: Some(cosine), max_sim: Some(max_sim), ..Candidate::default() }
    }

    #[test]
    fn without_what_tells_candidates_apart_the_order_is_another() {
        let (chat, question) = (conversation("some", &[("user", "a"), ("user", "b")]), question(&[0]));
        let shipped = Shipped { conversation: &chat, question: &question };
        let found = Candidates {
            turns: vec![1, 0],
            candidates: vec![candidate(0, 0.2, 0.9), candidate(0, 0.2, 0.1)],
            ..Candidates::default()
        };
        assert_eq!(shipped.ranking(&found), [1, 0]);
        let told = Candidates { candidates: vec![candidate(0, 0.2, 0.9), candidate(0, 0.3, 0.1)], ..found };
        let [_, (_, cosine), (_, max_sim), ..] = WITHOUT;
        assert_eq!((shipped.without(&told, max_sim), shipped.without(&told, cosine)), (vec![0, 1], vec![1, 0]));
    }

    #[test]
    fn what_was_told_last_comes_first() {
        let mut chat = conversation(
            "some",
            &[("user", "The ferry to Gotland is on 14 June."), ("user", "The ferry to Gotland is on 21 June now.")],
        );
        chat.turns[1].time += TimeDelta::days(3);
        let question = Question { text: "When is the ferry to Gotland?".to_owned(), ..question(&[1]) };
        let shipped = Shipped { conversation: &chat, question: &question };
        let candidates = vec![candidate(0, 0.3, 0.3), candidate(1, 0.3, 0.3)];
        let found = Candidates { turns: vec![0, 1], candidates, ..Candidates::default() };
        assert_eq!(turns_of(&found.turns, &by_chance(&found.candidates)), [0, 1]);
        assert_eq!(shipped.ranking(&found), [1, 0]);
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
