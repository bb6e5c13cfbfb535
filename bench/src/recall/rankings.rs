//! Which turns each arm finds for a question, best first.
//!
//! It must not know how turns are read or stored, or how rankings are judged.

use mainpoint::memory::dates::{Period, nearness, periods};
use mainpoint::memory::form::Look;
use mainpoint::memory::relevance::{Candidate, scores};
use mainpoint_engine::{Encoding, TokenSalience};
use mainpoint_store::fusion::reciprocal_rank;

use super::arms::{ALL_50, CANDIDATES};
use super::reading::{Asked, Plan, Reading};
use super::reranking;
use super::shelf::{Found, FoundPassage};
use crate::ranking::{best_cosines, by_score, completed};
use crate::recorded::Conversation;
use crate::words::{Rarity, leading_words, random_words};

/// Everything that is known about one conversation before its questions are ranked.
pub(super) struct Material<'a> {
    /// The conversation.
    pub(super) conversation: &'a Conversation,
    /// Its reading under each plan.
    pub(super) readings: Vec<(Plan, Reading)>,
    /// The embedder's token vectors, per turn and passage.
    pub(super) encodings: Vec<Vec<Encoding>>,
    /// Its questions, over the keys of main points.
    pub(super) asked: Asked,
    /// Its questions, over the keys of all content.
    pub(super) asked_all: Asked,
    /// Its questions, over the keys of the eight heads' main points; empty for another reader than the reference.
    pub(super) asked_eight: Asked,
    /// Its questions, over the main points of the store's candidates only.
    pub(super) asked_among: Asked,
    /// What the store found for each question.
    pub(super) found: Vec<Found>,
    /// Per question, one score for each of the first turns of the full pipeline.
    pub(super) reranked: Vec<Vec<f32>>,
}

/// The vectors of a conversation's turns, passage by passage.
type TurnVectors = Vec<Vec<Vec<f32>>>;

/// Vectors for one arm that is ranked by cosine in memory; several for an arm with random choices.
pub(super) struct Dense {
    arm: &'static str,
    variants: Vec<TurnVectors>,
}

/// What is known about one question.
pub(super) struct Asking<'a> {
    /// The conversation.
    pub(super) conversation: &'a Conversation,
    /// Its text.
    pub(super) text: &'a str,
    /// The periods that it names.
    pub(super) periods: Vec<Period>,
    /// Its vector.
    pub(super) vector: &'a [f32],
    /// What the store found.
    pub(super) found: &'a Found,
    /// The attention that it pays to each turn's main point.
    pub(super) attention: &'a [f32],
    /// The attention that it pays to all content of each turn.
    pub(super) attention_to_all: Option<&'a [f32]>,
    /// The attention that it pays to the eight heads' main points.
    pub(super) attention_to_eight: Option<&'a [f32]>,
    /// The attention that it pays to the main point of each candidate; the lowest score for other turns.
    pub(super) attention_among: &'a [f32],
    /// The score of each of the first turns of the full pipeline when they stand together in one prompt.
    pub(super) reranked: &'a [f32],
}

/// Vectors for every arm that is ranked in memory.
#[must_use]
pub(super) fn dense_arms(material: &Material<'_>) -> Vec<Dense> {
    const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
    let turns = &material.conversation.turns;
    let rarity = Rarity::of(turns.iter().map(|turn| turn.text.as_str()));
    let weighted = |turn: usize, encoding: &Encoding| {
        let text = &turns[turn].text;
        encoding.pool_weighted(|start, end| rarity.of_word(&text[start..end]))
    };
    let random = |percent: usize, seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        let chosen: Vec<_> = turns
            .iter()
            .map(|turn| random_words(&turn.text, percent, &mut random))
            .collect();
        material.pooled(|turn, encoding| encoding.pool(&chosen[turn]))
    };
    let rarest = |percent| material.pooled(|turn, encoding| encoding.pool(&rarity.rarest(&turns[turn].text, percent)));
    let lead = material.pooled(|turn, encoding| encoding.pool(&leading_words(&turns[turn].text, 25)));
    let mut truncated = material.pooled(|_, encoding| encoding.pool(&[]));
    truncated.iter_mut().for_each(|passages| passages.truncate(1));
    let mut arms = vec![
        Dense::one("whole-turn", material.pooled(|_, encoding| encoding.pool(&[]))),
        Dense::one("whole-turn-truncated", truncated),
        Dense::one("whole-turn-idf", material.pooled(weighted)),
        Dense::one("lead-25", lead),
        Dense {
            arm: "random-25",
            variants: SEEDS.map(|seed| random(25, seed)).to_vec(),
        },
        Dense {
            arm: "random-50",
            variants: SEEDS.map(|seed| random(50, seed)).to_vec(),
        },
        Dense::one("idf-25", rarest(25)),
        Dense::one("idf-50", rarest(50)),
    ];
    for (plan, reading) in &material.readings {
        let arm = match plan.name {
            "shipped-50" => "main-point-50",
            "shipped-25" => "main-point-25",
            "eight-heads-50" => "main-point-50-eight-heads",
            "eight-heads-25" => "main-point-25-eight-heads",
            "all-heads-50" => "main-point-50-all-heads",
            "all-heads-25" => "main-point-25-all-heads",
            _ => continue,
        };
        arms.push(Dense::one(
            arm,
            material.pooled(|turn, encoding| encoding.pool(&spans_of(reading, turn))),
        ));
        if *plan == ALL_50 {
            let soft = material.pooled(|turn, encoding| pool_softly(encoding, &reading.turns[turn].salience));
            arms.push(Dense::one("main-point-all-heads-soft", soft));
        }
    }
    arms
}

