//! Gathering everything that the arms rank by: readings, encodings, searches.
//!
//! It must not know how anything is ranked.

use super::arms::{ALL_KEYS, CANDIDATES, EIGHT_50, SHIPPED};
use super::rankings::Material;
use super::reading::{Among, Keys, Library, Plan};
use super::reranking;
use super::shelf::Shelf;
use crate::BenchError;
use crate::progress::Progress;
use crate::recorded::Conversation;

/// Reads, encodes and asks, one plan after the other, so that each engine starts once.
pub(super) async fn read<'a>(
    library: &mut Library,
    conversations: &'a [Conversation],
    plans: &[Plan],
) -> Result<Vec<Material<'a>>, BenchError> {
    let mut materials: Vec<Material<'a>> = conversations.iter().map(Material::of).collect();
    for &plan in plans {
        for material in &mut materials {
            let conversation = material.conversation;
            let reading = library.read(conversation, plan).await?;
            if plan == SHIPPED {
                material.encodings = library.encode(conversation, plan, &reading).await?;
                let asking = (Among::Everything, Keys::Stored);
                material.asked = library.ask(conversation, plan, &reading, asking).await?;
            } else if plan == ALL_KEYS {
                let asking = (Among::Everything, Keys::Whole);
                material.asked_all = library.ask(conversation, plan, &reading, asking).await?;
            } else if plan == EIGHT_50 {
                let asking = (Among::Everything, Keys::Whole);
                material.asked_eight = library.ask(conversation, plan, &reading, asking).await?;
            }
            material.readings.push((plan, reading));
        }
    }
    Ok(materials)
}

/// Fills a store with what the shipped plan read.
pub(super) async fn store(library: &Library, materials: &[Material<'_>]) -> Result<Shelf, BenchError> {
    let vectors = materials.iter().flat_map(|material| &material.asked.vectors);
    let width = vectors.map(Vec::len).next().unwrap_or(1);
    let shelf = Shelf::open(width, library.key_coder().clone()).await?;
    let mut progress = Progress::begin("storing", materials.len());
    for material in materials {
        if let Some(reading) = material.reading(SHIPPED) {
            shelf.fill(material.conversation, reading).await?;
        }
        progress.advance(1);
    }
    shelf.settle().await?;
    Ok(shelf)
}

/// Searches the store for every question, and asks once more among the candidates that the proxy
/// would have.
pub(super) async fn search(
    library: &mut Library,
    shelf: &Shelf,
    materials: &mut [Material<'_>],
) -> Result<(), BenchError> {
    for material in materials {
        let conversation = material.conversation;
        let Some(reading) = material.reading(SHIPPED) else {
            continue;
        };
        let questions = conversation.questions.iter().zip(&material.asked.vectors);
        let mut progress = Progress::begin(format!("searching {}", conversation.name), questions.len());
        let mut all_found = Vec::with_capacity(questions.len());
        for (question, vector) in questions {
            all_found.push(shelf.search(conversation, reading, (&question.text, vector)).await?);
            progress.advance(1);
        }
        let candidates: Vec<Vec<usize>> = all_found.iter().map(|found| found.first(CANDIDATES).turns()).collect();
        let asking = (Among::Turns(&candidates), Keys::Stored);
        let asked = library.ask(conversation, SHIPPED, reading, asking).await?;
        (material.found, material.asked_among) = (all_found, asked);
    }
    Ok(())
}

/// Re-ranks the first turns that the full pipeline finds for every question.
pub(super) async fn rerank(library: &mut Library, materials: &mut [Material<'_>]) -> Result<(), BenchError> {
    for material in materials {
        let candidates = reranking::candidates(material);
        material.reranked = library.rerank(material.conversation, SHIPPED, &candidates).await?;
    }
    Ok(())
}
