//! The reader checked against the truth: what is captured is the model's attention and nothing else.
//!
//! These tests run the real models and fail, saying so, where those are missing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "tests tell what they measured")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use llama_cpp_2::token::LlamaToken;

use crate::calibration::Calibration;
use crate::ffi::attention::{AttentionContext, AttentionOptions, FlashAttention, Flow, Observer, TensorView};
use crate::model::{Model, Role, sha256_of_file};
use crate::nodes::Nodes;
use crate::reader::{ReadJob, Reader, Sight};
use crate::rows::Rows;
use crate::salience::{LayerVectors, ReadingObserver, TurnAttention, VectorObserver};
use crate::tokens::tokenize;
use crate::working_copy::{load_reader, moved, path_of};
use crate::{Engine, EngineConfig, EngineError, Head, MOST_RERANKED, ReadRequest, ReaderConfig, TurnText};

const TEXT: &str =
    "Anna: I moved to Lisbon on 7 May 2023 and my locker code is 4471.\nBen: Good, I will remember the code.\n";

/// Keeps whole tensors by name, the last of each name.
struct Recorder {
    names: Vec<&'static str>,
    asked: Vec<String>,
    tensors: BTreeMap<String, ([usize; 4], Vec<f32>)>,
}

impl Observer for Recorder {
    fn wants(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        self.asked.push(name.to_owned());
        let mut values = vec![0.0; tensor.shape().iter().product()];
        if tensor.read(0, &mut values) {
            self.tensors.insert(name.to_owned(), (tensor.shape(), values));
        }
        Flow::Continue
    }
}

pub(crate) fn models() -> PathBuf {
    let cache = |base: PathBuf| base.join("mainpoint/models");
    std::env::var_os("MAINPOINT_MODELS_DIR")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|base| cache(base.into())))
        .or_else(|| std::env::var_os("HOME").map(|home| cache(PathBuf::from(home).join(".cache"))))
        .unwrap_or_else(|| panic!("no model directory is known"))
}

fn config() -> EngineConfig {
    let mut config = EngineConfig::default();
    config.reader.model = models().join("gemma-3-270m-q4_k_m.gguf");
    config.embedder.model = models().join("all-minilm-l6-v2-f32.gguf");
    config
}

fn reader_model() -> Model {
    Model::load(&config().reader.model, Role::Reader)
        .unwrap_or_else(|error| panic!("{error}; `make test` fetches the models"))
}

fn calibration(model: &Model, heads: &[Head]) -> Calibration {
    let found = Calibration::resolve(None, "unknown", &model.geometry).unwrap();
    Calibration {
        main_point_heads: heads.to_vec(),
        search_heads: vec![Head(3, 3), Head(5, 1)],
        ..found
    }
}

fn ids(model: &Model, text: &str) -> Vec<LlamaToken> {
    let mut ids = vec![model.llama.vocab().bos()];
    ids.extend(tokenize(&model.llama, text).iter().map(|token| token.id));
    ids
}

fn options() -> AttentionOptions {
    AttentionOptions {
        tokens: 256,
        threads: 2,
        flash_attention: FlashAttention::Off,
    }
}