/// Every arm's rankings of all turns for one question, best first; several for random choices.
#[must_use]
pub(super) fn rankings(dense: &[Dense], asking: &Asking<'_>) -> Vec<(&'static str, Vec<Vec<usize>>)> {
    let mut ranked: Vec<(&'static str, Vec<Vec<usize>>)> =
        dense.iter().map(|arm| (arm.arm, arm.rank(asking.vector))).collect();
    let in_memory = |name: &str| {
        ranked
            .iter()
            .find(|(arm, _)| *arm == name)
            .and_then(|(_, rankings)| rankings.first())
            .cloned()
    };
    let count = asking.attention.len();
    let (lexical, main_point) = (&asking.found.by_words(count), &asking.found.by_vector(count));
    let whole = in_memory("whole-turn").unwrap_or_default();
    let main_point_50 = in_memory("main-point-50").unwrap_or_default();
    let attention = by_score(asking.attention);
    let among = by_score(asking.attention_among).into_iter();
    let among: Vec<usize> = among.filter(|turn| asking.attention_among[*turn] > f32::MIN).collect();
    let first = asking.found.first(CANDIDATES);
    let fuse = |rankings: &[&Vec<usize>], k: f32| {
        let rankings: Vec<Vec<usize>> = rankings.iter().map(|ranking| (*ranking).clone()).collect();
        reciprocal_rank(&rankings, k)
            .into_iter()
            .map(|(turn, _)| turn)
            .collect::<Vec<_>>()
    };
    let pipeline = full_pipeline(asking);
    let [only, both] = reranking::arms(&pipeline, asking.reranked);
    let others = [
        ("main-point", main_point.clone()),
        ("bm25", lexical.clone()),
        ("rrf-bm25-whole-turn", fuse(&[lexical, &whole], 60.0)),
        ("rrf-bm25-main-point-50", fuse(&[lexical, &main_point_50], 60.0)),
        ("rrf-bm25-main-point", fuse(&[lexical, main_point], 60.0)),
        ("fused-60", fuse(&[lexical, main_point, &attention], 60.0)),
        ("fused-20", fuse(&[lexical, main_point, &attention], 20.0)),
        (
            "fused-20-candidates",
            fuse(&[&first.by_words(count), &first.by_vector(count), &among], 20.0),
        ),
        ("relevance-without-attention", relevant(asking, Without::Attention)),
        ("relevance-without-neighbours", relevant(asking, Without::Neighbours)),
        ("relevance-without-dates", relevant(asking, Without::Dates)),
        ("relevance-without-speaker", relevant(asking, Without::Speaker)),
        ("full-pipeline", pipeline),
        only,
        both,
        ("attention-search", attention.clone()),
    ];
    ranked.extend(others.map(|(arm, ranking)| (arm, vec![completed(&ranking, count)])));
    if let Some(to_all) = asking.attention_to_all.map(by_score) {
        let arms = [
            ("fused-60-all-keys", fuse(&[lexical, main_point, &to_all], 60.0)),
            ("fused-20-all-keys", fuse(&[lexical, main_point, &to_all], 20.0)),
            ("attention-search-all-keys", to_all),
        ];
        ranked.extend(arms.map(|(arm, ranking)| (arm, vec![completed(&ranking, count)])));
    }
    if let Some(attention) = asking.attention_to_eight {
        let ranking = completed(&by_score(attention), count);
        ranked.push(("attention-search-eight-heads", vec![ranking]));
    }
    ranked
}

/// The candidates as the product ranks them, best first; turns that are none are missing.
#[must_use]
pub(super) fn full_pipeline(asking: &Asking<'_>) -> Vec<usize> {
    relevant(asking, Without::Nothing)
}

/// A part of the shipped relevance that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    Attention,
    Neighbours,
    Dates,
    Speaker,
}

