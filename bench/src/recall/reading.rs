//! Reading conversations with the product's engine, once per set of heads, kept in the cache.
//!
//! It must not know what readings are ranked by.

use std::path::{Path, PathBuf};

use mainpoint_engine::{
    Calibration, EmbedderConfig, EncodedToken, Encoding, Engine, EngineConfig, EngineError, KeyBlock, KeyCoder,
    Question, ReadRequest, ReaderConfig, Span, TokenSalience, TurnReading, TurnText, sha256_of_file,
};

use super::kept;
use crate::BenchError;
use crate::cache::{Cache, Columns, write_whole};
use crate::progress::Progress;
use crate::recorded::Conversation;

/// A way of reading turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// Its name, for progress and cache files.
    pub(crate) name: &'static str,
    /// The heads; `None` for those that the product ships with.
    pub(crate) heads: Option<Heads>,
    /// The share of a turn's content tokens that makes its main point.
    pub(crate) keep: f32,
    /// Weight of the vector pooled behind the previous turn.
    pub(crate) context_mix: f32,
}

/// Heads by layer and number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heads {
    /// Those that mark the main point.
    pub(crate) main_point: &'static [[u32; 2]],
    /// Those that questions are asked with.
    pub(crate) search: &'static [[u32; 2]],
}

/// One turn as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ReadTurn {
    /// The reader's tokens of the turn, speaker included.
    pub(crate) tokens: usize,
    /// The attention on each token of the text.
    pub(crate) salience: Vec<TokenSalience>,
    /// The passages that the turn was cut into.
    pub(crate) passages: Vec<ReadPassage>,
}

/// One passage of a turn as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ReadPassage {
    /// First byte in the turn's text.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// The main point, in bytes of the turn's text.
    pub(crate) spans: Vec<Span>,
    /// The product's vector of the main point.
    pub(crate) vector: Vec<f32>,
    /// The keys of the main point's tokens in int8, as they are read; the product stores them coded.
    pub(crate) keys: Vec<u8>,
}

/// What of a passage's keys meets the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// After they were coded and decoded, as the product stores them.
    Stored,
    /// int8, as they are read.
    Whole,
}

/// A conversation as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// One per turn of the conversation.
    pub(crate) turns: Vec<ReadTurn>,
    /// Thousandths of a second that the reader took.
    pub(crate) milliseconds: usize,
}

/// Questions prepared for the searches: their vectors, and the attention that they pay to every
/// turn of their conversation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Asked {
    /// One per question.
    pub(crate) vectors: Vec<Vec<f32>>,
    /// Per question, one score per turn: the best of its passages.
    pub(crate) attention: Vec<Vec<f32>>,
}

/// Which turns compete for a question's attention.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Among<'a> {
    /// Every turn of the conversation.
    Everything,
    /// For each question, these turns, ascending.
    Turns(&'a [Vec<usize>]),
}

/// The engine, started only for what the cache does not have.
pub(crate) struct Library {
    cache: Cache,
    reader: PathBuf,
    embedder: PathBuf,
    /// Hashes of both models and of the engine's sources.
    fingerprint: String,
    reader_sha256: String,
    key_coder: KeyCoder,
    running: Option<(Plan, Engine)>,
}

/// Changes when what is kept in the cache changes its meaning.
const FORMAT: &str = "2";

impl Library {
    /// A library for two models.
    ///
    /// # Errors
    /// [`BenchError::Read`] if a model cannot be read, [`BenchError::Engine`] if the built-in head file cannot.
    pub(crate) fn open(reader: &Path, embedder: &Path, cache: Cache) -> Result<Self, BenchError> {
        let reader_sha256 = sha256_of_file(reader).map_err(BenchError::reading(reader))?;
        let embedder_sha256 = sha256_of_file(embedder).map_err(BenchError::reading(embedder))?;
        let fingerprint = format!(
            "{FORMAT} {} {reader_sha256} {embedder_sha256}",
            env!("ENGINE_FINGERPRINT")
        );
        let calibration = Calibration::built_in(&reader_sha256).map_err(BenchError::engine("looking heads up"))?;
        let (reader, embedder) = (reader.to_owned(), embedder.to_owned());
        Ok(Self {
            cache,
            reader,
            embedder,
            fingerprint,
            key_coder: calibration.as_ref().map(KeyCoder::of).unwrap_or_default(),
            reader_sha256,
            running: None,
        })
    }

