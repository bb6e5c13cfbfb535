//! The engine's handle: one call reads turns, another prepares a question, a third scores.
//!
//! It joins the parts (reader, questioner, reranker, embedder, generator), each on its own thread. It must
//! not know how a part works inside.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::actor::Actor;
use crate::calibration::Calibration;
use crate::embedder::{Embedder, EncodeItem, count_tokens, end_of, words};
use crate::encoding::{Encoding, mix};
use crate::ffi::attention::FlashAttention;
use crate::ffi::priority::step_back;
use crate::generate::{GenerateRequest, GeneratedPiece, Generator, Pieces};
use crate::model::{Model, Role};
use crate::passages::passages;
use crate::question::{CONTENT_FREE, Questioner};
use crate::reader::{ReadJob, ReadTurn, Reader, Sight};
use crate::reading::within;
use crate::rerank::{self, MOST_RERANKED, RerankActor, RerankJob};
use crate::segments::{SegmentSize, segments};
use crate::slices::slices;
use crate::tokens;
use crate::working_copy::{LoadedEmbedder, LoadedReader, load_embedder, load_reader};
use crate::{
    EmbedderConfig, EngineConfig, EngineError, KeyBlock, KeyCoder, Passage, QueryBlock, Question, ReadRequest,
    ReaderConfig, TurnReading, TurnText, attention_search, coded_attention,
};

/// The running engine; clones share its threads, and the last one to go joins them.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineStatus {
    /// Whether turns can be read and questions prepared.
    pub reader_alive: bool,
    /// Whether texts can be embedded.
    pub embedder_alive: bool,
    /// Read requests that wait.
    pub reader_queue: usize,
    /// Encoding requests that wait.
    pub embedder_queue: usize,
    /// Tokens read since the start, without context.
    pub tokens_read: u64,
    /// Seconds spent reading them.
    pub seconds_reading: f64,
}

/// Writes into the sender that comes with each request.
type GeneratorActor = Actor<(GenerateRequest, Pieces), ()>;

struct Parts {
    reader: Actor<ReadJob, Vec<ReadTurn>>,
    questioner: Actor<String, QueryBlock>,
    /// Bulk work; a question's vector never waits behind it.
    embedder: Actor<Vec<EncodeItem>, Vec<Encoding>>,
    question_embedder: Actor<Vec<EncodeItem>, Vec<Encoding>>,
    later: Mutex<Later>,
    /// The reader's working copy, if there is one: it need not have all layers.
    reader_model: Model,
    /// The whole model's file.
    generator_model: PathBuf,
    calibration: Calibration,
    embedder_model: Model,
    embedder_sha256: String,
    content_free: QueryBlock,
    key_coder: KeyCoder,
    threads: usize,
    context_mix: f32,
    /// Most bytes that are read in one go.
    slice_bytes: usize,
    meter: Arc<Meter>,
}

/// How much was read.
#[derive(Debug, Default)]
struct Meter {
    tokens: AtomicU64,
    nanoseconds: AtomicU64,
}

/// Whether somebody waits for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    Bulk,
    Question,
}

/// Where a turn stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The request is refused if the queue is full.
    First,
    /// What has begun waits for its place.
    Later,
}

/// Parts that are started when they are first asked for, one after the other.
#[derive(Default)]
struct Later {
    generator: Option<Arc<GeneratorActor>>,
    reranker: Option<Arc<RerankActor>>,
}

/// Embedder tokens of the longest passage, which leaves as much room for its context.
pub(crate) const PASSAGE_TOKENS: usize = 254;
/// Bytes of the longest text that is read as one turn: more than the longest prompt of any model.
pub const MOST_TURN_BYTES: usize = 8 * 1024 * 1024;
/// What is cut into passages at once, so that whoever no longer waits for the rest ends it.
const STRETCH: SegmentSize = SegmentSize {
    bytes: 64 * 1024,
    gaps: usize::MAX,
};
/// A token has about so many bytes.
const TOKEN_BYTES: usize = 4;
/// Texts that are encoded before their vectors are pooled and others may have their turn.
const ENCODED_AT_ONCE: usize = 32;
const QUESTION_QUEUE: usize = 64;
/// A question has few tokens: more threads wait for each other after every matrix longer than they save. The embedder's pass,
/// beside which words are searched for, runs on one; the reader's leaves one to the search by vector.
const MOST_QUESTION_THREADS: usize = 4;