/// The candidates by the product's relevance.
fn relevant(asking: &Asking<'_>, without: Without) -> Vec<usize> {
    let (turns, candidates) = candidates(asking, without);
    by_score(&scores(&candidates)).into_iter().map(|at| turns[at]).collect()
}

/// The candidates of a question, with the turns that they are.
#[must_use]
pub(super) fn all_candidates(asking: &Asking<'_>) -> (Vec<usize>, Vec<Candidate>) {
    candidates(asking, Without::Nothing)
}

/// The candidates, from so many hits as the proxy asks for, with the turns that they are.
fn candidates(asking: &Asking<'_>, without: Without) -> (Vec<usize>, Vec<Candidate>) {
    let found = asking.found.first(CANDIDATES);
    let (turns, by_words) = (found.turns(), found.by_words(asking.conversation.turns.len()));
    let place = |turn: usize| turns.binary_search(&turn).ok();
    let periods: &[Period] = if without == Without::Dates {
        &[]
    } else {
        &asking.periods
    };
    let candidates: Vec<Candidate> = turns
        .iter()
        .map(|&turn| {
            let said = &asking.conversation.turns[turn];
            let attention = Some(asking.attention_among[turn]).filter(|score| *score > f32::MIN);
            let beside = |neighbour: Option<usize>| {
                let has = without != Without::Neighbours;
                neighbour.filter(|_| has).and_then(place)
            };
            let form = Look::of(said.role, &said.message()).beside(asking.text);
            Candidate {
                lexical: by_words.iter().position(|found| *found == turn),
                cosine: best_of(&found.dense, turn),
                attention: attention.filter(|_| without != Without::Attention),
                previous: beside(turn.checked_sub(1)),
                next: beside(Some(turn + 1)),
                form: match without {
                    Without::Speaker => form.without_speaker(),
                    _ => form,
                },
                nearness: nearness(periods, said.time),
            }
        })
        .collect();
    (turns, candidates)
}

/// The score of a turn's best passage.
fn best_of(hits: &[FoundPassage], turn: usize) -> Option<f32> {
    hits.iter().find(|hit| hit.turn == turn).map(|hit| hit.score)
}

impl<'a> Material<'a> {
    /// Material about a conversation of which nothing is known yet.
    #[must_use]
    pub(super) fn of(conversation: &'a Conversation) -> Self {
        Self {
            conversation,
            readings: Vec::new(),
            encodings: Vec::new(),
            asked: Asked::default(),
            asked_all: Asked::default(),
            asked_eight: Asked::default(),
            asked_among: Asked::default(),
            found: Vec::new(),
            reranked: Vec::new(),
        }
    }

    /// What is known about one of its questions.
    #[must_use]
    pub(super) fn asking(&self, question: usize) -> Option<Asking<'_>> {
        let asked = self.conversation.questions.get(question)?;
        // Who asks without a date asks when the conversation has ended.
        let end = self.conversation.turns.last().map(|turn| turn.time);
        let time = asked.asked.or(end).unwrap_or_default();
        Some(Asking {
            conversation: self.conversation,
            text: &asked.text,
            periods: periods(&asked.text, time),
            vector: self.asked.vectors.get(question)?,
            found: self.found.get(question)?,
            attention: self.asked.attention.get(question)?,
            attention_to_all: self.asked_all.attention.get(question).map(Vec::as_slice),
            attention_to_eight: self.asked_eight.attention.get(question).map(Vec::as_slice),
            attention_among: self.asked_among.attention.get(question)?,
            reranked: self.reranked.get(question).map(Vec::as_slice).unwrap_or_default(),
        })
    }

    /// The reading under a plan.
    #[must_use]
    pub(super) fn reading(&self, plan: Plan) -> Option<&Reading> {
        self.readings
            .iter()
            .find(|(found, _)| *found == plan)
            .map(|(_, reading)| reading)
    }

    /// A vector per passage, made by `pool(turn, encoding)`.
    fn pooled(&self, pool: impl Fn(usize, &Encoding) -> Vec<f32>) -> TurnVectors {
        let turns = self.encodings.iter().enumerate();
        turns
            .map(|(turn, passages)| passages.iter().map(|encoding| pool(turn, encoding)).collect())
            .collect()
    }
}