    /// SHA-256 of the reader's file.
    #[must_use]
    pub(crate) fn reader_sha256(&self) -> &str {
        &self.reader_sha256
    }

    /// What stores the keys of [`super::arms::SHIPPED`].
    #[must_use]
    pub(crate) fn key_coder(&self) -> &KeyCoder {
        &self.key_coder
    }

    /// Reads a conversation, session by session, as the product does.
    ///
    /// # Errors
    /// Any failure of the engine or the cache.
    pub(crate) async fn read(&mut self, conversation: &Conversation, plan: Plan) -> Result<Reading, BenchError> {
        let (fingerprint, described, text) = (self.fingerprint.clone(), format!("{plan:?}"), text_of(conversation));
        let name = format!("{}-{}", conversation.name, plan.name);
        let inputs = [fingerprint.as_str(), &described, &text];
        if let Some(columns) = self.cache.get(&name, &inputs) {
            return Ok(kept::reading(&columns));
        }
        let engine = self.engine(plan)?;
        let before = engine.status().seconds_reading;
        let mut progress = Progress::begin(format!("reading {name}"), conversation.turns.len());
        let mut turns = Vec::with_capacity(conversation.turns.len());
        for session in &conversation.sessions {
            let request = ReadRequest {
                previous: None,
                turns: conversation.turns[session.clone()]
                    .iter()
                    .map(|turn| TurnText {
                        speaker: turn.speaker.clone(),
                        text: turn.text.clone(),
                    })
                    .collect(),
            };
            let read = engine.read(request).await.map_err(BenchError::engine("reading"))?;
            progress.advance(read.len());
            turns.extend(read.into_iter().map(ReadTurn::from));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive time far below the limit"
        )]
        let milliseconds = ((engine.status().seconds_reading - before) * 1000.0) as usize;
        let reading = Reading { turns, milliseconds };
        self.cache.put(&name, &inputs, &kept::reading_columns(&reading))?;
        Ok(reading)
    }

    /// The embedder's token vectors of every passage of a reading, turn by turn.
    ///
    /// # Errors
    /// Any failure of the engine or the cache.
    pub(crate) async fn encode(
        &mut self,
        conversation: &Conversation,
        plan: Plan,
        reading: &Reading,
    ) -> Result<Vec<Vec<Encoding>>, BenchError> {
        let (fingerprint, text) = (self.fingerprint.clone(), text_of(conversation));
        let name = format!("{}-encodings", conversation.name);
        let inputs = [fingerprint.as_str(), &text];
        if let Some(columns) = self.cache.get(&name, &inputs) {
            return Ok(kept::encodings(&columns));
        }
        let engine = self.engine(plan)?;
        let mut progress = Progress::begin(format!("encoding {}", conversation.name), reading.turns.len());
        let mut turns = Vec::with_capacity(reading.turns.len());
        for (turn, read) in conversation.turns.iter().zip(&reading.turns) {
            let mut passages = Vec::with_capacity(read.passages.len());
            for passage in &read.passages {
                // Who speaks is part of what everyone embeds: without the name, whole turns lose two fifths.
                let speaker = format!("{}: ", turn.speaker);
                let encoding = engine
                    .encode(&format!("{speaker}{}", &turn.text[passage.start..passage.end]), None)
                    .await
                    .map_err(BenchError::engine("encoding"))?;
                passages.push(shifted(encoding, speaker.len(), passage.start));
            }
            turns.push(passages);
            progress.advance(1);
        }
        self.cache.put(&name, &inputs, &kept::encoding_columns(&turns))?;
        Ok(turns)
    }

    /// Asks a conversation's questions over the keys of a reading.
    ///
    /// # Errors
    /// Any failure of the engine or the cache.
    pub(crate) async fn ask(
        &mut self,
        conversation: &Conversation,
        plan: Plan,
        reading: &Reading,
        (among, keys): (Among<'_>, Keys),
    ) -> Result<Asked, BenchError> {
        let questions: Vec<&str> = conversation
            .questions
            .iter()
            .map(|question| question.text.as_str())
            .collect();
        let fingerprint = self.fingerprint.clone();
        let (described, competing) = (format!("{plan:?}"), format!("{among:?}"));
        let (text, questions_text) = (text_of(conversation), questions.join("\n"));
        let (among_whom, kind) = (among.suffix(), keys.suffix());
        let name = format!("{}-{}-asked{among_whom}{kind}", conversation.name, plan.name);
        let inputs = [fingerprint.as_str(), &described, &text, &questions_text, &competing];
        if let Some(columns) = self.cache.get(&name, &inputs) {
            return Ok(kept::asked(&columns));
        }
        let engine = self.engine(plan)?;
        let candidates = Candidates::of(reading, |bytes| keys.unpack(bytes, engine.key_coder()))?;
        let asked = candidates.asked(&engine, (&name, &questions), among).await?;
        self.cache.put(&name, &inputs, &kept::asked_columns(&asked))?;
        Ok(asked)
    }

    /// Asks texts that are not among a conversation's questions over the keys of every turn of a reading.
    ///
    /// # Errors
    /// Any failure of the engine or the cache.
    pub(super) async fn ask_others(
        &mut self,
        conversation: &Conversation,
        (plan, reading): (Plan, &Reading),
        texts: &[&str],
    ) -> Result<Asked, BenchError> {
        let fingerprint = self.fingerprint.clone();
        let (described, text, others) = (format!("{plan:?}"), text_of(conversation), format!("{texts:?}"));
        let name = format!("{}-{}-asked-others-stored", conversation.name, plan.name);
        let inputs = [fingerprint.as_str(), &described, &text, &others];
        if let Some(columns) = self.cache.get(&name, &inputs) {
            return Ok(kept::asked(&columns));
        }
        let engine = self.engine(plan)?;
        let candidates = Candidates::of(reading, |bytes| Keys::Stored.unpack(bytes, engine.key_coder()))?;
        let asked = candidates.asked(&engine, (&name, texts), Among::Everything).await?;
        self.cache.put(&name, &inputs, &kept::asked_columns(&asked))?;
        Ok(asked)
    }

    /// The score of every candidate of every question, all candidates of a question in one prompt.
    ///
    /// # Errors
    /// Any failure of the engine or the cache.
    pub(super) async fn rerank(
        &mut self,
        conversation: &Conversation,
        plan: Plan,
        candidates: &[Vec<String>],
    ) -> Result<Vec<Vec<f32>>, BenchError> {
        let questions = conversation.questions.iter().map(|question| question.text.as_str());
        let questions: Vec<&str> = questions.collect();
        let fingerprint = self.fingerprint.clone();
        let (described, questions_text) = (format!("{plan:?}"), questions.join("\n"));
        let texts = format!("{candidates:?}");
        let name = format!("{}-{}-reranked", conversation.name, plan.name);
        let inputs = [fingerprint.as_str(), &described, &questions_text, &texts];
        if let Some(columns) = self.cache.get(&name, &inputs) {
            return Ok(kept::scores(&columns));
        }
        let engine = self.engine(plan)?;
        let mut progress = Progress::begin(format!("re-ranking {name}"), questions.len());
        let mut scores = Vec::with_capacity(questions.len());
        for (question, candidates) in questions.into_iter().zip(candidates) {
            scores.push(if candidates.is_empty() {
                Vec::new()
            } else {
                let reranked = engine.rerank(question, candidates.clone()).await;
                reranked.map_err(BenchError::engine("re-ranking"))?
            });
            progress.advance(1);
        }
        self.cache.put(&name, &inputs, &kept::scores_columns(&scores))?;
        Ok(scores)
    }

    /// What is kept under `name` for these inputs, both models and the engine's sources.
    #[must_use]
    pub(super) fn kept(&self, name: &str, inputs: &[&str]) -> Option<Columns> {
        self.cache.get(name, &self.all_inputs(inputs))
    }

    /// Keeps columns for [`Library::kept`].
    ///
    /// # Errors
    /// [`BenchError::Write`] or [`BenchError::Data`] if the file cannot be written.
    pub(super) fn keep(&self, name: &str, inputs: &[&str], columns: &Columns) -> Result<(), BenchError> {
        self.cache.put(name, &self.all_inputs(inputs), columns)
    }

    fn all_inputs<'a>(&'a self, inputs: &[&'a str]) -> Vec<&'a str> {
        let models = std::iter::once(self.fingerprint.as_str());
        models.chain(inputs.iter().copied()).collect()
    }

    /// The engine that reads by `plan`; another plan's engine ends first.
    ///
    /// # Errors
    /// Whatever the engine needs and does not find.
    pub(crate) fn engine(&mut self, plan: Plan) -> Result<Engine, BenchError> {
        if let Some((_, engine)) = self.running.as_ref().filter(|(running, _)| *running == plan) {
            return Ok(engine.clone());
        }
        self.running = None;
        let directory = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
        let calibration = match plan.heads {
            Some(heads) => Some(self.write_calibration(directory.path(), heads)?),
            None => None,
        };
        let config = EngineConfig {
            reader: ReaderConfig {
                model: self.reader.clone(),
                calibration,
                keep: plan.keep,
                ..ReaderConfig::default()
            },
            embedder: EmbedderConfig {
                model: self.embedder.clone(),
                context_mix: plan.context_mix,
                ..EmbedderConfig::default()
            },
        };
        let engine = Engine::start(&config).map_err(BenchError::engine("starting"))?;
        self.running = Some((plan, engine.clone()));
        Ok(engine)
    }

    fn write_calibration(&self, directory: &Path, heads: Heads) -> Result<PathBuf, BenchError> {
        let path = directory.join("calibration.json");
        let content = serde_json::json!({
            "version": 1,
            "model_sha256": self.reader_sha256,
            "main_point_heads": heads.main_point,
            "search_heads": heads.search,
        });
        write_whole(&path, content.to_string().as_bytes())?;
        Ok(path)
    }
}

impl From<TurnReading> for ReadTurn {
    fn from(reading: TurnReading) -> Self {
        let passages = reading.passages.into_iter().map(|passage| ReadPassage {
            start: passage.start,
            end: passage.end,
            spans: passage.spans,
            vector: passage.vector,
            keys: passage.keys.to_bytes(),
        });
        Self {
            tokens: reading.tokens,
            salience: reading.salience,
            passages: passages.collect(),
        }
    }
}

impl Keys {
    fn unpack(self, bytes: &[u8], coder: &KeyCoder) -> Result<KeyBlock, EngineError> {
        let block = KeyBlock::from_bytes(bytes)?;
        match self {
            Self::Stored => coder.decode(&coder.encode(&block)),
            Self::Whole => Ok(block),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Stored => "-stored",
            Self::Whole => "",
        }
    }
}

impl ReadPassage {
    /// The keys as the product stores them.
    ///
    /// # Errors
    /// [`BenchError::Engine`] if they are no keys.
    pub(crate) fn stored_keys(&self, coder: &KeyCoder) -> Result<Vec<u8>, BenchError> {
        let block = KeyBlock::from_bytes(&self.keys);
        Ok(coder.encode(&block.map_err(BenchError::engine("unpacking keys"))?))
    }
}

impl Among<'_> {
    fn suffix(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::Turns(_) => "-among",
        }
    }
}