impl Place {
    fn of(index: usize) -> Self {
        if index == 0 { Self::First } else { Self::Later }
    }
}

impl Meter {
    fn add(&self, read: &[ReadTurn], elapsed: Duration) {
        let tokens: u64 = read.iter().map(|turn| turn.tokens as u64).sum();
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
    }
}

impl Engine {
    /// Loads both models, checks them, and starts the threads. Blocks until all are ready.
    ///
    /// # Errors
    /// Whatever a part needs and does not find; nothing keeps running then.
    pub fn start(config: &EngineConfig) -> Result<Self, EngineError> {
        check(config)?;
        let LoadedEmbedder {
            model: embedder_model,
            sha256,
        } = load_embedder(&config.embedder.model)?;
        let loaded = load_reader(&config.reader)?;
        let (reader_model, calibration) = (&loaded.model, &loaded.calibration);
        tracing::info!(
            layers = calibration.layers(),
            heads = calibration.main_point_heads.len(),
            "the reader computes its lower layers only"
        );
        let meter = Arc::new(Meter::default());
        let reader = start_reader(&loaded, &config.reader, &meter)?;
        let threads = config.reader.threads;
        let beside = threads.saturating_sub(1).clamp(1, MOST_QUESTION_THREADS);
        let (questioner, content_free) = start_questioner(reader_model, calibration, beside, loaded.sight)?;
        let embedder = start_embedder(&embedder_model, &config.embedder, Urgency::Bulk)?;
        let question_embedder = start_embedder(&embedder_model, &config.embedder, Urgency::Question)?;
        let parts = Parts {
            reader,
            questioner,
            embedder,
            question_embedder,
            later: Mutex::new(Later::default()),
            reader_model: loaded.model,
            generator_model: config.reader.model.clone(),
            key_coder: KeyCoder::of(&loaded.calibration),
            calibration: loaded.calibration,
            embedder_model,
            embedder_sha256: sha256,
            content_free,
            threads,
            context_mix: config.embedder.context_mix,
            slice_bytes: config.reader.window_tokens * TOKEN_BYTES,
            meter,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Reads turns: their main points, vectors and keys. One reading per turn of the request.
    ///
    /// Whatever the texts are, they can be read. A long turn is read slice by slice, and other requests have their turn in
    /// between; dropping the future ends the reading behind the slice that is being read.
    ///
    /// # Errors
    /// [`EngineError::TurnTooLong`], [`EngineError::Busy`] if too many requests wait, [`EngineError::Stopped`], or a failed
    /// pass.
    pub async fn read(&self, request: ReadRequest) -> Result<Vec<TurnReading>, EngineError> {
        if let Some(turn) = request.turns.iter().find(|turn| turn.text.len() > MOST_TURN_BYTES) {
            return Err(EngineError::TurnTooLong {
                bytes: turn.text.len(),
                most: MOST_TURN_BYTES,
            });
        }
        let mut ranges = Vec::with_capacity(request.turns.len());
        let mut read = Vec::with_capacity(request.turns.len());
        for (index, turn) in request.turns.iter().enumerate() {
            let passages = self.passages(&turn.text).await?;
            read.push(self.read_turn(turn, &passages, Place::of(index)).await?);
            ranges.push(passages);
        }
        self.embed(&request, &ranges, read).await
    }

    /// Prepares a question: its vector and its queries. Never waits behind a reading.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Stopped`], or a failed pass.
    pub async fn question(&self, text: &str) -> Result<Question, EngineError> {
        let (vector, queries) = tokio::join!(self.question_vector(text), self.question_queries(text));
        Ok(Question {
            vector: vector?,
            queries: queries?,
        })
    }

    /// The vector of a question alone, for searches without attention. Never waits behind a reading.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Stopped`], or a failed pass.
    pub async fn question_vector(&self, text: &str) -> Result<Vec<f32>, EngineError> {
        let item = question_item(&self.parts.embedder_model, text);
        let encodings = self.parts.question_embedder.call(vec![item]).await?;
        Ok(encodings.first().map(|encoding| encoding.pool(&[])).unwrap_or_default())
    }

    /// The reader's queries of a question alone, so that a search by its vector need not wait for them. Never waits
    /// behind a reading.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Stopped`], or a failed pass.
    pub async fn question_queries(&self, text: &str) -> Result<QueryBlock, EngineError> {
        self.parts.questioner.call(text.to_owned()).await
    }

    /// What writes this reader's keys into a store and reads them again.
    #[must_use]
    pub fn key_coder(&self) -> &KeyCoder {
        &self.parts.key_coder
    }

    /// How much more attention the question of these queries pays to each candidate than a content-free question
    /// does; all candidates compete with each other. One score per candidate.
    #[must_use]
    pub fn attention_scores(&self, queries: &QueryBlock, candidates: &[KeyBlock]) -> Vec<f32> {
        let parts = &self.parts;
        attention_search::scores(queries, &parts.content_free, candidates, parts.threads)
    }

    /// The same of keys as [`KeyCoder::encode`] wrote them, without unpacking them where all are numbers of centroids.
    /// Nothing for what [`Engine::key_coder`] cannot read. Blocks the calling thread.
    #[must_use]
    pub fn stored_attention_scores(&self, queries: &QueryBlock, stored: &[&[u8]]) -> Vec<Option<f32>> {
        let parts = &self.parts;
        coded_attention::scores(
            (queries, &parts.content_free),
            (&parts.key_coder, stored),
            parts.threads,
        )
    }

    /// How much more attention the question pays to each candidate than a content-free question
    /// does when all candidates stand together in one prompt. They come best first by whatever is
    /// known already, and the first 64 tokens of each are read. One score per candidate, in the
    /// same order; 0 for a blank one. The first call also sets the context up.
    ///
    /// # Errors
    /// [`EngineError::Candidates`] unless there are 1 to [`MOST_RERANKED`] of them,
    /// [`EngineError::Busy`], [`EngineError::Stopped`], or a failed pass.
    pub async fn rerank(&self, question: &str, candidates: Vec<String>) -> Result<Vec<f32>, EngineError> {
        if !(1..=MOST_RERANKED).contains(&candidates.len()) {
            return Err(EngineError::Candidates {
                given: candidates.len(),
                most: MOST_RERANKED,
            });
        }
        let reranker = self.reranker().await?;
        let question = question.to_owned();
        reranker.call(RerankJob { question, candidates }).await
    }

    /// The embedder's token vectors of `text`, with `context` in front of it in the same pass.
    ///
    /// # Errors
    /// [`EngineError::TooLong`] if the text alone does not fit; the beginning of the context is
    /// left out instead.
    pub async fn encode(&self, text: &str, context: Option<&str>) -> Result<Encoding, EngineError> {
        let item = EncodeItem {
            text: text.to_owned(),
            context: context.map(str::to_owned),
        };
        let encodings = self.parts.embedder.call_in_turn(vec![item]).await?;
        encodings
            .into_iter()
            .next()
            .ok_or(EngineError::Stopped { part: "embedder" })
    }

    /// Tokens of a text by the reader's tokenizer, without BOS. Blocks the calling thread for a time that is proportional to
    /// the text's length, whatever the text is; whoever may lose interest counts [`crate::segments`] of it.
    ///
    /// # Errors
    /// None today; the tokenizer needs no thread.
    pub fn count_tokens(&self, text: &str) -> Result<usize, EngineError> {
        Ok(tokens::count(&self.parts.reader_model.llama, text))
    }

    /// The width of every vector.
    #[must_use]
    pub fn vector_width(&self) -> usize {
        usize::try_from(self.parts.embedder_model.llama.n_embd()).unwrap_or(0)
    }

    /// SHA-256 of the embedder's file, as 64 hex digits: vectors of different ones must not be compared.
    #[must_use]
    pub fn embedder_sha256(&self) -> &str {
        &self.parts.embedder_sha256
    }

    /// What the engine is doing.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let parts = &self.parts;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds need no more than 53 bits of nanoseconds"
        )]
        let seconds_reading = parts.meter.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        EngineStatus {
            reader_alive: parts.reader.alive() && parts.questioner.alive(),
            embedder_alive: parts.embedder.alive() && parts.question_embedder.alive(),
            reader_queue: parts.reader.depth(),
            embedder_queue: parts.embedder.depth() + parts.question_embedder.depth(),
            tokens_read: parts.meter.tokens.load(Ordering::Relaxed),
            seconds_reading,
        }
    }

    /// Ends the reader: readings and questions fail from now on, also the one that is being read.
    pub fn stop_reader(&self) {
        self.parts.reader.stop();
        self.parts.questioner.stop();
    }

    /// Ends the embedder: readings and questions fail from now on, also the one that is being embedded.
    pub fn stop_embedder(&self) {
        self.parts.embedder.stop();
        self.parts.question_embedder.stop();
    }

    /// Continues a conversation with the reader model. Dropping the receiver ends the generation.
    ///
    /// # Errors
    /// [`EngineError::Busy`] if too many generations wait, or what the first one needs and does not find.
    pub async fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<mpsc::Receiver<Result<GeneratedPiece, EngineError>>, EngineError> {
        let generator = self.generator().await?;
        let (pieces, receiver) = mpsc::channel(32);
        let failures = pieces.clone();
        tokio::spawn(async move {
            if let Err(error) = generator.call((request, pieces)).await {
                // A receiver that is gone wants no error either.
                let _ = failures.send(Err(error)).await;
            }
        });
        Ok(receiver)
    }

    /// The passages of a text, cut where it may take its time.
    async fn passages(&self, text: &str) -> Result<Vec<Range<usize>>, EngineError> {
        let mut found = Vec::new();
        for stretch in segments(text, STRETCH) {
            let model = self.parts.embedder_model.clone();
            let own = text[stretch.clone()].to_owned();
            let cut = tokio::task::spawn_blocking(move || passages_of(&model, &own)).await;
            let cut = cut.map_err(|_| EngineError::Stopped { part: "embedder" })?;
            found.extend(
                cut.into_iter()
                    .map(|range| stretch.start + range.start..stretch.start + range.end),
            );
        }
        Ok(found)
    }

    /// Reads one turn, slice by slice.
    async fn read_turn(
        &self,
        turn: &TurnText,
        passages: &[Range<usize>],
        place: Place,
    ) -> Result<ReadTurn, EngineError> {
        let mut whole = ReadTurn::default();
        let mut place = place;
        for slice in slices(turn.text.len(), passages, self.parts.slice_bytes) {
            let start = slice.range.start;
            let own = passages[slice.passages].iter();
            let job = ReadJob {
                turns: vec![TurnText {
                    speaker: turn.speaker.clone(),
                    text: turn.text[slice.range].to_owned(),
                }],
                passages: vec![own.map(|passage| passage.start - start..passage.end - start).collect()],
            };
            let read = match place {
                Place::First => self.parts.reader.call(job).await?,
                Place::Later => self.parts.reader.call_in_turn(job).await?,
            };
            place = Place::Later;
            read.into_iter().for_each(|part| whole.append(part, start));
        }
        Ok(whole)
    }

    /// Embeds every passage over its main point, behind its speaker's name alone and behind the
    /// previous turn as well. Who speaks is half of what a question asks for: without the name,
    /// whole-turn recall falls by two fifths on two-person chat.
    async fn embed(
        &self,
        request: &ReadRequest,
        ranges: &[Vec<Range<usize>>],
        read: Vec<ReadTurn>,
    ) -> Result<Vec<TurnReading>, EngineError> {
        let mut texts = Vec::new();
        for (index, (ranges, read)) in ranges.iter().zip(&read).enumerate() {
            let turn = &request.turns[index];
            let speaker = format!("{}:", turn.speaker);
            let before = request.before(index).filter(|_| self.parts.context_mix > 0.0);
            let behind = before.map(|turn| format!("{}: {} {speaker}", turn.speaker, end_of(&turn.text)));
            for (range, (spans, _)) in ranges.iter().zip(&read.passages) {
                for context in std::iter::once(&speaker).chain(&behind) {
                    texts.push((
                        EncodeItem {
                            text: turn.text[range.clone()].to_owned(),
                            context: Some(context.clone()),
                        },
                        within(spans, range),
                    ));
                }
            }
        }
        let mut vectors = self.pooled(texts).await?.into_iter();
        let mut readings = Vec::with_capacity(read.len());
        for (index, (turn, ranges)) in read.into_iter().zip(ranges).enumerate() {
            let with_context = self.parts.context_mix > 0.0 && request.before(index).is_some();
            let mut found = Vec::with_capacity(ranges.len());
            for ((spans, keys), range) in turn.passages.into_iter().zip(ranges) {
                let own = vectors.next().unwrap_or_default();
                let behind_previous = if with_context { vectors.next() } else { None };
                let vector = match behind_previous {
                    Some(behind_previous) => mix(&own, &behind_previous, self.parts.context_mix),
                    None => own,
                };
                found.push(Passage {
                    start: range.start,
                    end: range.end,
                    spans,
                    vector,
                    keys,
                });
            }
            readings.push(TurnReading {
                tokens: turn.tokens,
                salience: turn.salience,
                passages: found,
            });
        }
        Ok(readings)
    }

    /// One vector per text, pooled over its spans. Few texts are encoded at once: token vectors take much memory, and others
    /// have their turn in between.
    async fn pooled(&self, mut texts: Vec<(EncodeItem, Vec<(usize, usize)>)>) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut vectors = Vec::with_capacity(texts.len());
        while !texts.is_empty() {
            let later = texts.split_off(ENCODED_AT_ONCE.min(texts.len()));
            let (items, spans): (Vec<_>, Vec<_>) = std::mem::replace(&mut texts, later).into_iter().unzip();
            let encodings = self.parts.embedder.call_in_turn(items).await?;
            vectors.extend(
                encodings
                    .iter()
                    .zip(spans)
                    .map(|(encoding, spans)| encoding.pool(&spans)),
            );
        }
        Ok(vectors)
    }

    async fn generator(&self) -> Result<Arc<GeneratorActor>, EngineError> {
        let parts = Arc::clone(&self.parts);
        let started = tokio::task::spawn_blocking(move || {
            let mut later = parts.later.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(generator) = later.generator.as_ref() {
                return Ok(Arc::clone(generator));
            }
            let generator = Arc::new(start_generator(&parts.generator_model, parts.threads)?);
            Ok(Arc::clone(later.generator.insert(generator)))
        });
        started.await.unwrap_or(Err(EngineError::Stopped { part: "generator" }))
    }

    async fn reranker(&self) -> Result<Arc<RerankActor>, EngineError> {
        let parts = Arc::clone(&self.parts);
        let started = tokio::task::spawn_blocking(move || {
            let mut later = parts.later.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reranker) = later.reranker.as_ref() {
                return Ok(Arc::clone(reranker));
            }
            let reranker = Arc::new(rerank::start(&parts.reader_model, &parts.calibration, parts.threads)?);
            Ok(Arc::clone(later.reranker.insert(reranker)))
        });
        started.await.unwrap_or(Err(EngineError::Stopped { part: "reranker" }))
    }
}