impl Dense {
    fn one(arm: &'static str, vectors: TurnVectors) -> Self {
        Self {
            arm,
            variants: vec![vectors],
        }
    }

    fn rank(&self, question: &[f32]) -> Vec<Vec<usize>> {
        self.variants
            .iter()
            .map(|turns| by_score(&best_cosines(question, turns)))
            .collect()
    }
}

fn spans_of(reading: &Reading, turn: usize) -> Vec<(usize, usize)> {
    let passages = reading.turns[turn].passages.iter();
    passages
        .flat_map(|passage| &passage.spans)
        .map(|span| (span.start, span.end))
        .collect()
}

/// The mean of all tokens weighted by the strongest attention on their word.
fn pool_softly(encoding: &Encoding, salience: &[TokenSalience]) -> Vec<f32> {
    encoding.pool_weighted(|start, end| {
        let over = salience.iter().filter(|token| token.start < end && token.end > start);
        over.map(|token| token.score).fold(0.0, f32::max)
    })
}

#[cfg(test)]
mod tests {
    use mainpoint_engine::EncodedToken;

    use super::*;
    use crate::recorded::{Turn, Unit};

    #[test]
    fn soft_pooling_weighs_a_word_by_its_strongest_token() {
        let token = |start, end, vector: [f32; 2]| EncodedToken {
            start,
            end,
            vector: vector.to_vec(),
        };
        let encoding = Encoding {
            tokens: vec![token(0, 4, [3.0, 0.0]), token(5, 6, [0.0, 4.0])],
        };
        let salience = |start, end, score| TokenSalience { start, end, score };
        let pooled = pool_softly(
            &encoding,
            &[salience(0, 2, 0.5), salience(2, 4, 1.0), salience(4, 6, 1.0)],
        );
        assert!((pooled[0] - 0.6).abs() < 1e-6 && (pooled[1] - 0.8).abs() < 1e-6);
    }

    fn said(text: &str) -> Turn {
        Turn {
            speaker: "User".to_owned(),
            role: "user",
            text: text.to_owned(),
            time: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_arm_ranks_every_turn_once() {
        let turns = |first: f32| {
            vec![
                vec![vec![first, 0.1]],
                vec![vec![0.3, 0.2]],
                vec![vec![0.5, 0.0]],
                vec![],
            ]
        };
        let dense = [
            Dense::one("whole-turn", turns(0.9)),
            Dense::one("main-point-50", turns(0.1)),
        ];
        let hit = |turn, score| FoundPassage {
            turn,
            passage: 0,
            score,
        };
        let found = Found {
            dense: vec![hit(2, 0.9), hit(0, 0.3)],
            lexical: vec![hit(1, 4.0)],
        };
        let conversation = Conversation {
            name: "some".to_owned(),
            sessions: std::iter::once(0..4).collect(),
            turns: vec![said("Where?"), said("There."), said("Yes."), said("No.")],
            questions: Vec::new(),
            unanswerable: Vec::new(),
            unit: Unit::Turn,
        };
        let attention = [0.1, -0.2, 0.4, f32::MIN];
        let asking = Asking {
            vector: &[1.0, 0.0],
            found: &found,
            attention: &attention,
            attention_to_all: Some(&attention),
            conversation: &conversation,
            text: "Where is it?",
            periods: Vec::new(),
            attention_to_eight: None,
            attention_among: &attention,
            reranked: &[0.1, 0.2, 0.3],
        };
        let ranked = rankings(&dense, &asking);
        for (arm, rankings) in &ranked {
            let mut turns = rankings[0].clone();
            turns.sort_unstable();
            assert_eq!(turns, [0, 1, 2, 3], "{arm}");
        }
        let of = |name| {
            ranked
                .iter()
                .find(|(arm, _)| *arm == name)
                .map(|(_, rankings)| rankings[0].clone())
        };
        assert_eq!(of("whole-turn"), Some(vec![0, 2, 1, 3]));
        assert_eq!(of("bm25"), Some(vec![1, 0, 2, 3]));
        assert_eq!(of("attention-search"), Some(vec![2, 0, 1, 3]));
        // 2/21 for turn 2; 1/21 + 1/23 = .0911 for turn 1; 2/22 = .0909 for turn 0; 1/24 for turn 3.
        assert_eq!(of("fused-20"), Some(vec![2, 1, 0, 3]));
        // The prompt turns the order of the three candidates around.
        let mut turned = of("full-pipeline").unwrap_or_default();
        turned[..3].reverse();
        assert_eq!(of("reranked-only"), Some(turned));
    }
}
