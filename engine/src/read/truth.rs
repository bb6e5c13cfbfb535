//! The encoder checked against the truth: what is seen is the model's attention and nothing else, and texts that share a pass
//! are read as if each were alone.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "tests tell what they measured")]
#![expect(clippy::cast_precision_loss, reason = "counts of tokens and heads")]

use std::collections::BTreeMap;

use super::encoder::{Encoder, PassSize, PassText, Sight};
use super::received::{Place, Received};
use super::script::Script;
use crate::ffi::encoder::{EncoderContext, EncoderOptions, FlashAttention, Observer, TensorView};
use crate::llama::model::{Model, Role};
use crate::test_models::all;
use crate::{EncoderConfig, EngineError};

const TEXTS: [&str; 3] = [
    "I moved to Lisbon on 7 May 2023 and my locker code is 4471.",
    "Good, I will remember the code. Let us meet at the old harbour for lunch on Friday, if the weather is fine.",
    "Yes!",
];

/// Keeps whole tensors by name, the last of each name.
#[derive(Default)]
struct Recorder {
    tensors: BTreeMap<String, ([usize; 4], Vec<f32>)>,
}

impl Observer for Recorder {
    fn wants(&self, name: &str) -> bool {
        ["Qcur-", "Kcur-", "kq_soft_max-"]
            .iter()
            .any(|wanted| name.starts_with(wanted))
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) {
        let mut values = vec![0.0; tensor.shape().iter().product()];
        if tensor.read(0, &mut values) {
            self.tensors.insert(name.to_owned(), (tensor.shape(), values));
        }
    }
}

/// A model with the texts, ready to be read.
struct Ready {
    model: Model,
    texts: Vec<PassText>,
    places: Vec<Place>,
}

fn ready(config: &EncoderConfig) -> Ready {
    let model = Model::load(&config.model, Role::Encoder).unwrap();
    let script = Script::new(&model, config).unwrap();
    let passage = |text: &&str| script.cut("User", text, 0).passages.remove(0).pass;
    let texts: Vec<PassText> = TEXTS.iter().map(passage).collect();
    let mut at = 0;
    let place = |text: &PassText| {
        let start = at;
        at += text.ids.len();
        Place {
            all: start..at,
            own: start + text.own.start..start + text.own.end,
        }
    };
    let places = texts.iter().map(place).collect();
    Ready { model, texts, places }
}

fn options(flash_attention: FlashAttention) -> EncoderOptions {
    EncoderOptions {
        tokens: 256,
        texts: TEXTS.len(),
        threads: 2,
        flash_attention,
    }
}

fn record(ready: &Ready, flash_attention: FlashAttention) -> Recorder {
    let mut recorder = Recorder::default();
    let mut context = EncoderContext::new(&ready.model.llama, options(flash_attention)).unwrap();
    let ids = ready.texts.iter().map(|text| text.ids.as_slice());
    context.encode(ids, &mut recorder).unwrap();
    recorder
}

#[test]
fn every_row_that_is_seen_is_a_distribution_over_its_own_text() {
    for config in all() {
        let ready = ready(&config);
        let recorder = record(&ready, FlashAttention::Off);
        let seen = recorder
            .tensors
            .iter()
            .filter(|(name, _)| name.starts_with("kq_soft_max-"));
        let mut layers = 0;
        for (name, (shape, values)) in seen {
            layers += 1;
            assert_eq!(shape[2], ready.model.geometry.heads);
            for place in &ready.places {
                for row in (0..shape[2]).flat_map(|head| place.all.clone().map(move |row| head * shape[1] + row)) {
                    let row = &values[row * shape[0]..(row + 1) * shape[0]];
                    let (all, own): (f32, f32) = (row.iter().sum(), row[place.all.clone()].iter().sum());
                    assert!(
                        (all - 1.0).abs() < 1e-4 && (own - 1.0).abs() < 1e-4,
                        "{name} sums to {all}, {own}"
                    );
                }
            }
        }
        assert_eq!(layers, ready.model.geometry.layers);
    }
}