fn record(model: &Model, ids: &[LlamaToken], names: &[&'static str]) -> Recorder {
    let mut recorder = Recorder {
        names: names.to_vec(),
        asked: Vec::new(),
        tensors: BTreeMap::new(),
    };
    AttentionContext::new(&model.llama, options())
        .unwrap()
        .pass(ids, &mut recorder)
        .unwrap();
    recorder
}

fn turns() -> Vec<TurnText> {
    [
        "I moved to Lisbon on 7 May 2023, into a flat with a blue door.",
        "My locker code is 4471 and I am allergic to peanuts.",
        "Let us meet on Friday at the old harbour for lunch.",
    ]
    .map(|text| TurnText {
        speaker: "User".into(),
        text: text.into(),
    })
    .to_vec()
}

#[test]
fn every_captured_row_is_a_distribution_over_the_tokens_before_it() {
    let model = reader_model();
    let ids = ids(&model, TEXT);
    for name in ["kq_soft_max-1", "kq_soft_max-3", "kq_soft_max-5"] {
        let recorder = record(&model, &ids, &[name]);
        let (shape, values) = &recorder.tensors[name];
        assert_eq!(shape[1], ids.len());
        for head in 0..shape[2] {
            for row in 0..shape[1] {
                let at = (head * shape[1] + row) * shape[0];
                let sum: f32 = values[at..at + shape[0]].iter().sum();
                assert!((sum - 1.0).abs() < 1e-4, "{name} head {head} row {row} sums to {sum}");
                assert!(values[at + row + 1..at + shape[0]].iter().all(|weight| *weight == 0.0));
            }
        }
    }
}

#[test]
fn scores_equal_a_slow_reference_from_queries_and_keys() {
    let model = reader_model();
    let ids = ids(&model, TEXT);
    let half = ids.len() / 2;
    let turns = [1..half, half..ids.len()];
    let heads = [Head(3, 3), Head(1, 2), Head(5, 0)];
    let mut context = AttentionContext::new(&model.llama, options()).unwrap();
    let nodes = Nodes::of(&mut context, &model, 6).unwrap();
    let mut observer = ReadingObserver {
        attention: TurnAttention::new(ids.len(), &turns, &heads, &model.geometry),
        keys: LayerVectors::new(&nodes.keys, vec![3, 5]),
    };
    context.pass(&ids, &mut observer).unwrap();
    let recorder = record(
        &model,
        &ids,
        &["Qcur-1", "Kcur-1", "Qcur-3", "Kcur-3", "Qcur-5", "Kcur-5"],
    );
    for (head, received) in heads.iter().zip(&observer.attention.received) {
        let reference = slow_scores(&model, &recorder, *head, &turns, ids.len());
        for (token, (fast, slow)) in received.iter().zip(&reference).enumerate() {
            assert!(
                (fast - slow).abs() < 1e-3,
                "head {head:?} token {token}: {fast} against {slow}"
            );
        }
        assert!(reference.iter().sum::<f32>() > 0.01);
    }
}

/// Softmax of q·k / √width over all tokens up to the query's, in f64, then the mean attention from
/// the later tokens of the same turn.
fn slow_scores(
    model: &Model,
    recorder: &Recorder,
    head: Head,
    turns: &[std::ops::Range<usize>],
    tokens: usize,
) -> Vec<f32> {
    let width = model.geometry.head_width;
    let (query_shape, queries) = &recorder.tensors[&format!("Qcur-{}", head.0)];
    let (key_shape, keys) = &recorder.tensors[&format!("Kcur-{}", head.0)];
    assert_eq!(
        (query_shape[0], query_shape[2], key_shape[1], key_shape[2]),
        (width, tokens, 1, tokens)
    );
    let query = |token: usize| &queries[(token * query_shape[1] + head.1 as usize) * width..][..width];
    let key = |token: usize| &keys[token * width..][..width];
    let mut scores = vec![0.0_f64; tokens];
    for turn in turns {
        for viewer in turn.clone() {
            let logits: Vec<f64> = (0..=viewer)
                .map(|seen| {
                    query(viewer)
                        .iter()
                        .zip(key(seen))
                        .map(|(q, k)| f64::from(*q) * f64::from(*k))
                        .sum::<f64>()
                        / 16.0
                })
                .collect();
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            for seen in turn.start..viewer {
                scores[seen] += logits[seen].exp() / sum / (turn.end - 1 - seen) as f64;
            }
        }
    }
    scores.into_iter().map(|score| score as f32).collect()
}

#[test]
fn another_head_list_gives_other_main_points() {
    let model = reader_model();
    let read = |heads: &[Head]| {
        let mut reader = Reader::new(
            &model,
            calibration(&model, heads),
            &ReaderConfig::default(),
            Sight::Vectors,
        )
        .unwrap();
        let passages = turns()
            .iter()
            .map(|turn| std::iter::once(0..turn.text.len()).collect())
            .collect();
        let job = ReadJob {
            turns: turns(),
            passages,
        };
        reader
            .read(&job)
            .unwrap()
            .into_iter()
            .map(|turn| turn.passages[0].0.clone())
            .collect::<Vec<_>>()
    };
    let shipped = read(&[Head(3, 3), Head(1, 2), Head(5, 0)]);
    assert_eq!(shipped, read(&[Head(3, 3), Head(1, 2), Head(5, 0)]));
    assert_ne!(shipped, read(&[Head(0, 1), Head(2, 2)]));
}

#[test]
fn with_flash_attention_no_softmax_is_seen() {
    let model = reader_model();
    let ids = ids(&model, TEXT);
    let turn = 1..ids.len();
    let turns = std::slice::from_ref(&turn);
    let options = AttentionOptions {
        flash_attention: FlashAttention::On,
        ..options()
    };
    let mut context = AttentionContext::new(&model.llama, options).unwrap();
    let nodes = Nodes::of(&mut context, &model, 6).unwrap();
    let mut observer = ReadingObserver {
        attention: TurnAttention::new(ids.len(), turns, &[Head(3, 3)], &model.geometry),
        keys: LayerVectors::new(&nodes.keys, vec![3]),
    };
    context.pass(&ids, &mut observer).unwrap();
    assert!(observer.keys.complete() && !observer.attention.complete());
}

/// Shows one pass to both ways of seeing.
struct Both<'a> {
    softmax: ReadingObserver<'a>,
    vectors: VectorObserver,
}

