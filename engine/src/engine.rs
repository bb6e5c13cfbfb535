//! The engine's handle: one call reads turns, another prepares a question.
//!
//! It joins the parts (reader, questions, generator), each on its own thread.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::actor::Actor;
use crate::choose::main_point::{Chooser, relative};
use crate::generate::{ChatModel, GenerateRequest, GeneratedPiece, Generator, Pieces, PreparedRequest};
use crate::llama::model::{Model, Role};
use crate::read::input::{InputBuilder, LEAST_PASSAGE_TOKENS, TurnInput};
use crate::read::mean::{digest_of_settings, mean};
use crate::read::reduction::Reduction;
use crate::read::structure::{Seam, seams, stretches, within};
use crate::read::threads::{Meter, PassageEncoder, QueryEncoder, start_passage_encoder, start_query_encoder};
use crate::segments::SegmentSize;
use crate::sha256::{hexadecimal, sha256_of_file};
use crate::{
    EncodedQuestion, EncoderConfig, EngineConfig, EngineError, PassageReading, PassageTokens, ReadRequest,
    TokenSalience, TurnReading, TurnText,
};

/// The running engine; clones share its threads, and the last one to go joins them.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineStatus {
    /// Whether turns can be read.
    pub reader_alive: bool,
    /// Whether questions can be prepared.
    pub questions_alive: bool,
    /// Read requests that wait.
    pub reader_queue: usize,
    /// Questions that wait.
    pub question_queue: usize,
    /// Tokens of turns read since the start.
    pub tokens_read: u64,
    /// Seconds spent reading them.
    pub seconds_reading: f64,
}

/// Writes into the sender that comes with each request.
type GeneratorActor = Actor<(PreparedRequest, Pieces), ()>;

/// What answers: the model counts prompts on any thread, and the generator computes on its own.
struct Chat {
    model: ChatModel,
    generator: GeneratorActor,
}

struct Parts {
    reader: PassageEncoder,
    questions: QueryEncoder,
    chat: Option<Chat>,
    inputs: InputBuilder,
    chooser: Chooser,
    reduction: Arc<Reduction>,
    vectors_sha256: String,
    meter: Arc<Meter>,
}

/// A turn on its way to a reading.
#[derive(Default)]
struct Collected {
    tokens: usize,
    passages: Vec<PassageReading>,
    salience: Vec<TokenSalience>,
    strongest: f32,
}

/// Bytes of the longest text that is read as one turn: more than the longest prompt of any model.
pub const MOST_TURN_BYTES: usize = 8 * 1024 * 1024;
/// What is cut into passages at once, so that whoever no longer waits for the rest ends it.
const STRETCH: SegmentSize = SegmentSize { bytes: 64 * 1024, gaps: usize::MAX };
/// Bytes of a turn that are looked through for its structure in less than a millisecond.
const QUICKLY_SEEN: usize = 64 * 1024;

