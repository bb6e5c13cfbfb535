//! The engine with real models, from texts to readings and questions.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "tests tell what they measured")]

use crate::models_for_tests::{all, engine, light, model, turns, user};
use crate::{EncodedQuestion, EncoderConfig, Engine, EngineConfig, EngineError, ReadRequest, TurnReading, TurnText};

fn start(config: EncoderConfig) -> Result<Engine, EngineError> {
    Engine::start(&EngineConfig { encoder: config, ..EngineConfig::default() })
}

async fn read(engine: &Engine, turns: Vec<TurnText>) -> Vec<TurnReading> {
    engine.read(ReadRequest { turns }).await.unwrap()
}

/// How well each turn matches, by codes and by its vector.
fn matches(readings: &[TurnReading], question: &EncodedQuestion) -> (Vec<f32>, Vec<f32>) {
    let codes = |reading: &TurnReading| -> Vec<Vec<u8>> {
        let passages = reading.passages.iter();
        passages.map(|passage| passage.codes.as_bytes().to_vec()).collect()
    };
    let codes: Vec<_> = readings.iter().map(codes).collect();
    let documents: Vec<Vec<&[u8]>> = codes.iter().map(|turn| turn.iter().map(Vec::as_slice).collect()).collect();
    let scores = question.codes.max_sim(&documents);
    let cosine = |reading: &TurnReading| cosine(&reading.passages[0].vector, &question.vector);
    let scores = scores.into_iter().map(|score| score.unwrap_or(-1.0));
    (scores.collect(), readings.iter().map(cosine).collect())
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn best(scores: &[f32]) -> Option<usize> {
    (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
}

#[tokio::test]
async fn a_reading_has_whole_words_a_vector_and_codes() {
    for config in all() {
        let engine = start(config).unwrap();
        let turns = [turns(), vec![user(" …\n")]].concat();
        let readings = read(&engine, turns.clone()).await;
        assert_eq!(readings.len(), 4);
        assert!(readings[3].passages.is_empty());
        for (turn, reading) in turns.iter().zip(&readings).take(3) {
            let passage = &reading.passages[0];
            assert!(!passage.spans.is_empty() && reading.tokens > 10);
            for span in &passage.spans {
                let around = |at: Option<char>| at.is_none_or(|character| !character.is_alphanumeric());
                let (before, behind) = (&turn.text[..span.start], &turn.text[span.end..]);
                assert!(around(before.chars().next_back()) && around(behind.chars().next()));
            }
            let date_cut = passage.spans.iter().any(|span| {
                let text = &turn.text[span.start..span.end];
                (text.contains("May") || text.contains("2023")) && !text.contains("7 May 2023")
            });
            assert!(!date_cut);
            assert!((cosine(&passage.vector, &passage.vector) - 1.0).abs() < 1e-4);
            assert_eq!(passage.codes.as_bytes().len(), passage.codes.len() * engine.vector_width() / 8);
            assert!(passage.codes.len() * 2 >= reading.salience.len() && passage.codes.len() < reading.salience.len());
            assert!(reading.salience.iter().any(|token| token.score == 1.0));
        }
    }
}

#[tokio::test]
async fn a_turn_is_read_alike_whichever_turns_come_with_it() {
    let engine = Engine::start(&engine()).unwrap();
    let together = read(&engine, turns()).await;
    for (turn, beside) in turns().into_iter().zip(&together) {
        let alone = read(&engine, vec![turn]).await.remove(0);
        for (alone, beside) in alone.passages.iter().zip(&beside.passages) {
            assert_eq!(alone.codes.len(), beside.codes.len());
            let cosine = cosine(&alone.vector, &beside.vector);
            assert!(cosine > 0.99, "{cosine}");
        }
    }
}

#[tokio::test]
async fn the_turn_that_answers_matches_best() {
    for config in all() {
        let engine = start(EncoderConfig { mean: None, ..config }).unwrap();
        assert!(engine.mean().iter().any(|value| *value != 0.0));
        let readings = read(&engine, turns()).await;
        let question = engine.question("What is the code of my locker?").await.unwrap();
        assert!(question.codes.tokens() >= 7);
        let (scores, cosines) = matches(&readings, &question);
        println!("{scores:?} {cosines:?}");
        assert_eq!((best(&scores), best(&cosines)), (Some(1), Some(1)));
    }
}

#[tokio::test]
async fn the_main_point_of_every_token_is_what_a_reading_has() {
    let engine = Engine::start(&engine()).unwrap();
    let turn = turns().remove(0);
    let reading = read(&engine, vec![turn.clone()]).await.remove(0);
    let turns = vec![turn.clone()];
    let tokens = engine.read_every_token(ReadRequest { turns }).await.unwrap().remove(0);
    assert_eq!(tokens.len(), reading.passages.len());
    let (own, expected) = (engine.main_point(&turn.text, &tokens[0]), &reading.passages[0]);
    assert_eq!((&own.spans, &own.vector, &own.codes), (&expected.spans, &expected.vector, &expected.codes));
    assert_eq!(tokens[0].tokens.len(), reading.salience.len());
}

#[tokio::test]
async fn a_question_does_not_wait_for_a_bulk_read() {
    let engine = Engine::start(&engine()).unwrap();
    let bulk: Vec<TurnText> = (0..40).flat_map(|_| turns()).collect();
    let reading = tokio::spawn({
        let engine = engine.clone();
        async move { engine.read(ReadRequest { turns: bulk }).await }
    });
    tokio::task::yield_now().await;
    engine.question("Where do we meet?").await.unwrap();
    assert!(!reading.is_finished());
    assert_eq!(reading.await.unwrap().unwrap().len(), 120);
}

#[tokio::test]
async fn a_long_turn_is_read_to_its_end_in_passages() {
    let engine = Engine::start(&engine()).unwrap();
    let sentence = |number| format!("Sentence number {number} speaks of item {number}. ");
    let text: String = (0..150).map(sentence).collect();
    let reading = read(&engine, vec![user(&text)]).await.remove(0);
    assert!(reading.passages.len() > 2);
    assert_eq!(reading.passages.first().map(|passage| passage.start), Some(0));
    let last = reading.passages.last().unwrap();
    assert!(text[last.start..last.end].contains("item 149"));
    assert!(reading.passages.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(reading.passages.iter().all(|passage| !passage.spans.is_empty() && !passage.codes.is_empty()));
}

#[tokio::test]
async fn a_question_of_any_length_is_prepared() {
    let engine = Engine::start(&engine()).unwrap();
    for text in ["", "?", "Where?", "?!… ▁", &"Where did we meet last Friday? ".repeat(2000)] {
        let question = engine.question(text).await.unwrap();
        assert_eq!(question.vector.len(), engine.vector_width());
        assert!(question.vector.iter().all(|value| value.is_finite()));
        assert_eq!(question.codes.tokens() == 0, text.is_empty());
    }
}

#[tokio::test]
async fn of_a_long_question_the_beginning_and_the_end_are_read_and_no_more() {
    let engine = Engine::start(&engine()).unwrap();
    let asked = async |beginning: &str, sentences: usize, end: &str| {
        let rest = "Nobody said a word about that in all these years. ".repeat(sentences);
        engine.question(&format!("{beginning} {rest}{end}")).await.unwrap()
    };
    let question = asked("Where does the zebra sleep?", 100, "Tell me.").await;
    assert!(question.codes.tokens() <= 128, "{} tokens", question.codes.tokens());
    let longer = asked("Where does the zebra sleep?", 5000, "Tell me.").await;
    assert!(cosine(&question.vector, &longer.vector) > 0.999, "what lies between is not read");
    for other in [asked("What did the carpenter cost?", 100, "Tell me.").await, asked("", 100, "Tell me.").await] {
        assert!(cosine(&question.vector, &other.vector) < 0.999, "the beginning is read");
    }
    let other = asked("Where does the zebra sleep?", 100, "Was it cheap?").await;
    assert!(cosine(&question.vector, &other.vector) < 0.999, "the end is read");
}

#[tokio::test]
async fn stopped_parts_are_reported_and_dead() {
    let engine = Engine::start(&engine()).unwrap();
    engine.stop_questions();
    assert!(!engine.status().questions_alive && engine.status().reader_alive);
    let asked = engine.question("hello").await;
    assert!(matches!(asked, Err(EngineError::Stopped { part: "questions" })));
    engine.stop_reading();
    assert!(!engine.status().reader_alive);
    let read = engine.read(ReadRequest { turns: turns() }).await;
    assert!(matches!(read, Err(EngineError::Stopped { part: "reader" })));
}

#[test]
fn settings_out_of_range_are_refused_by_their_key() {
    type Change = fn(&mut EncoderConfig);
    let changes: [(&str, Change); 5] = [
        ("mean = 3 numbers", |config| config.mean = Some(vec![0.0; 3])),
        ("reader.keep = 0", |config| config.main_point_share = 0.0),
        ("reader.passage_tokens = 5", |config| config.passage_tokens = 5),
        ("reader.passage_tokens = 4000", |config| config.passage_tokens = 4000),
        ("reader.threads = 0", |config| config.threads = 0),
    ];
    for (says, change) in changes {
        let mut config = light();
        change(&mut config);
        let refused = start(config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.starts_with(says), "{refused}");
    }
}

#[test]
fn a_broken_file_and_one_that_is_not_there_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = light();
    let whole = std::fs::read(&config.model).unwrap();
    config.model = directory.path().join("model.gguf");
    assert!(matches!(start(config.clone()), Err(EngineError::ModelMissing { .. })));
    for bytes in [&b"hello"[..], &whole[..whole.len() / 2]] {
        std::fs::write(&config.model, bytes).unwrap();
        assert!(matches!(start(config.clone()), Err(EngineError::ModelCorrupt { .. })));
    }
}

#[test]
fn a_generative_model_is_no_reader() {
    let model = model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf");
    let refused = start(EncoderConfig { model, ..light() }).err().map(|error| error.to_string());
    let refused = refused.unwrap_or_default();
    assert!(refused.contains("models.reader needs an encoder") && refused.contains("qwen2"), "{refused}");
}

#[test]
fn a_mean_that_is_not_given_is_made_of_the_samples_and_always_the_same() {
    let without = EngineConfig { encoder: EncoderConfig { mean: None, ..light() }, ..EngineConfig::default() };
    let start = || Engine::start(&without).unwrap();
    let (first, second) = (start(), start());
    assert!(first.mean().iter().any(|number| number.abs() > 0.01));
    assert_eq!(first.mean(), second.mean());
    assert_eq!(first.vectors_sha256(), second.vectors_sha256());
}

#[test]
fn vectors_of_another_mean_or_behind_other_prompts_have_another_name() {
    let name = |change: fn(&mut EncoderConfig)| {
        let mut encoder = light();
        change(&mut encoder);
        let config = EngineConfig { encoder, ..EngineConfig::default() };
        Engine::start(&config).unwrap().vectors_sha256().to_owned()
    };
    let names = [
        name(|_| {}),
        name(|encoder| encoder.mean = Some(vec![0.5; 384])),
        name(|encoder| encoder.prompts.passage = "passage: ".into()),
        name(|encoder| encoder.prompts.question = "passage: ".into()),
    ];
    assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    assert_eq!(name(|encoder| encoder.main_point_share = 0.25), names[0]);
}

#[tokio::test]
async fn the_vector_of_a_short_turn_is_that_of_its_passage_and_is_not_counted() {
    for encoder in all() {
        let engine = start(encoder).unwrap();
        let turn = user("My locker code is 4471.");
        let vector = engine.vector_of(&turn).await.unwrap();
        assert_eq!(engine.status().tokens_read, 0);
        let read = engine.read(ReadRequest { turns: vec![turn] }).await.unwrap();
        let own = &read[0].passages[0].vector;
        let cosine: f32 = own.iter().zip(&vector).map(|(one, other)| one * other).sum();
        // A reading shows attention, a question is read with flash attention.
        assert!(cosine > 0.999, "{cosine}");
        let nothing = engine.vector_of(&user("…")).await.unwrap();
        assert!(nothing.len() == own.len() && nothing.iter().all(|number| *number == 0.0));
    }
}