impl Observer for Both<'_> {
    fn wants(&self, name: &str) -> bool {
        self.softmax.wants(name) || self.vectors.wants(name)
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        let flows = [self.softmax.observe(name, tensor), self.vectors.observe(name, tensor)];
        if flows == [Flow::Stop; 2] {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }
}

#[test]
fn attention_from_queries_and_keys_equals_the_softmax_beyond_the_sliding_window() {
    let model = reader_model();
    let heads = [Head(3, 3), Head(1, 2), Head(5, 0)];
    let ids = ids(&model, &TEXT.repeat(24));
    let turns = [1..40, 40..41, 41..333, 400..ids.len()];
    assert!(ids.len() > 700, "{}", ids.len());
    let options = AttentionOptions {
        tokens: 1024,
        ..options()
    };
    let mut context = AttentionContext::new(&model.llama, options).unwrap();
    let nodes = Nodes::of(&mut context, &model, 6).unwrap();
    let behind = nodes.behind_rope.unwrap();
    let mut both = Both {
        softmax: ReadingObserver {
            attention: TurnAttention::new(ids.len(), &turns, &heads, &model.geometry),
            keys: LayerVectors::new(&nodes.keys, vec![3, 5]),
        },
        vectors: VectorObserver {
            rotated_queries: LayerVectors::rotated(&behind.queries, vec![1, 3, 5]),
            rotated_keys: LayerVectors::rotated(&behind.keys, vec![1, 3, 5]),
            keys: LayerVectors::new(&nodes.keys, vec![3, 5]),
        },
    };
    context.pass(&ids, &mut both).unwrap();
    let rows = Rows {
        queries: &both.vectors.rotated_queries,
        keys: &both.vectors.rotated_keys,
        turns: &turns,
        geometry: &model.geometry,
        threads: 2,
    };
    let computed = rows.received(&heads, ids.len()).unwrap();
    let mut furthest = 0.0_f32;
    for (shown, computed) in both.softmax.attention.received.iter().zip(&computed) {
        assert!(shown.iter().sum::<f32>() > 0.1);
        for (shown, computed) in shown.iter().zip(computed) {
            furthest = furthest.max((shown - computed).abs());
        }
    }
    println!("attention computed from queries and keys differs by at most {furthest:.1e}");
    assert!(furthest < 1e-3, "{furthest}");
    assert_eq!(both.softmax.keys.by_layer, both.vectors.keys.by_layer);
}