impl Engine {
    /// Loads the models, checks them, and starts the threads. Blocks until all are ready.
    ///
    /// # Errors
    /// Whatever a part needs and does not find; nothing keeps running then.
    pub fn start(config: &EngineConfig) -> Result<Self, EngineError> {
        check(config)?;
        let encoder = &config.encoder;
        let model = Model::load(&encoder.model, Role::Encoder)?;
        let vectors_sha256 = vectors_sha256(encoder)?;
        let inputs = InputBuilder::new(&model, encoder)?;
        let mean = mean(&model, &inputs, encoder)?;
        if let Some(projection) = &encoder.projection {
            projection.check(mean.len())?;
        }
        let reduction = Arc::new(Reduction { mean, projection: encoder.projection.clone() });
        let meter = Arc::new(Meter::default());
        let chat = config.chat.as_deref();
        let chat = chat.map(|path| start_chat(path, config.chat_threads));
        let parts = Parts {
            reader: start_passage_encoder(&model, &inputs, encoder, &meter)?,
            questions: start_query_encoder(&model, &inputs, encoder, &reduction)?,
            chat: chat.transpose()?,
            inputs,
            chooser: Chooser { reduction: Arc::clone(&reduction), share: encoder.main_point_share },
            reduction,
            vectors_sha256,
            meter,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Reads turns: their main points with vectors and codes. One reading per turn of the request.
    ///
    /// Whatever the texts are, they can be read. What takes several passes is read pass by pass, and other requests have their
    /// turn in between; dropping the future ends the reading behind the pass that is being computed.
    ///
    /// # Errors
    /// [`EngineError::TurnTooLong`], [`EngineError::Busy`] if too many requests wait, [`EngineError::Stopped`], or a failed
    /// pass.
    pub async fn read(&self, request: ReadRequest) -> Result<Vec<TurnReading>, EngineError> {
        let mut collected: Vec<Collected> = request.turns.iter().map(|_| Collected::default()).collect();
        let tokens = self.passes(&request.turns, |turn, passage| {
            let chosen = self.parts.chooser.choose(&request.turns[turn].text, &passage);
            let own = &mut collected[turn];
            own.strongest = own.strongest.max(chosen.strongest());
            own.passages.push(chosen.passage);
            own.salience.extend(chosen.salience);
        });
        let tokens = tokens.await?;
        for (own, tokens) in collected.iter_mut().zip(tokens) {
            own.tokens = tokens;
        }
        Ok(collected.into_iter().map(Collected::finish).collect())
    }

    /// Everything that the model says of every token with content, for benchmarks: the passages of each turn.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub async fn read_every_token(&self, request: ReadRequest) -> Result<Vec<Vec<PassageTokens>>, EngineError> {
        let mut found: Vec<Vec<PassageTokens>> = vec![Vec::new(); request.turns.len()];
        let take = |turn: usize, passage| found[turn].push(passage);
        self.passes(&request.turns, take).await?;
        Ok(found)
    }

    /// The main point of a passage of `text`, chosen as [`Engine::read`] does. Saliences are relative to the passage's most
    /// salient token.
    #[must_use]
    pub fn main_point(&self, text: &str, passage: &PassageTokens) -> PassageReading {
        let mut chosen = self.parts.chooser.choose(text, passage);
        let strongest = chosen.strongest();
        let spans = chosen.passage.spans.iter_mut();
        spans.for_each(|span| span.salience = relative(span.salience, strongest));
        chosen.passage
    }

    /// Prepares a question. Never waits behind a reading.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Stopped`], or a failed pass.
    pub async fn question(&self, text: &str) -> Result<EncodedQuestion, EngineError> {
        self.parts.questions.call(self.parts.inputs.question(text)).await
    }

    /// The vector that the first passage of a short turn has, made as quickly as a question's; zeros for a turn without words. Such
    /// a turn is not counted among what was read.
    ///
    /// # Errors
    /// As [`Engine::question`].
    pub async fn vector_of(&self, turn: &TurnText) -> Result<Vec<f32>, EngineError> {
        let cut = self.parts.inputs.turn(&turn.speaker, &turn.text);
        match cut.passages.into_iter().next() {
            Some(passage) => Ok(self.parts.questions.call(passage).await?.vector),
            None => Ok(vec![0.0; self.vector_width()]),
        }
    }

    /// Tokens of a text by the reading model's tokenizer, without special tokens. Blocks the calling thread for a time that
    /// is proportional to the text's length, whatever the text is; whoever may lose interest counts [`crate::segments`] of it.
    ///
    /// # Errors
    /// None today; the tokenizer needs no thread.
    pub fn count_tokens(&self, text: &str) -> Result<usize, EngineError> {
        Ok(self.parts.inputs.vocabulary().count(text))
    }

    /// The width of every vector that is stored or asked with.
    #[must_use]
    pub fn vector_width(&self) -> usize {
        self.parts.reduction.width()
    }

    /// Whether the reader's vectors are projected, which makes cosines of what is unlike smaller.
    #[must_use]
    pub fn is_projected(&self) -> bool {
        self.parts.reduction.projection.is_some()
    }

    /// What is stored of a pooled vector of the model's width, as of [`PassageTokens::vector`].
    #[must_use]
    pub fn stored_vector(&self, pooled: &[f32]) -> Vec<f32> {
        self.parts.reduction.pooled(pooled)
    }

    /// The model's mean token vector.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.parts.reduction.mean
    }

