//! The attention of a conversation's questions to keys after each scheme, kept in the cache.
//!
//! One scheme at a time: the keys of a long conversation are tens of megabytes. It must not know what scores are ranked into.

use mainpoint_engine::KeyBlock;

use super::super::arms::{BOTH_LAYERS, CANDIDATES};
use super::super::rankings::Material;
use super::super::reading::{Candidates, Library, text_of};
use super::coder::Coder;
use super::learned::Apart;
use super::schemes::{SCHEMES, Scheme};
use crate::BenchError;
use crate::cache::Columns;
use crate::progress::Progress;

/// Per question, one score per turn after a scheme's loss; the lowest there is for turns that are no candidates.
pub(super) type Attention = Vec<Vec<f32>>;
/// The attention after each scheme that could be applied.
pub(super) type BySchemes = Vec<(&'static Scheme, Attention)>;

/// Changes when a scheme of the same description codes otherwise.
const FORMAT: &str = "2";

/// Asks the questions of a conversation among the candidates that the proxy would have.
///
/// # Errors
/// Any failure of the engine or the cache.
pub(super) async fn ask(
    library: &mut Library,
    material: &Material<'_>,
    apart: &mut Apart<'_>,
) -> Result<BySchemes, BenchError> {
    let conversation = material.conversation;
    let Some(reading) = material.reading(BOTH_LAYERS) else {
        return Ok(Vec::new());
    };
    let found = material.found.iter();
    let competing: Vec<Vec<usize>> = found.map(|found| found.first(CANDIDATES).turns()).collect();
    let texts: Vec<&str> = conversation
        .questions
        .iter()
        .map(|question| question.text.as_str())
        .collect();
    let name = format!("{}-{}-shorter-keys", conversation.name, BOTH_LAYERS.name);
    let inputs = [
        format!("{FORMAT} {BOTH_LAYERS:?} {SCHEMES:?}"),
        text_of(conversation),
        texts.join("\n"),
        format!("{competing:?}"),
        apart.conversations().iter().map(text_of).collect(),
    ];
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    if let Some(columns) = library.kept(&name, &inputs) {
        return Ok(from_columns(&columns));
    }
    let learned = apart.learned(library).await?;
    let coder = Coder::of(reading, learned);
    let engine = library.engine(BOTH_LAYERS)?;
    let mut questions = Vec::with_capacity(texts.len());
    for text in texts {
        let question = engine.question(text).await;
        questions.push(question.map_err(BenchError::engine("preparing a question"))?);
    }
    let mut progress = Progress::begin(format!("asking {name}"), SCHEMES.len());
    let mut asked = BySchemes::new();
    for scheme in SCHEMES {
        if coder.has(scheme) {
            let unpack = |bytes: &[u8]| KeyBlock::from_bytes(&coder.round_trip(scheme, bytes));
            let candidates = Candidates::of(reading, unpack)?;
            let both = questions.iter().zip(&competing);
            let attention = both.map(|(question, turns)| candidates.only(turns).attention(&engine, question));
            asked.push((scheme, attention.collect()));
        }
        progress.advance(1);
    }
    library.keep(&name, &inputs, &columns(&asked))?;
    Ok(asked)
}

fn columns(asked: &[(&'static Scheme, Attention)]) -> Columns {
    let mut columns = Columns::default();
    let questions = asked.first().map_or(&[][..], |(_, attention)| attention);
    columns.put_numbers("question.turns", questions.iter().map(Vec::len));
    for (scheme, attention) in asked {
        columns.put_floats(scheme.name, attention.iter().flatten().copied());
    }
    columns
}

fn from_columns(columns: &Columns) -> BySchemes {
    let turns = columns.numbers("question.turns");
    let of = |scheme: &'static Scheme| {
        let mut scores = columns.floats(scheme.name).into_iter();
        let attention = turns
            .iter()
            .map(|count| scores.by_ref().take(*count).collect::<Vec<f32>>());
        let attention: Attention = attention.collect();
        let is_whole = attention
            .iter()
            .zip(&turns)
            .all(|(scores, count)| scores.len() == *count);
        is_whole.then_some((scheme, attention))
    };
    SCHEMES.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_comes_back_without_the_schemes_that_were_left_out() {
        let attention = |first: f32| vec![vec![first, 0.5, f32::MIN], vec![-0.25, first, 0.0]];
        let asked: BySchemes = SCHEMES.iter().skip(2).map(|scheme| (scheme, attention(0.75))).collect();
        assert_eq!(from_columns(&columns(&asked)), asked);
    }
}