#[test]
fn what_is_received_equals_a_slow_reference_from_queries_and_keys() {
    for config in all() {
        let ready = ready(&config);
        let recorder = record(&ready, FlashAttention::Off);
        let mut received = Received::new(&ready.places, ready.model.geometry);
        let mut context = EncoderContext::new(&ready.model.llama, options(FlashAttention::Off)).unwrap();
        let ids = ready.texts.iter().map(|text| text.ids.as_slice());
        context.encode(ids, &mut received).unwrap();
        let received = received.finish().unwrap();
        let mut furthest = 0.0_f32;
        for (place, received) in ready.places.iter().zip(received) {
            let slow = slowly_received(&ready.model, &recorder, place);
            assert_eq!(slow.len(), received.len());
            for (slow, received) in slow.iter().zip(&received) {
                furthest = furthest.max((slow - received).abs() / slow.max(1e-3));
            }
        }
        println!("{}: furthest {furthest}", config.model.display());
        assert!(furthest < 0.02, "{furthest}");
    }
}

/// Attention computed from rotated queries and keys, for texts that are shorter than any sliding window.
fn slowly_received(model: &Model, recorder: &Recorder, place: &Place) -> Vec<f32> {
    let own = &place.own;
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
                let all: f64 = place.all.clone().map(product).sum();
                for (sum, receiver) in sums.iter_mut().zip(own.clone()) {
                    if receiver != giver {
                        *sum += product(receiver) / all;
                    }
                }
            }
        }
    }
    if own.len() == 1 {
        return vec![1.0];
    }
    let rows = model.geometry.layers * model.geometry.heads * (own.len() - 1);
    let factor = place.all.len() as f64 / rows as f64;
    #[expect(clippy::cast_possible_truncation, reason = "compared as such")]
    let relative = |sum: f64| (sum * factor) as f32;
    sums.into_iter().map(relative).collect()
}

#[test]
fn with_flash_attention_no_softmax_is_seen_and_that_is_an_error() {
    let ready = ready(&crate::test_models::light());
    let recorder = record(&ready, FlashAttention::On);
    assert!(!recorder.tensors.keys().any(|name| name.starts_with("kq_soft_max-")));
    let received = Received::new(&ready.places, ready.model.geometry);
    assert!(matches!(received.finish(), Err(EngineError::NoAttention(_))));
}

#[test]
fn texts_that_share_a_pass_are_read_as_if_alone_with_and_without_a_look_at_attention() {
    for config in all() {
        let ready = ready(&config);
        let size = PassSize {
            tokens: 256,
            texts: TEXTS.len(),
            threads: 2,
        };
        let mut looking = Encoder::new(&ready.model, size, Sight::Attention).unwrap();
        let mut blind = Encoder::new(&ready.model, size, Sight::Vectors).unwrap();
        let together = looking.pass(&ready.texts).unwrap();
        let unseen = blind.pass(&ready.texts).unwrap();
        for ((text, together), unseen) in ready.texts.iter().zip(&together).zip(&unseen) {
            let alone = looking.pass(std::slice::from_ref(text)).unwrap().remove(0);
            assert_eq!(alone.attention.len(), text.own.len());
            for (one, other) in alone.attention.iter().zip(&together.attention) {
                assert!((one - other).abs() < 0.02 + 0.05 * one, "{one} alone, {other} together");
            }
            let width = ready.model.geometry.width;
            for (index, alone) in alone.vectors.chunks_exact(width).enumerate() {
                let at = index * width..(index + 1) * width;
                let (shared, unseen) = (
                    cosine(alone, &together.vectors[at.clone()]),
                    cosine(alone, &unseen.vectors[at]),
                );
                assert!(shared > 0.99 && unseen > 0.99, "{shared} {unseen}");
            }
        }
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
    let ready = ready(&crate::test_models::light());
    let mut context = EncoderContext::new(&ready.model.llama, options(FlashAttention::Off)).unwrap();
    let ids = || ready.texts.iter().map(|text| text.ids.as_slice());
    assert!(context.encode(ids(), &mut Panics).is_err());
    assert!(context.encode(ids(), &mut Recorder::default()).is_ok());
}

#[test]
fn more_than_fits_a_pass_is_refused() {
    let ready = ready(&crate::test_models::light());
    let mut context = EncoderContext::new(&ready.model.llama, options(FlashAttention::Off)).unwrap();
    let ids = ready.texts.iter().cycle().take(4).map(|text| text.ids.as_slice());
    let refused = context.encode(ids, &mut Recorder::default());
    assert!(refused.is_err_and(|error| error.to_string().contains("4 texts")));
}