#[test]
fn a_working_copy_is_made_once_and_sees_what_the_model_sees() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config().reader;
    let model = directory.path().join("reader.gguf");
    std::fs::copy(&config.model, &model).unwrap();
    config.model = model;
    let made = load_reader(&config).unwrap();
    assert_eq!((made.sight, made.model.geometry.layers), (Sight::Vectors, 6));
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        names.sort();
        names
    };
    let after_first = files();
    assert_eq!(after_first.len(), 2, "{after_first:?}");
    let loaded = load_reader(&config).unwrap();
    assert_eq!(files(), after_first);
    let ids = ids(&loaded.model, &TEXT.repeat(24));
    let turn = 1..ids.len();
    let attention = |model: &Model, sight: Sight| {
        let mut reader = Reader::new(model, loaded.calibration.clone(), &config, sight).unwrap();
        reader.attention(&ids, &turn).unwrap()
    };
    let ours = attention(&loaded.model, Sight::Vectors);
    let slow = attention(&loaded.model, Sight::Softmax);
    let original = attention(&reader_model(), Sight::Softmax);
    for (head, ours) in ours.iter().enumerate() {
        let (from_slow, from_original) = (moved(&slow[head], ours), moved(&original[head], ours));
        let furthest = furthest_share(&slow[head], ours);
        println!(
            "head {head}: a token's share differs by at most {furthest:.1e} without flash attention, and {from_slow:.1e} of the \
             attention lies elsewhere; in the whole model {from_original:.1e}"
        );
        assert!(furthest < 1e-3 && from_slow < 5e-3);
        assert!(from_original > 0.0 && from_original < 0.05);
    }
}

/// How far the shares of all attention that a token gets are apart at most.
fn furthest_share(one: &[f32], other: &[f32]) -> f32 {
    let (all, others) = (one.iter().sum::<f32>(), other.iter().sum::<f32>());
    let apart = one
        .iter()
        .zip(other)
        .map(|(one, other)| (one / all - other / others).abs());
    apart.fold(0.0, f32::max)
}

#[test]
fn where_no_working_copy_can_be_written_the_model_itself_reads() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config().reader;
    let model = directory.path().join("reader.gguf");
    std::fs::copy(&config.model, &model).unwrap();
    config.model = model;
    let file = directory.path().join("calibration.json");
    // The copy's name is taken by a directory.
    let every = Calibration::of_every_head(2, &sha256_of_file(&config.model).unwrap(), &reader_model().geometry);
    std::fs::write(&file, every.to_json()).unwrap();
    config.calibration = Some(file);
    std::fs::create_dir(path_of(&config.model, &every.model_sha256, 2)).unwrap();
    assert_eq!(load_reader(&config).unwrap().sight, Sight::Softmax);
}

#[test]
fn a_pass_ends_after_the_last_layer_that_is_wanted() {
    struct Stopper(Vec<String>);
    impl Observer for Stopper {
        fn wants(&self, name: &str) -> bool {
            name.starts_with("kq_soft_max-")
        }
        fn observe(&mut self, name: &str, _: &TensorView<'_>) -> Flow {
            self.0.push(name.to_owned());
            if name == "kq_soft_max-5" {
                Flow::Stop
            } else {
                Flow::Continue
            }
        }
    }
    let model = reader_model();
    let mut stopper = Stopper(Vec::new());
    AttentionContext::new(&model.llama, options())
        .unwrap()
        .pass(&ids(&model, TEXT), &mut stopper)
        .unwrap();
    assert_eq!(
        stopper.0,
        (0..6).map(|layer| format!("kq_soft_max-{layer}")).collect::<Vec<_>>()
    );
}

#[test]
fn a_panicking_observer_is_an_error_and_the_context_lives_on() {
    struct Panicker;
    impl Observer for Panicker {
        fn wants(&self, _: &str) -> bool {
            panic!("on purpose")
        }
        fn observe(&mut self, _: &str, _: &TensorView<'_>) -> Flow {
            Flow::Continue
        }
    }
    let model = reader_model();
    let mut context = AttentionContext::new(&model.llama, options()).unwrap();
    assert!(context.pass(&ids(&model, TEXT), &mut Panicker).is_err());
    let nodes = Nodes::of(&mut context, &model, 4).unwrap();
    let mut keys = LayerVectors::new(&nodes.keys, vec![3]);
    context.pass(&ids(&model, TEXT), &mut keys).unwrap();
    assert!(keys.complete());
}

