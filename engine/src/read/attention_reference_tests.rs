//! The encoder checked against a slow reference: what is seen is the model's attention and nothing else.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "tests tell what they measured")]
#![expect(clippy::cast_precision_loss, reason = "counts of tokens and heads")]

use std::collections::BTreeMap;

use super::encoder::{Encoder, PassKind, PassSize, PassTokens};
use super::input::InputBuilder;
use super::received::ReceivedAttention;
use crate::ffi::encoder::{EncoderContext, EncoderOptions, FlashAttention, Observer, TensorView};
use crate::llama::model::{Model, Role};
use crate::models_for_tests::{all, light};
use crate::{EncoderConfig, EngineError};

const TEXT: &str =
    "I moved to Lisbon on 7 May 2023 and my locker code is 4471. Let us meet at the old harbour for lunch.";

/// Keeps whole tensors by name, the last of each name.
#[derive(Default)]
struct Recorder {
    tensors: BTreeMap<String, ([usize; 4], Vec<f32>)>,
}

impl Observer for Recorder {
    fn wants(&self, name: &str) -> bool {
        ["Qcur-", "Kcur-", "kq_soft_max-"].iter().any(|wanted| name.starts_with(wanted))
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) {
        let mut values = vec![0.0; tensor.shape().iter().product()];
        if tensor.read(0, &mut values) {
            self.tensors.insert(name.to_owned(), (tensor.shape(), values));
        }
    }
}

fn ready(config: &EncoderConfig) -> (Model, PassTokens) {
    let model = Model::load(&config.model, Role::Encoder).unwrap();
    let inputs = InputBuilder::new(&model, config).unwrap();
    let text = inputs.turn("User", TEXT).passages.remove(0).pass;
    (model, text)
}

fn options(flash_attention: FlashAttention) -> EncoderOptions {
    EncoderOptions { tokens: 256, threads: 2, flash_attention }
}

fn record(model: &Model, text: &PassTokens, flash_attention: FlashAttention) -> Recorder {
    let mut recorder = Recorder::default();
    let mut context = EncoderContext::new(&model.llama, options(flash_attention)).unwrap();
    context.encode(&text.ids, &mut recorder).unwrap();
    recorder
}

#[test]
fn every_row_that_is_seen_is_a_distribution_over_all_tokens() {
    for config in all() {
        let (model, text) = ready(&config);
        let recorder = record(&model, &text, FlashAttention::Off);
        let seen = recorder.tensors.iter().filter(|(name, _)| name.starts_with("kq_soft_max-"));
        assert_eq!(seen.clone().count(), model.geometry.layers);
        for (name, ([receivers, givers, heads, _], values)) in seen {
            assert_eq!((*receivers, *heads), (text.ids.len(), model.geometry.heads));
            for row in values.chunks_exact(*receivers).take(givers * heads) {
                let sum: f32 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-4, "a row of {name} sums to {sum}");
            }
        }
    }
}

#[test]
fn what_is_received_equals_a_slow_reference_from_queries_and_keys() {
    for config in all() {
        let (model, text) = ready(&config);
        let recorder = record(&model, &text, FlashAttention::Off);
        let mut received = ReceivedAttention::new(text.own.clone(), model.geometry);
        let mut context = EncoderContext::new(&model.llama, options(FlashAttention::Off)).unwrap();
        context.encode(&text.ids, &mut received).unwrap();
        let received = received.finish(text.ids.len()).unwrap();
        let slow = slowly_received(&model, &recorder, &text);
        assert_eq!(slow.len(), received.len());
        let differences = slow.iter().zip(&received).map(|(slow, received)| (slow - received).abs() / slow);
        let furthest = differences.fold(0.0, f32::max);
        println!("{}: furthest {furthest}", config.model.display());
        assert!(furthest < 0.02, "{furthest}");
    }
}

/// Attention computed from rotated queries and keys, for texts that are shorter than any sliding window.
fn slowly_received(model: &Model, recorder: &Recorder, text: &PassTokens) -> Vec<f32> {
    let own = &text.own;
    let mut sums = vec![0.0_f64; own.len()];
    for layer in 0..model.geometry.layers {
        let ([width, heads, ..], queries) = &recorder.tensors[&format!("Qcur-{layer}")];
        let ([_, key_heads, ..], keys) = &recorder.tensors[&format!("Kcur-{layer}")];
        let scale = 1.0 / (*width as f64).sqrt();
        for head in 0..*heads {
            let key_head = head / (heads / key_heads);
            for giver in own.clone() {
                let query = &queries[(giver * heads + head) * width..][..*width];
                let product = |receiver: usize| {
                    let key = &keys[(receiver * key_heads + key_head) * width..][..*width];
                    let product: f64 = query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    (product * scale).exp()
                };
                let all: f64 = (0..text.ids.len()).map(product).sum();
                for (sum, receiver) in sums.iter_mut().zip(own.clone()) {
                    if receiver != giver {
                        *sum += product(receiver) / all;
                    }
                }
            }
        }
    }
    let rows = model.geometry.layers * model.geometry.heads * (own.len() - 1);
    let factor = text.ids.len() as f64 / rows as f64;
    #[expect(clippy::cast_possible_truncation, reason = "compared as such")]
    let relative = |sum: f64| (sum * factor) as f32;
    sums.into_iter().map(relative).collect()
}

#[test]
fn with_flash_attention_no_softmax_is_seen_and_that_is_an_error() {
    let (model, text) = ready(&light());
    let recorder = record(&model, &text, FlashAttention::On);
    assert!(!recorder.tensors.keys().any(|name| name.starts_with("kq_soft_max-")));
    let received = ReceivedAttention::new(text.own, model.geometry);
    assert!(matches!(received.finish(text.ids.len()), Err(EngineError::NoAttention(_))));
}

#[test]
fn vectors_are_the_same_with_and_without_a_look_at_attention() {
    for config in all() {
        let (model, text) = ready(&config);
        let size = PassSize { tokens: 256, threads: 2 };
        let pass = |kind| Encoder::new(&model, size, kind).unwrap().pass(&text).unwrap();
        let (looking, blind) = (pass(PassKind::Attention), pass(PassKind::Vectors));
        assert_eq!((looking.attention.len(), blind.attention.len()), (text.own.len(), 0));
        let width = model.geometry.width;
        let pairs = looking.vectors.chunks_exact(width).zip(blind.vectors.chunks_exact(width));
        let least = pairs.map(|(one, other)| cosine(one, other)).fold(1.0, f32::min);
        assert!(least > 0.99, "{least}");
    }
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f32>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

#[test]
fn a_panicking_observer_is_an_error_and_the_context_lives_on() {
    struct Panics;
    impl Observer for Panics {
        fn wants(&self, _: &str) -> bool {
            true
        }

        #[expect(clippy::panic, reason = "that is what is tested")]
        fn observe(&mut self, _: &str, _: &TensorView<'_>) {
            panic!("no")
        }
    }
    let (model, text) = ready(&light());
    let mut context = EncoderContext::new(&model.llama, options(FlashAttention::Off)).unwrap();
    assert!(context.encode(&text.ids, &mut Panics).is_err());
    assert!(context.encode(&text.ids, &mut Recorder::default()).is_ok());
}

#[test]
fn more_than_fits_a_pass_is_refused() {
    let (model, text) = ready(&light());
    let mut context = EncoderContext::new(&model.llama, options(FlashAttention::Off)).unwrap();
    let refused = context.encode(&text.ids.repeat(20), &mut Recorder::default());
    assert!(refused.is_err_and(|error| error.to_string().contains("1 to 256 allowed")));
}