/// The keys of passages, each with the turn that it belongs to.
pub(super) struct Candidates {
    turns: usize,
    owners: Vec<usize>,
    keys: Vec<KeyBlock>,
}

impl Candidates {
    /// Every passage of a reading, its keys unpacked from their bytes by `unpack`.
    ///
    /// # Errors
    /// [`BenchError::Engine`] if bytes are no keys.
    pub(super) fn of(
        reading: &Reading,
        unpack: impl Fn(&[u8]) -> Result<KeyBlock, EngineError>,
    ) -> Result<Self, BenchError> {
        let mut all = Self {
            turns: reading.turns.len(),
            owners: Vec::new(),
            keys: Vec::new(),
        };
        for (turn, read) in reading.turns.iter().enumerate() {
            for passage in &read.passages {
                all.owners.push(turn);
                all.keys
                    .push(unpack(&passage.keys).map_err(BenchError::engine("unpacking keys"))?);
            }
        }
        Ok(all)
    }

    /// The passages of some turns, which ascend.
    #[must_use]
    pub(super) fn only(&self, turns: &[usize]) -> Self {
        let pairs = self
            .owners
            .iter()
            .zip(&self.keys)
            .filter(|(owner, _)| turns.binary_search(owner).is_ok());
        let (owners, keys) = pairs.map(|(owner, keys)| (*owner, keys.clone())).unzip();
        Self {
            turns: self.turns,
            owners,
            keys,
        }
    }