#[test]
fn a_calibration_for_another_model_is_refused() {
    let model = reader_model();
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        r#"{{"version":1,"model_sha256":"{}","main_point_heads":[[3,3]],"search_heads":[[3,3]]}}"#,
        "0".repeat(64)
    );
    std::fs::write(file.path(), text).unwrap();
    let found = Calibration::resolve(Some(file.path()), &"1".repeat(64), &model.geometry);
    assert!(matches!(found, Err(EngineError::Calibration { .. })));
}

#[test]
fn an_encoder_as_reader_and_a_broken_file_are_refused() {
    let embedder = config().embedder.model;
    assert!(matches!(
        Model::load(&embedder, Role::Reader),
        Err(EngineError::Architecture { .. })
    ));
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken.gguf");
    let bytes = std::fs::read(&embedder).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(
        Model::load(&broken, Role::Embedder),
        Err(EngineError::ModelCorrupt { .. })
    ));
    assert!(matches!(
        Model::load(&directory.path().join("none"), Role::Reader),
        Err(EngineError::ModelMissing { .. })
    ));
}

#[tokio::test]
async fn a_reading_has_whole_words_vectors_and_keys() {
    let engine = Engine::start(&config()).unwrap();
    let turns = [
        turns(),
        vec![TurnText {
            speaker: "User".into(),
            text: " …\n".into(),
        }],
    ]
    .concat();
    let readings = engine
        .read(ReadRequest {
            previous: None,
            turns: turns.clone(),
        })
        .await
        .unwrap();
    assert_eq!(readings.len(), 4);
    assert!(readings[3].passages.is_empty());
    for (turn, reading) in turns.iter().zip(&readings).take(3) {
        let passage = &reading.passages[0];
        assert!(!passage.spans.is_empty());
        for span in &passage.spans {
            let around = |at: Option<char>| at.is_none_or(|character| !character.is_alphanumeric());
            assert!(
                around(turn.text[..span.start].chars().next_back()) && around(turn.text[span.end..].chars().next())
            );
        }
        let date_cut = passage.spans.iter().any(|span| {
            let text = &turn.text[span.start..span.end];
            (text.contains("May") || text.contains("2023")) && !text.contains("7 May 2023")
        });
        assert!(!date_cut);
        assert!((passage.vector.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-4);
        assert!(passage.keys.tokens() > 0);
    }
}

#[tokio::test]
async fn a_turn_is_read_alike_whichever_turns_come_with_it() {
    let engine = Engine::start(&config()).unwrap();
    let request = |turns: &[TurnText]| ReadRequest {
        previous: None,
        turns: turns.to_vec(),
    };
    let together = engine.read(request(&turns())).await.unwrap();
    let mut previous = None;
    for (turn, beside) in turns().into_iter().zip(&together) {
        let alone = ReadRequest {
            previous: previous.replace(turn.clone()),
            turns: vec![turn],
        };
        let alone = engine.read(alone).await.unwrap().remove(0);
        assert_eq!(alone.salience, beside.salience);
        for (alone, beside) in alone.passages.iter().zip(&beside.passages) {
            assert_eq!((&alone.spans, &alone.keys), (&beside.spans, &beside.keys));
            let cosine: f32 = alone.vector.iter().zip(&beside.vector).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.9999, "{cosine}");
        }
    }
}