/// Starts the reader behind everything else that wants the processor: a reading can wait, a question cannot.
fn start_reader(
    loaded: &LoadedReader,
    config: &ReaderConfig,
    meter: &Arc<Meter>,
) -> Result<Actor<ReadJob, Vec<ReadTurn>>, EngineError> {
    let (model, calibration, sight) = (loaded.model.clone(), loaded.calibration.clone(), loaded.sight);
    let (config, meter) = (config.clone(), Arc::clone(meter));
    Actor::start("reader", config.queue, move |inbox| {
        step_back();
        let mut reader = Reader::new(&model, calibration, &config, sight)?;
        reader.heed(inbox.halt());
        inbox.serve(|job: ReadJob| {
            let started = Instant::now();
            let read = reader.read(&job)?;
            meter.add(&read, started.elapsed());
            Ok(read)
        });
        Ok(())
    })
}

/// Starts the questioner and asks it for the content-free question.
pub(crate) fn start_questioner(
    model: &Model,
    calibration: &Calibration,
    threads: usize,
    sight: Sight,
) -> Result<(Actor<String, QueryBlock>, QueryBlock), EngineError> {
    let (model, calibration) = (model.clone(), calibration.clone());
    let (sender, receiver) = std::sync::mpsc::channel();
    let questioner = Actor::start("questioner", QUESTION_QUEUE, move |inbox| {
        let mut questioner = Questioner::new(&model, calibration, threads, sight)?;
        questioner.heed(inbox.halt());
        // The receiver waits for exactly this answer.
        let _ = sender.send(questioner.queries(CONTENT_FREE)?);
        inbox.serve(|text: String| questioner.queries(&text));
        Ok(())
    })?;
    let content_free = receiver
        .recv()
        .map_err(|_| EngineError::Stopped { part: "questioner" })?;
    Ok((questioner, content_free))
}

