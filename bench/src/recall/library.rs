//! Reading conversations with the product's engine, once for all arms, kept in the cache.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use mainpoint::config::MemoryConfig;
use mainpoint::memory::capitalised;
use mainpoint::memory::small_talk::SmallTalk;
use mainpoint_engine::{EncodedQuestion, Engine, PassageReading, ReadRequest, TurnReading, TurnText};

use super::reading::{self, Reading};
use crate::cache::Cache;
use crate::data::{Conversation, Turn};
use crate::product::Product;
use crate::progress::{bar, over};
use crate::ranking::dot;
use crate::{BenchError, Failing, locate};

/// Which model reads, and where its readings and the results are kept.
#[derive(Debug, Clone, Args)]
pub struct ReadingOptions {
    /// The model that reads, as models.reader names it: a name of the catalogue or a GGUF file; default: the product's own.
    #[arg(long, value_name = "MODEL")]
    reader: Option<String>,
    /// Directory for tables, pictures and rows.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    pub(crate) out: PathBuf,
    /// Directory for readings and filled stores, which take long to make.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::cache())]
    pub(crate) cache: PathBuf,
}

pub(crate) struct Library {
    cache: Cache,
    pub(crate) engine: Engine,
    pub(crate) memory: MemoryConfig,
    /// What the product knows as small talk.
    pub(crate) small_talk: SmallTalk,
    /// What readings depend on besides the texts.
    recipe: String,
}

/// Changes when what is kept in the cache changes its meaning.
const FORMAT: &str = "4";

impl ReadingOptions {
    /// The product with the model that was asked for, and its library.
    pub(crate) async fn open(&self) -> Result<(Product, Library), BenchError> {
        let product = Product::with(self.reader.as_deref())?;
        let library = Library::open(&product, Cache::at(self.cache.clone())).await?;
        Ok((product, library))
    }
}

impl Library {
    /// Starts the engine, which reads what the product knows as small talk.
    async fn open(product: &Product, cache: Cache) -> Result<Self, BenchError> {
        let (engine, encoder) = (product.start()?, &product.engine.encoder);
        let small_talk = SmallTalk::read(&engine).await;
        let recipe = format!(
            "{FORMAT} {} {} {:?} {}",
            env!("READING_FINGERPRINT"),
            engine.vectors_sha256(),
            encoder.prompts.passage,
            encoder.passage_tokens
        );
        Ok(Self {
            cache,
            engine,
            memory: product.memory.clone(),
            small_talk: small_talk.in_engine("reading small talk")?,
            recipe,
        })
    }

    /// Reads a conversation, session by session, or takes what was read before.
    pub(crate) async fn read(&self, conversation: &Conversation) -> Result<Reading, BenchError> {
        let (text, mean) = (text_of(conversation), self.engine.mean());
        let inputs = [self.recipe.as_str(), &text];
        if let Some(columns) = self.cache.get(&conversation.name, &inputs) {
            return Ok(reading::from_columns(&columns, mean));
        }
        let before = self.engine.status().seconds_reading;
        let bar = bar(format!("reading {}", conversation.name), conversation.turns.len());
        let mut reading = Reading::default();
        for session in &conversation.sessions {
            let said = &conversation.turns[session.clone()];
            for some in said.chunks(TURNS) {
                let turns = some.iter().map(as_read).collect();
                reading.turns.extend(self.engine.read_every_token(ReadRequest { turns }).await.in_engine("reading")?);
                bar.inc(some.len() as u64);
            }
        }
        for turn in &conversation.turns {
            let size = self.engine.count_tokens(&format!("{}: {}\n", turn.speaker, turn.text));
            reading.sizes.push(size.in_engine("counting tokens")?);
        }
        let time = Duration::from_secs_f64(self.engine.status().seconds_reading - before);
        reading.milliseconds = time.as_millis() as usize;
        self.cache.put(&conversation.name, &inputs, &reading::columns(&reading, mean))?;
        Ok(reading)
    }

    /// The main points of every turn, as the product makes them of the same tokens; of one turn it is checked that they are
    /// those of the product's own reading.
    pub(crate) async fn main_points(
        &self,
        conversation: &Conversation,
        reading: &Reading,
    ) -> Result<Vec<Vec<PassageReading>>, BenchError> {
        let turns = conversation.turns.iter().zip(&reading.turns);
        let points: Vec<Vec<PassageReading>> = turns
            .map(|(turn, passages)| {
                let text = turn.message();
                let point = |passage| self.engine.main_point(&text, passage);
                passages.iter().map(point).collect()
            })
            .collect();
        let both = conversation.turns.iter().zip(&points);
        if let Some((turn, points)) = both.max_by_key(|(turn, _)| turn.text.len().min(CHECKED)) {
            self.check(conversation, turn, points).await?;
        }
        Ok(points)
    }

    /// The questions of a conversation, prepared for the searches.
    pub(crate) async fn ask<'a>(
        &self,
        title: &str,
        texts: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<Vec<EncodedQuestion>, BenchError> {
        let mut asked = Vec::with_capacity(texts.len());
        for text in over(format!("asking {title}"), texts) {
            asked.push(self.engine.question(text).await.in_engine("preparing a question")?);
        }
        Ok(asked)
    }

    async fn check(
        &self,
        conversation: &Conversation,
        turn: &Turn,
        points: &[PassageReading],
    ) -> Result<(), BenchError> {
        let turns = vec![as_read(turn)];
        let read = self.engine.read(ReadRequest { turns }).await.in_engine("reading")?;
        let agrees = read.first().is_some_and(|read| agree(read, points));
        if agrees {
            return Ok(());
        }
        let reason = format!("the product reads other main points: {:?}", turn.text);
        Err(BenchError::data(&conversation.name, reason))
    }
}

/// A turn as the product reads the message that a client would send.
pub(crate) fn as_read(turn: &Turn) -> TurnText {
    TurnText { speaker: capitalised(turn.role), text: turn.message() }
}

/// Turns that are read at a time, so that progress is seen.
const TURNS: usize = 16;
/// Most bytes of a turn that count when one is chosen to be checked.
const CHECKED: usize = 2000;
/// The least share of equal bits, and the least cosine, of what is kept with 16 bits and what is read again.
const EQUAL_BITS: f64 = 0.98;
const COSINE: f32 = 0.995;

fn agree(read: &TurnReading, points: &[PassageReading]) -> bool {
    let same = |(one, other): (&PassageReading, &PassageReading)| {
        let spans = one.spans.iter().map(|span| (span.start, span.end));
        let bytes = one.codes.as_bytes().iter().zip(other.codes.as_bytes());
        let different: u32 = bytes.map(|(one, other)| (one ^ other).count_ones()).sum();
        let bits = u32::try_from(one.codes.as_bytes().len() * 8).unwrap_or(u32::MAX);
        spans.eq(other.spans.iter().map(|span| (span.start, span.end)))
            && one.codes.len() == other.codes.len()
            && f64::from(different) <= (1.0 - EQUAL_BITS) * f64::from(bits)
            && (one.vector.is_empty() || dot(&one.vector, &other.vector) >= COSINE)
    };
    read.passages.len() == points.len() && read.passages.iter().zip(points).all(same)
}

/// Everything of a conversation that readings of it depend on.
fn text_of(conversation: &Conversation) -> String {
    let said = conversation.turns.iter();
    said.map(|turn| format!("{:?}: {:?}\n", turn.role, turn.message())).collect()
}