    /// SHA-256, as 64 hex digits, of what vectors and codes depend on: the reading model's file, its prompts, its mean and its
    /// projection. Those of different ones must not be compared.
    #[must_use]
    pub fn vectors_sha256(&self) -> &str {
        &self.parts.vectors_sha256
    }

    /// What the engine is doing.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let parts = &self.parts;
        EngineStatus {
            reader_alive: parts.reader.alive(),
            questions_alive: parts.questions.alive(),
            reader_queue: parts.reader.depth(),
            question_queue: parts.questions.depth(),
            tokens_read: parts.meter.tokens(),
            seconds_reading: parts.meter.seconds(),
        }
    }

    /// Ends the reader: readings fail from now on, also the one that is being read.
    pub fn stop_reading(&self) {
        self.parts.reader.stop();
    }

    /// Ends the part that prepares questions: they fail from now on, also the one that is being prepared.
    pub fn stop_questions(&self) {
        self.parts.questions.stop();
    }

    /// Tokens of the longest prompt that the chat model takes; `None` without one.
    #[must_use]
    pub fn longest_prompt(&self) -> Option<usize> {
        self.parts.chat.as_ref().map(|chat| chat.model.longest_prompt())
    }

    /// Continues a conversation with the chat model. Dropping the receiver ends the generation.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] without a chat model, and [`EngineError::PromptTooLong`], before anything is computed and without
    /// waiting for other conversations. What else goes wrong comes out of the receiver.
    pub async fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<mpsc::Receiver<Result<GeneratedPiece, EngineError>>, EngineError> {
        let stopped = || EngineError::Stopped { part: "generator" };
        let model = self.parts.chat.as_ref().map(|chat| chat.model.clone()).ok_or_else(stopped)?;
        let prepared = tokio::task::spawn_blocking(move || model.prepare(request)).await;
        let prepared = prepared.map_err(|_| stopped())??;
        let parts = Arc::clone(&self.parts);
        let (pieces, receiver) = mpsc::channel(32);
        let failures = pieces.clone();
        tokio::spawn(async move {
            if let Some(chat) = &parts.chat
                && let Err(error) = chat.generator.call((prepared, pieces)).await
            {
                // A receiver that is gone wants no error either.
                let _ = failures.send(Err(error)).await;
            }
        });
        Ok(receiver)
    }

    /// Reads every passage of the turns and gives it to `take` with the number of its turn, in order. Gives the number of tokens
    /// of each turn.
    async fn passes(
        &self,
        turns: &[TurnText],
        mut take: impl FnMut(usize, PassageTokens),
    ) -> Result<Vec<usize>, EngineError> {
        if let Some(turn) = turns.iter().find(|turn| turn.text.len() > MOST_TURN_BYTES) {
            return Err(EngineError::TurnTooLong { bytes: turn.text.len(), most: MOST_TURN_BYTES });
        }
        let mut tokens = vec![0; turns.len()];
        let mut has_begun = false;
        for (number, turn) in turns.iter().enumerate() {
            let seams = Self::seams(turn).await?;
            for stretch in stretches(&turn.text, &seams, STRETCH) {
                let cut = self.cut(turn, &seams, stretch).await?;
                tokens[number] += cut.tokens;
                for passage in cut.passages {
                    let reader = &self.parts.reader;
                    // What has begun waits for its place in the queue.
                    let read =
                        if has_begun { reader.call_in_turn(passage).await? } else { reader.call(passage).await? };
                    has_begun = true;
                    take(number, read);
                }
            }
        }
        Ok(tokens)
    }

    /// Where a turn falls apart.
    async fn seams(turn: &TurnText) -> Result<Vec<Seam>, EngineError> {
        if turn.text.len() <= QUICKLY_SEEN {
            return Ok(seams(&turn.text));
        }
        let text = turn.text.clone();
        tokio::task::spawn_blocking(move || seams(&text)).await.map_err(|_| EngineError::Stopped { part: "reader" })
    }

    /// The passages of a stretch of a turn, cut where it may take its time.
    async fn cut(&self, turn: &TurnText, seams: &[Seam], stretch: Range<usize>) -> Result<TurnInput, EngineError> {
        let inputs = self.parts.inputs.clone();
        let (speaker, text, start) = (turn.speaker.clone(), turn.text[stretch.clone()].to_owned(), stretch.start);
        let seams: Vec<Seam> =
            within(seams, stretch).iter().map(|seam| Seam { at: seam.at - start, ..*seam }).collect();
        let cut = tokio::task::spawn_blocking(move || inputs.stretch(&speaker, &text, &seams, start));
        cut.await.map_err(|_| EngineError::Stopped { part: "reader" })
    }
}