pub(crate) fn start_embedder(
    model: &Model,
    config: &EmbedderConfig,
    urgency: Urgency,
) -> Result<Actor<Vec<EncodeItem>, Vec<Encoding>>, EngineError> {
    let model = model.clone();
    let (queue, threads, flash_attention) = match urgency {
        Urgency::Bulk => (config.queue, config.threads, FlashAttention::On),
        Urgency::Question => (QUESTION_QUEUE, 1, FlashAttention::Off),
    };
    Actor::start("embedder", queue, move |inbox| {
        if urgency == Urgency::Bulk {
            step_back();
        }
        let mut embedder = Embedder::new(&model, threads, flash_attention)?;
        embedder.heed(inbox.halt());
        inbox.serve(|items: Vec<EncodeItem>| embedder.encode(&items));
        Ok(())
    })
}

fn start_generator(model: &Path, threads: usize) -> Result<GeneratorActor, EngineError> {
    let model = Model::load(model, Role::Reader)?;
    Actor::start("generator", 8, move |inbox| {
        let mut generator = Generator::new(&model, threads)?;
        generator.heed(inbox.halt());
        inbox.serve(|(request, pieces): (GenerateRequest, Pieces)| generator.generate(&request, &pieces));
        Ok(())
    })
}

/// Checks what no type can say.
pub(crate) fn check(config: &EngineConfig) -> Result<(), EngineError> {
    let reader = &config.reader;
    let setting = |key, value: String, allowed| Err(EngineError::Setting { key, value, allowed });
    if !(reader.keep > 0.0 && reader.keep <= 1.0) {
        return setting("reader.keep", reader.keep.to_string(), "more than 0, at most 1");
    }
    if !(64..=8192).contains(&reader.window_tokens) {
        return setting("reader.window_tokens", reader.window_tokens.to_string(), "64 to 8192");
    }
    if reader.threads == 0 || config.embedder.threads == 0 {
        return setting("threads", "0".into(), "at least 1");
    }
    if !(config.embedder.context_mix >= 0.0 && config.embedder.context_mix.is_finite()) {
        return setting(
            "embedder.context_mix",
            config.embedder.context_mix.to_string(),
            "0 or more",
        );
    }
    Ok(())
}

/// The byte ranges of a text that fit the embedder.
pub(crate) fn passages_of(embedder: &Model, text: &str) -> Vec<Range<usize>> {
    passages(text, PASSAGE_TOKENS, |text| words(&embedder.llama, text))
}

/// A question as it is embedded: as much of its end as fits.
pub(crate) fn question_item(embedder: &Model, text: &str) -> EncodeItem {
    let kept = tail_of(end_of(text), PASSAGE_TOKENS, |text| count_tokens(&embedder.llama, text));
    EncodeItem {
        text: kept.to_owned(),
        context: None,
    }
}

/// The longest end of a text, cut at a word, that has at most `limit` tokens.
fn tail_of(text: &str, limit: usize, count: impl Fn(&str) -> usize) -> &str {
    let mut kept = text;
    while count(kept) > limit {
        let middle = kept.len() / 4;
        let cut = kept
            .char_indices()
            .map(|(at, _)| at)
            .find(|at| *at > middle)
            .unwrap_or(kept.len());
        let cut = kept[cut..].find(char::is_whitespace).map_or(cut, |space| cut + space);
        kept = kept[cut..].trim_start();
    }
    kept
}