#[tokio::test]
async fn the_turn_that_answers_gets_the_most_attention_and_the_nearest_vector() {
    let engine = Engine::start(&config()).unwrap();
    let readings = engine
        .read(ReadRequest {
            previous: None,
            turns: turns(),
        })
        .await
        .unwrap();
    let question = engine.question("What is the code of my locker?").await.unwrap();
    let keys: Vec<_> = readings
        .iter()
        .map(|reading| reading.passages[0].keys.clone())
        .collect();
    let best = |scores: &[f32]| (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    assert_eq!(best(&engine.attention_scores(&question.queries, &keys)), Some(1));
    let cosine: Vec<f32> = readings
        .iter()
        .map(|reading| {
            reading.passages[0]
                .vector
                .iter()
                .zip(&question.vector)
                .map(|(a, b)| a * b)
                .sum()
        })
        .collect();
    assert_eq!(best(&cosine), Some(1));
}

#[tokio::test]
async fn the_candidate_that_answers_is_ranked_first_wherever_it_stood() {
    let engine = Engine::start(&config()).unwrap();
    let mut candidates = [
        "The garden needs water, it has been dry for weeks.",
        "Let us meet on Friday at the old harbour for lunch.",
        "My locker code is 4471, please write it down.",
        "I moved to Lisbon into a flat with a blue door.",
        "My sister plays the cello in an orchestra.",
    ]
    .map(str::to_owned)
    .to_vec();
    for _ in 0..2 {
        let question = "What is the code of my locker?";
        let scores = engine.rerank(question, candidates.clone()).await.unwrap();
        assert_eq!(scores.len(), candidates.len());
        let best = (0..scores.len()).max_by(|one, other| scores[*one].total_cmp(&scores[*other]));
        assert!(best.is_some_and(|best| candidates[best].contains("4471")), "{scores:?}");
        candidates.reverse();
    }
}

#[tokio::test]
async fn as_many_long_candidates_as_are_allowed_fit_and_one_more_or_none_is_refused() {
    let engine = Engine::start(&config()).unwrap();
    let mut candidates = vec!["One more word, and another line.\n".repeat(100); MOST_RERANKED];
    candidates[3] = " \n".to_owned();
    let question = "Which word is it? ".repeat(200);
    let scores = engine.rerank(&question, candidates.clone()).await.unwrap();
    assert_eq!((scores.len(), scores[3]), (MOST_RERANKED, 0.0));
    assert!(scores.iter().all(|score| score.is_finite()));
    candidates.push("One too many.".to_owned());
    for refused in [candidates, Vec::new()] {
        let given = refused.len();
        let error = engine.rerank("Which?", refused).await.unwrap_err();
        assert!(error.to_string().contains(&format!("{given} were given")), "{error}");
    }
}

#[tokio::test]
async fn a_question_does_not_wait_for_a_bulk_read() {
    let engine = Engine::start(&config()).unwrap();
    let bulk: Vec<TurnText> = (0..40).flat_map(|_| turns()).collect();
    let reading = tokio::spawn({
        let engine = engine.clone();
        async move {
            engine
                .read(ReadRequest {
                    previous: None,
                    turns: bulk,
                })
                .await
        }
    });
    tokio::task::yield_now().await;
    engine.question("Where do we meet?").await.unwrap();
    assert!(!reading.is_finished());
    assert_eq!(reading.await.unwrap().unwrap().len(), 120);
}

#[tokio::test]
async fn a_long_turn_is_read_to_its_end_in_passages() {
    let engine = Engine::start(&config()).unwrap();
    let text = (0..150)
        .map(|number| format!("Sentence number {number} speaks of item {number}. "))
        .collect::<String>();
    let turns = vec![TurnText {
        speaker: "User".into(),
        text: text.clone(),
    }];
    let reading = engine
        .read(ReadRequest { previous: None, turns })
        .await
        .unwrap()
        .remove(0);
    assert_eq!(reading.passages.len(), 5, "31 sentences of 8 tokens fit into 254");
    assert_eq!(reading.passages.first().map(|passage| passage.start), Some(0));
    let last = reading.passages.last().unwrap();
    assert!(text[last.start..last.end].contains("item 149"));
    assert!(
        reading
            .passages
            .iter()
            .all(|passage| !passage.spans.is_empty() && passage.keys.tokens() > 0)
    );
}

#[tokio::test]
async fn a_stopped_part_is_reported_and_dead() {
    let engine = Engine::start(&config()).unwrap();
    engine.stop_embedder();
    assert!(!engine.status().embedder_alive && engine.status().reader_alive);
    assert!(matches!(
        engine.question("hello").await,
        Err(EngineError::Stopped { part: "embedder" })
    ));
    engine.stop_reader();
    assert!(matches!(
        engine
            .read(ReadRequest {
                previous: None,
                turns: turns()
            })
            .await,
        Err(EngineError::Stopped { part: "reader" })
    ));
}