impl Collected {
    fn finish(mut self) -> TurnReading {
        for score in self.salience.iter_mut().map(|token| &mut token.score) {
            *score = relative(*score, self.strongest);
        }
        let spans = self.passages.iter_mut().flat_map(|passage| &mut passage.spans);
        spans.for_each(|span| span.salience = relative(span.salience, self.strongest));
        TurnReading { tokens: self.tokens, salience: self.salience, passages: self.passages }
    }
}

/// What [`Engine::vectors_sha256`] gives of an engine with this encoder, without starting one.
///
/// # Errors
/// [`EngineError::ModelCorrupt`] when the file cannot be read.
pub fn vectors_sha256(encoder: &EncoderConfig) -> Result<String, EngineError> {
    let model = match encoder.model_sha256 {
        Some(known) => known,
        None => sha256_of_file(&encoder.model, |_| ())
            .map_err(|error| EngineError::ModelCorrupt { path: encoder.model.clone(), reason: error.to_string() })?,
    };
    let digest = Sha256::new().chain_update(hexadecimal(model)).chain_update(digest_of_settings(encoder));
    Ok(hexadecimal(digest.finalize()))
}

fn start_chat(path: &Path, threads: usize) -> Result<Chat, EngineError> {
    let model = ChatModel::load(path)?;
    let generating = model.clone();
    let generator = Actor::start("generator", 8, move |inbox| {
        let mut generator = Generator::new(&generating, threads)?;
        generator.stop_on(inbox.halt());
        inbox.serve(|(prepared, pieces): (PreparedRequest, Pieces)| generator.generate(&prepared, &pieces));
        Ok(())
    })?;
    Ok(Chat { model, generator })
}

/// Checks what no type can say.
fn check(config: &EngineConfig) -> Result<(), EngineError> {
    Chooser::check(config.encoder.main_point_share)?;
    let passage_tokens = config.encoder.passage_tokens;
    if passage_tokens != 0 && passage_tokens < LEAST_PASSAGE_TOKENS {
        return Err(EngineError::Setting {
            key: "reader.passage_tokens",
            value: passage_tokens.to_string(),
            allowed: "0 (the model's own choice), or 32 up to what its window holds behind the prompt",
        });
    }
    for (key, threads) in [("reader.threads", config.encoder.threads), ("chat_threads", config.chat_threads)] {
        if threads == 0 {
            return Err(EngineError::Setting { key, value: "0".into(), allowed: "at least 1" });
        }
    }
    Ok(())
}
