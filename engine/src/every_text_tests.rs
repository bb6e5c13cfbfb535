//! Whatever a text is, it can be tokenised, counted, cut and read, in a time that is proportional to its length; and a
//! long one neither holds up others nor a stop.
//!
//! These tests run the real models and fail, saying so, where those are missing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "tests tell what they measured")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::any_text_for_tests::any_text;
use crate::llama::model::{Model, Role};
use crate::llama::tokens::{SEGMENT, count, tokenize};
use crate::models_for_tests::{all, engine, user};
use crate::read::input::InputBuilder;
use crate::segments::segments;
use crate::{Engine, EngineError, MOST_TURN_BYTES, ReadRequest, TurnReading};

/// What each model makes of texts.
fn models() -> &'static [(Model, InputBuilder)] {
    static MODELS: OnceLock<Vec<(Model, InputBuilder)>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let inputs = |config: crate::EncoderConfig| {
            let model = Model::load(&config.model, Role::Encoder).unwrap();
            let inputs = InputBuilder::new(&model, &config).unwrap();
            (model, inputs)
        };
        all().into_iter().map(inputs).collect()
    })
}

/// The model whose tokens are pieces of the text, or the other one where it is missing.
fn pieces() -> &'static Model {
    &models().last().unwrap().0
}

async fn read(engine: &Engine, text: &str) -> Result<TurnReading, EngineError> {
    let turns = vec![user(text)];
    Ok(engine.read(ReadRequest { turns }).await?.remove(0))
}

/// What the reports from the field had in common: a character that the tokenizer takes for a space, and words that a
/// model counts otherwise than it cuts them.
fn reported() -> Vec<String> {
    let rule = "─".repeat(74);
    vec![
        "SentencePiece writes a space as ▁ (U+2581).".into(),
        "▁".repeat(700),
        "▁▁ ▁ a▁b ▁".repeat(50),
        (0..12).map(|row| format!("│ row {row} │ value │\n├{rule}┤\n")).collect(),
        format!("╭{}╮\n│ Build finished │\n╰{0}╯", "─".repeat(100)),
        format!("Look: {}", "█".repeat(1000)),
        "word ".repeat(3) + &"👩‍👩‍👧‍👦".repeat(150),
        format!("a{}b", "\0".repeat(2000)),
        format!("a{}b", "\u{200b}".repeat(2000)),
        "\u{64b}".repeat(50),
        "각".repeat(700),
        "a".repeat(5000),
        format!("one{}two", " ".repeat(30_000)),
        " \n".repeat(2000) + "end",
        "<unused7><table><bos>[UNK]".repeat(50),
    ]
}

