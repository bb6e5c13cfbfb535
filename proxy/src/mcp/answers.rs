//! What the tools answer: the API's answers without what a model has no use for, each thing under one name everywhere.

use rmcp::schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// What the API answers to a search.
#[derive(Debug, Deserialize)]
pub(super) struct ApiFindings {
    evidence: Evidence,
    results: Vec<FoundTurn>,
    turns_waiting: usize,
}

#[derive(Debug, Deserialize)]
struct Evidence {
    is_enough: bool,
}

/// The turns that bear on a question.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct FoundTurns {
    /// Whether the best of them is likely to bear on the question. If not, the memory probably holds nothing about it.
    likely: bool,
    /// The turns, best first.
    turns: Vec<FoundTurn>,
    /// How many turns were said so recently that searches do not find them yet.
    turns_waiting: usize,
}

/// A turn that was found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct FoundTurn {
    /// The turn's id.
    turn: String,
    /// The conversation that it stands in; read_around reads on in it.
    conversation: String,
    /// How many turns come before it there.
    position: u32,
    /// Who spoke: user, assistant or tool.
    role: String,
    /// When it was said last, in RFC 3339.
    time: String,
    /// What was said; a long text is cut, with "…" at its end.
    #[serde(deserialize_with = "cut")]
    text: String,
    /// How likely it is to be the one that answers, 0 to 1.
    score: f64,
}

/// A part of a conversation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Passage {
    /// The conversation.
    conversation: String,
    /// Its turns, oldest first.
    #[serde(rename(deserialize = "data"))]
    turns: Vec<ReadTurn>,
    /// How many turns of the conversation come before these.
    earlier: usize,
    /// How many come after them.
    later: usize,
}

/// A turn of a conversation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ReadTurn {
    /// The turn's id.
    #[serde(rename(deserialize = "id"))]
    turn: String,
    /// How many turns come before it in its conversation.
    position: u32,
    /// Who spoke: user, assistant or tool.
    role: String,
    /// When it was said there, in RFC 3339.
    time: String,
    /// What was said; a long text is cut, with "…" at its end.
    #[serde(deserialize_with = "cut")]
    text: String,
}

/// Conversations, those that began last first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Conversations {
    /// The conversations.
    #[serde(rename(deserialize = "data"))]
    conversations: Vec<Conversation>,
    /// The argument "after" of the call that lists more; null where there are no more.
    next: Option<String>,
}

/// A conversation, or a branch of one where an earlier message was edited or answered anew.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Conversation {
    /// The conversation's id.
    #[serde(rename(deserialize = "id"))]
    conversation: String,
    /// How many turns it has.
    turns: usize,
    /// The id of its first turn.
    first_turn: String,
    /// The id of its last turn.
    last_turn: String,
    /// When its first turn was said, in RFC 3339.
    first_time: String,
    /// When its last turn was said.
    last_time: String,
    /// How its first turn begins.
    first_words: String,
}

/// What a memory is about, the topics with most turns first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Topics {
    /// The topics.
    #[serde(rename(deserialize = "data"))]
    topics: Vec<Topic>,
}

/// Something that was talked about.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Topic {
    /// The words that say best what it is about, best first.
    words: Vec<String>,
    /// How many turns are about it.
    turns: usize,
    /// When the first of them was said, in RFC 3339.
    first_time: String,
    /// When the last of them was said.
    last_time: String,
    /// The turns most typical of it, best first.
    #[serde(rename(deserialize = "nearest"))]
    typical: Vec<TypicalTurn>,
}

/// A turn that is typical of a topic.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct TypicalTurn {
    /// The turn's id.
    turn: String,
    /// When it was said, in RFC 3339.
    time: String,
    /// Its main point.
    main_point: String,
}

/// What was forgotten.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Forgotten {
    /// How many turns were deleted; 0 where there was none with this id.
    turns_deleted: usize,
}

impl From<ApiFindings> for FoundTurns {
    fn from(found: ApiFindings) -> Self {
        let rounded = |turn: FoundTurn| FoundTurn { score: (turn.score * 1000.0).round() / 1000.0, ..turn };
        let turns = found.results.into_iter().map(rounded).collect();
        Self { likely: found.evidence.is_enough, turns, turns_waiting: found.turns_waiting }
    }
}

/// Bytes of a turn's text that a model is given.
const MOST_TEXT: usize = 16 << 10;

/// A text that is no longer than a model can use.
fn cut<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text = String::deserialize(deserializer)?;
    if text.len() > MOST_TEXT {
        text.truncate(text.floor_char_boundary(MOST_TEXT));
        text.push('…');
    }
    Ok(text)
}
