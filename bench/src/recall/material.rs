//! Everything of one conversation that arms rank by.

use mainpoint_engine::{EncodedQuestion, PassageReading};

use super::choosing::{self, Coded};
use super::library::Library;
use super::scores::Size;
use super::shelf::{Asked, Candidates, FoundTurns, Shelf};
use crate::BenchError;
use crate::data::Conversation;
use crate::progress::over;

/// Everything that is known about one conversation before its questions are ranked.
pub(super) struct Material<'a> {
    pub(super) conversation: &'a Conversation,
    /// The product's main points, per turn and passage.
    pub(super) points: Vec<Vec<PassageReading>>,
    /// The model's tokens of every turn.
    pub(super) sizes: Vec<usize>,
    /// Thousandths of a second that reading took when it was done.
    pub(super) milliseconds: usize,
    /// The vector of every turn's first passage, which is only compared.
    pub(super) first_passages: Vec<Vec<Vec<f32>>>,
    /// The codes that are only compared.
    pub(super) coded: Vec<Coded>,
    pub(super) asked: Vec<EncodedQuestion>,
    /// What the store found for each question.
    pub(super) found: Vec<FoundTurns>,
    /// What the product's search found for each question.
    pub(super) candidates: Vec<Candidates>,
}

impl<'a> Material<'a> {
    /// Reads a conversation and prepares its questions.
    pub(super) async fn read(library: &Library, conversation: &'a Conversation) -> Result<Self, BenchError> {
        let reading = library.read(conversation).await?;
        let points = library.main_points(conversation, &reading).await?;
        let questions = conversation.questions.iter().map(|question| question.text.as_str());
        let asked = library.ask(&conversation.name, questions).await?;
        Ok(Self {
            conversation,
            first_passages: choosing::first_passages(&points),
            coded: choosing::coded(&reading, library.engine.mean()),
            points,
            sizes: reading.sizes,
            milliseconds: reading.milliseconds,
            asked,
            found: Vec::new(),
            candidates: Vec::new(),
        })
    }

    pub(super) async fn search(&mut self, shelf: &Shelf) -> Result<(), BenchError> {
        let conversation = self.conversation;
        let passages = self.points.iter().map(Vec::len).sum();
        let questions = conversation.questions.iter().zip(&self.asked);
        for (question, encoded) in over(format!("searching {}", conversation.name), questions) {
            let asked = Asked { text: &question.text, question: encoded, time: conversation.end() };
            self.found.push(shelf.search(conversation, asked, passages).await?);
            self.candidates.push(shelf.find(conversation, asked).await?);
        }
        Ok(())
    }

    pub(super) fn quoted_sizes(&self) -> Vec<Size> {
        let turns = self.sizes.iter().zip(&self.points);
        turns.map(|(size, passages)| Size { whole: *size, passage: size / passages.len().max(1) }).collect()
    }
}

/// Reads conversations and fills a store with them.
pub(super) async fn gather<'a>(
    library: &Library,
    conversations: &'a [Conversation],
) -> Result<(Vec<Material<'a>>, Shelf), BenchError> {
    let shelf = Shelf::open(library).await?;
    let mut materials = Vec::with_capacity(conversations.len());
    for conversation in conversations {
        let material = Material::read(library, conversation).await?;
        shelf.fill(conversation, &material.sizes, &material.points).await?;
        materials.push(material);
    }
    shelf.settle().await?;
    for material in &mut materials {
        material.search(&shelf).await?;
    }
    Ok((materials, shelf))
}
