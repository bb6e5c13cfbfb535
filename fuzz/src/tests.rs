//! A moment of fuzzing: what each target is tried with first, and changes of it, the same in every run.
#![expect(clippy::expect_used, reason = "tests fail loudly")]

use fastrand::Rng;

use crate::mutations::{mutated, words};
use crate::{seeds, target, targets};

/// How many changes are tried for each target.
const CHANGES: usize = 3_000;

/// Tries the seeds of the repository and changes of them.
fn survives(name: &str) {
    let attempt = target(name).expect("a target of this name");
    let seeds = seeds::own(name);
    assert!(!seeds.is_empty(), "nothing to begin with");
    seeds.iter().for_each(|seed| attempt(seed));
    let mut rng = Rng::with_seed(7);
    let (mut known, words) = (seeds, words(name));
    for _ in 0..CHANGES {
        let (one, other) = (rng.choice(&known).cloned(), rng.choice(&known).cloned());
        let changed = mutated(&one.unwrap_or_default(), &other.unwrap_or_default(), &words, &mut rng);
        attempt(&changed);
        // Some changes are changed again.
        if changed.len() < 4096 && rng.u8(0..8) == 0 {
            known.push(changed);
        }
    }
}

#[test]
fn any_chat_completions_request_keeps_what_is_not_changed() {
    survives("chat");
}

#[test]
fn any_responses_request_keeps_what_is_not_changed() {
    survives("responses");
}

#[test]
fn any_reply_is_read_alike_however_it_is_cut() {
    survives("sse");
}

#[test]
fn any_configuration_is_one_or_an_error_that_names_its_key() {
    survives("configuration");
}

#[test]
fn any_file_can_be_tried_as_an_import() {
    survives("import");
}

#[test]
fn what_is_masked_in_any_text_stays_masked() {
    survives("secrets");
}

#[test]
fn any_text_can_be_quoted_and_its_block_is_known_again() {
    survives("blocks");
}

#[test]
fn any_file_of_a_model_is_described_or_refused() {
    survives("gguf");
    survives("safetensors");
    survives("sentence-piece");
}

#[test]
fn any_codes_are_compared_as_bit_by_bit() {
    survives("codes");
}

#[test]
fn recorded_requests_and_streams_pass_every_target() {
    let mut tried = 0;
    for (name, attempt) in targets() {
        let recorded = seeds::recorded(name);
        tried += recorded.len();
        recorded.iter().for_each(|seed| attempt(seed));
    }
    assert!(tried > 100, "only {tried} recordings");
}