    /// What the texts ask, one after the other.
    async fn asked(
        &self,
        engine: &Engine,
        (name, texts): (&str, &[&str]),
        among: Among<'_>,
    ) -> Result<Asked, BenchError> {
        let mut progress = Progress::begin(format!("asking {name}"), texts.len());
        let mut asked = Asked::default();
        for (index, text) in texts.iter().enumerate() {
            let question = engine
                .question(text)
                .await
                .map_err(BenchError::engine("preparing a question"))?;
            asked.attention.push(match among {
                Among::Everything => self.attention(engine, &question),
                Among::Turns(turns) => self.only(&turns[index]).attention(engine, &question),
            });
            asked.vectors.push(question.vector);
            progress.advance(1);
        }
        Ok(asked)
    }

    /// Per turn, the attention that its best passage gets; the lowest score there is for turns without one.
    #[must_use]
    pub(super) fn attention(&self, engine: &Engine, question: &Question) -> Vec<f32> {
        let mut best = vec![f32::MIN; self.turns];
        for (owner, score) in self
            .owners
            .iter()
            .zip(engine.attention_scores(&question.queries, &self.keys))
        {
            best[*owner] = best[*owner].max(score);
        }
        best
    }
}

/// The encoding of a passage behind its speaker, with offsets of the turn's text. The speaker's tokens get the empty
/// range at the passage's start, which no span overlaps: they belong to the whole turn and to no part of it.
fn shifted(encoding: Encoding, speaker: usize, by: usize) -> Encoding {
    let shift = |token: EncodedToken| EncodedToken {
        start: token.start.saturating_sub(speaker) + by,
        end: token.end.saturating_sub(speaker) + by,
        ..token
    };
    Encoding {
        tokens: encoding.tokens.into_iter().map(shift).collect(),
    }
}

/// Everything of a conversation that readings of it depend on.
pub(super) fn text_of(conversation: &Conversation) -> String {
    let mut text = format!("{:?}\n", conversation.sessions);
    for turn in &conversation.turns {
        text.push_str(&format!("{:?}: {:?}\n", turn.speaker, turn.text));
    }
    text
}
