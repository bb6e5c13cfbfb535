//! Surveying labelled conversations: what every head sees in their turns and questions.
//!
//! It must not know how heads are chosen.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use futures::{StreamExt, stream};
use mainpoint_engine::{KeyBlock, SearchScope, Survey, SurveyedTurn};

use super::labelled::{Conversation, Question};
use crate::cli::CliError;
use crate::error::StartError;
use crate::terminal::Progress;

/// Per question, one score per turn.
pub(super) type Scores = Vec<Vec<f32>>;

/// One conversation as every head sees it.
pub(super) struct Surveyed {
    turns: Vec<SurveyedTurn>,
    /// Its questions.
    pub(super) asked: Vec<Asked>,
}

/// One question as every head asks it.
pub(super) struct Asked {
    vector: Vec<f32>,
    /// Positions of the turns that answer it.
    pub(super) evidence: Vec<usize>,
    /// Per head, one score per turn.
    attention: Vec<Vec<f32>>,
}

/// Reads and asks with every head. Questions attend to the keys that `kept` gives of each turn; it may
/// take those away from the turn that nobody needs any more.
pub(super) async fn survey(
    survey: &Survey,
    conversations: &[&Conversation],
    kept: impl Fn(&mut SurveyedTurn) -> KeyBlock,
) -> Result<Vec<Surveyed>, CliError> {
    let mut part = Vec::with_capacity(conversations.len());
    for conversation in conversations {
        let mut turns = read(survey, conversation).await?;
        let keys = turns.iter_mut().map(&kept).collect();
        let scope = Arc::new(survey.scope(keys));
        let asked = ask_all(survey, &scope, conversation).await?;
        part.push(Surveyed { turns, asked });
    }
    Ok(part)
}

async fn read(survey: &Survey, conversation: &Conversation) -> Result<Vec<SurveyedTurn>, CliError> {
    let total = conversation.sessions.iter().map(Vec::len).sum();
    let label = format!("reading {}", conversation.name);
    let progress = Progress::StandardError.steps(&label, total);
    let mut turns = Vec::with_capacity(total);
    for session in &conversation.sessions {
        let read = survey.read(session.clone()).await?;
        progress.advance(session.len() as u64);
        turns.extend(read);
    }
    progress.finish();
    Ok(turns)
}

/// Asks all questions, as many at once as there are cores.
async fn ask_all(
    survey: &Survey,
    scope: &Arc<SearchScope>,
    conversation: &Conversation,
) -> Result<Vec<Asked>, CliError> {
    let questions = &conversation.questions;
    let label = format!("asking {}", conversation.name);
    let progress = Progress::StandardError.steps(&label, questions.len());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let asking = stream::iter(questions).map(|question| ask(survey, scope, question));
    let mut answers = pin!(asking.buffered(cores));
    let mut asked = Vec::with_capacity(questions.len());
    while let Some(answer) = answers.next().await {
        asked.push(answer?);
        progress.advance(1);
    }
    progress.finish();
    Ok(asked)
}

async fn ask(survey: &Survey, scope: &Arc<SearchScope>, question: &Question) -> Result<Asked, CliError> {
    let prepared = survey.question(&question.text).await?;
    let (scope, queries) = (Arc::clone(scope), prepared.queries);
    let attention = tokio::task::spawn_blocking(move || scope.scores(&queries))
        .await
        .map_err(|error| StartError::Process {
            operation: "score a question",
            source: io::Error::other(error),
        })?;
    Ok(Asked {
        vector: prepared.vector,
        evidence: question.evidence.clone(),
        attention,
    })
}

impl Surveyed {
    /// The scores of attention search with these heads: the mean of what each gives, but for a constant factor.
    pub(super) fn by_attention(&self, heads: &[usize]) -> Scores {
        let sum = |asked: &Asked| {
            let mut scores = vec![0.0_f32; self.turns.len()];
            for row in heads.iter().filter_map(|head| asked.attention.get(*head)) {
                scores.iter_mut().zip(row).for_each(|(sum, score)| *sum += score);
            }
            scores
        };
        self.asked.iter().map(sum).collect()
    }

    /// Per turn, the keys of the main point that these heads mark together, for every head.
    pub(super) fn main_point_keys(&self, heads: &[usize], keep: f32) -> impl Iterator<Item = KeyBlock> {
        self.turns.iter().map(move |turn| turn.main_point_keys(heads, keep))
    }

    /// The cosines of main points that these heads mark together.
    pub(super) fn by_main_point(&self, heads: &[usize], keep: f32) -> Scores {
        self.by_vectors(|turn| turn.main_point(heads, keep))
    }

    /// The cosines of whole turns.
    pub(super) fn by_whole_turn(&self) -> Scores {
        self.by_vectors(SurveyedTurn::whole)
    }

    /// A turn counts by its best passage; one without passages comes last.
    fn by_vectors(&self, vectors: impl Fn(&SurveyedTurn) -> Vec<Vec<f32>>) -> Scores {
        let turns: Vec<Vec<Vec<f32>>> = self.turns.iter().map(vectors).collect();
        let score = |asked: &Asked| -> Vec<f32> {
            let cosines = turns.iter().map(|passages| {
                let passages = passages.iter().map(|vector| dot(&asked.vector, vector));
                passages.fold(f32::MIN, f32::max)
            });
            cosines.collect()
        };
        self.asked.iter().map(score).collect()
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}