fn check(text: &str, reading: &TurnReading) {
    let mut last = 0;
    for passage in &reading.passages {
        assert!(passage.start >= last && passage.start < passage.end && text.is_char_boundary(passage.start));
        assert!(text.is_char_boundary(passage.end));
        last = passage.end;
        assert!(!passage.codes.is_empty());
        let length: f32 = passage.vector.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-3, "a vector of length {length}");
        let mut from = passage.start;
        for span in &passage.spans {
            assert!(span.start >= from && span.start < span.end && span.end <= passage.end);
            assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            assert!(span.salience.is_finite());
            from = span.end;
        }
    }
    assert!(reading.salience.iter().all(|token| token.score.is_finite() && token.end <= text.len()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn tokens_ascend_and_hardly_a_letter_is_without_one(text in any_text(3000)) {
        for (model, inputs) in models() {
            let tokens = inputs.vocabulary().tokens(&text);
            let mut covered = vec![false; text.len()];
            let mut last = 0;
            for token in &tokens {
                prop_assert!(token.start >= last && token.start <= token.end && token.end <= text.len());
                prop_assert!(text.is_char_boundary(token.start) && text.is_char_boundary(token.end));
                covered[token.start..token.end].fill(true);
                last = token.start;
            }
            // A word-wise vocabulary drops what it takes for a mark.
            let drops = model.geometry.width == 384;
            for (at, character) in text.char_indices().filter(|(_, character)| character.is_alphanumeric() && !drops) {
                prop_assert!(covered[at], "{character:?} has no token");
            }
        }
    }

    #[test]
    fn a_text_counted_in_segments_has_about_as_many_tokens_as_in_one_piece(text in any_text(6000)) {
        let whole = pieces().llama.vocab().tokenize(text.as_bytes(), false, false).len();
        let found = count(&pieces().llama, &text);
        let cuts = segments(&text, SEGMENT).count().saturating_sub(1);
        prop_assert!(found.abs_diff(whole) <= 8 * cuts, "{found} for {whole} with {cuts} cuts");
    }

    #[test]
    fn every_passage_fits_a_pass_and_all_have_content(text in any_text(3000)) {
        for (_, inputs) in models() {
            let cut = inputs.turn("User", &text);
            let own: usize = cut.passages.iter().map(|passage| passage.pass.own.len()).sum();
            prop_assert!(own <= cut.tokens);
            for passage in cut.passages {
                prop_assert!(passage.pass.ids.len() <= inputs.longest_pass() && !passage.pass.own.is_empty());
            }
        }
    }
}

#[test]
fn any_text_is_read() {
    let runtime = Runtime::new().unwrap();
    for encoder in all() {
        let engine = Engine::start(&crate::EngineConfig { encoder, ..crate::EngineConfig::default() }).unwrap();
        for text in reported() {
            let reading = runtime.block_on(read(&engine, &text));
            let reading =
                reading.unwrap_or_else(|error| panic!("{error}: {:?}", text.chars().take(40).collect::<String>()));
            check(&text, &reading);
        }
        proptest!(ProptestConfig::with_cases(12), |(text in any_text(600))| {
            let reading = runtime.block_on(read(&engine, &text));
            prop_assert!(reading.is_ok(), "{:?}", reading.err());
            check(&text, &reading.unwrap());
        });
    }
}

#[test]
fn ordinary_text_has_as_many_tokens_in_segments_as_in_one_piece() {
    for (text, exactly) in [
        ("People walk along the water, visit the market and eat outside. It costs 12.50 euros!\n\n", true),
        ("Die Donaudampfschifffahrt begann 1829; heute kostet eine Fahrt 17 €, sagt Zoë.\n", true),
        ("fn main() {\n    let total: usize = [1, 2, 3].iter().sum();\n}\n", false),
        ("| name | value |\n|------|-------|\n| left | 1.25  |\n", true),
        ("В прошлом году мы ездили в Киото, и мой брат искал там шахматы. ", true),
        ("私は東京に住んでいます。毎朝、電車で会社に行きます。", false),
    ] {
        let text = text.repeat(20_000 / text.len());
        let whole = pieces().llama.vocab().tokenize(text.as_bytes(), false, false).len();
        let found = count(&pieces().llama, &text);
        println!("{found} tokens in segments, {whole} in one piece");
        assert!(
            found == whole || (!exactly && found.abs_diff(whole) * 200 <= whole),
            "{found} for {whole}: {text:.40}"
        );
        let aligned = tokenize(&pieces().llama, &text);
        assert_eq!(aligned.len(), found);
        assert!(aligned.windows(2).all(|pair| pair[0].end == pair[1].start), "the pieces give the text back");
    }
}

#[test]
fn eight_times_the_text_takes_about_eight_times_as_long_whatever_the_text_is() {
    let model = &pieces().llama;
    for unit in [
        " ",
        "a",
        "A",
        " \n",
        "\n",
        "▁",
        "👍🏽",
        "─",
        "私",
        "0",
        "a  ",
        "\t",
        "<table>",
        "\u{301}",
        "\0",
        "word ",
        "\u{10ffff}",
    ] {
        let time = |bytes: usize| {
            let text = unit.repeat(bytes / unit.len());
            let run = || {
                let started = Instant::now();
                count(model, &text);
                started.elapsed()
            };
            (0..3).map(|_| run()).min().unwrap_or_default()
        };
        // Four times as much again is noise; a quadratic tokenizer would take 64 times as long, however often it is tried.
        let is_linear = (0..5).any(|_| {
            let (short, long) = (time(16 * 1024), time(128 * 1024));
            println!("{unit:?}: {short:?} for 16 KiB, {long:?} for 128 KiB");
            long <= short * 32 + Duration::from_millis(20)
        });
        assert!(is_linear, "{unit:?}");
    }
}

#[tokio::test]
async fn a_long_turn_holds_up_neither_another_request_nor_a_stop() {
    let engine = Engine::start(&engine()).unwrap();
    let text = "We walked along the water and bought a lamp for 17 euros on the 3rd. ".repeat(8000);
    let long = tokio::spawn({
        let engine = engine.clone();
        async move { read(&engine, &text).await }
    });
    while engine.status().tokens_read == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        let short = read(&engine, "My locker code is 4471.").await.unwrap();
        assert_eq!(short.passages.len(), 1);
        assert!(!long.is_finished());
    }
    let started = Instant::now();
    engine.stop_reading();
    engine.stop_questions();
    let ended = long.await.unwrap();
    assert!(matches!(ended, Err(EngineError::Stopped { .. })), "{ended:?}");
    drop(engine);
    println!("stopped after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_turn_is_read_alike_whatever_is_read_beside_it() {
    let engine = Engine::start(&engine()).unwrap();
    let text = (0..200).map(|number| format!("Sentence {number} speaks of item {number}. ")).collect::<String>();
    let alone = read(&engine, &text).await.unwrap();
    let (beside, other) = tokio::join!(read(&engine, &text), read(&engine, &text[..5000]));
    let (beside, other) = (beside.unwrap(), other.unwrap());
    check(&text, &alone);
    assert_eq!(alone.salience, beside.salience);
    assert_eq!(alone.passages.len(), beside.passages.len());
    assert!(other.passages.len() < beside.passages.len());
    for (alone, beside) in alone.passages.iter().zip(&beside.passages) {
        assert_eq!((&alone.spans, &alone.codes, &alone.vector), (&beside.spans, &beside.codes, &beside.vector));
    }
    let end = alone.passages.last().unwrap();
    assert!(text[end.start..end.end].contains("item 199"), "it is read to its end");
}

#[tokio::test]
async fn a_turn_longer_than_any_prompt_is_refused_by_its_length() {
    let engine = Engine::start(&engine()).unwrap();
    let refused = read(&engine, &"a".repeat(MOST_TURN_BYTES + 1)).await;
    assert!(matches!(refused, Err(EngineError::TurnTooLong { most: MOST_TURN_BYTES, .. })));
}
