//! What scoring a question takes from the allocator, and how long it takes: guards against regressions.
#![expect(clippy::print_stdout, reason = "the figures are to be seen")]

use std::hint::black_box;
use std::time::Instant;

use crate::{QuestionCodes, codes_of};

/// Documents of one question, as many as the proxy takes of a search.
const DOCUMENTS: usize = 500;
/// Tokens of a document.
const TOKENS: usize = 36;
const QUESTION_TOKENS: usize = 16;
const WIDTH: usize = 768;

/// A question and its documents.
struct Scene {
    question: QuestionCodes,
    documents: Vec<Vec<u8>>,
}

#[test]
fn scoring_takes_a_handful_of_allocations_however_many_documents_there_are() {
    let cost = |documents: usize| {
        let scene = Scene::new(documents);
        let documents = scene.views();
        allocation_counter::measure(|| drop(black_box(scene.question.max_sim(&documents))))
    };
    let (once, twice) = (cost(DOCUMENTS), cost(2 * DOCUMENTS));
    println!("{} allocations, {} KiB", once.count_total, once.bytes_total.div_ceil(1024));
    assert!(once.count_total <= 8 && twice.count_total <= 8);
    assert!(twice.bytes_total <= 2 * once.bytes_total + 1024);
}

#[test]
fn scoring_a_question_takes_little_time() {
    let scene = Scene::new(DOCUMENTS);
    let documents = scene.views();
    let time = || {
        let started = Instant::now();
        black_box(scene.question.max_sim(&documents));
        started.elapsed()
    };
    let best = (0..20).map(|_| time()).min().unwrap_or_default();
    println!("{DOCUMENTS} documents of {TOKENS} tokens against {QUESTION_TOKENS}: {best:?}");
    // A busy machine takes longer; comparing bit by bit would take a hundred times as long.
    assert!(best.as_millis() < 20, "{best:?}");
}

impl Scene {
    fn new(documents: usize) -> Self {
        let mean = vec![0.0; WIDTH];
        let codes = |tokens: usize, seed: usize| {
            let vectors: Vec<Vec<f32>> = (0..tokens).map(|token| vector(seed * 977 + token)).collect();
            codes_of(vectors.iter().map(Vec::as_slice), &mean)
        };
        let question = codes(QUESTION_TOKENS, 1);
        let documents = (0..documents).map(|document| codes(TOKENS, document + 2).as_bytes().to_vec());
        Self { question: QuestionCodes::new(WIDTH, &question), documents: documents.collect() }
    }

    fn views(&self) -> Vec<Vec<&[u8]>> {
        self.documents.iter().map(|document| vec![document.as_slice()]).collect()
    }
}

/// Numbers around 0 that look like any others.
fn vector(seed: usize) -> Vec<f32> {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 0 { 1.0 } else { -1.0 }
    };
    (0..WIDTH).map(|_| next()).collect()
}
