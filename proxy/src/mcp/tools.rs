//! The tools: their names, the words that a model reads about them, what they take and what they answer.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations, object};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers::{ApiFindings, Conversations, Forgotten, FoundTurns, Passage, Topics};
use super::arguments::{Arguments, refused};
use super::{Ask, Reach};
use crate::error::ProxyError;
use crate::memory::{ConversationCursor, Forget, TopicsWanted, Window};

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryTool {
    /// Finds turns by a question.
    Search,
    /// Reads a turn and its neighbours.
    ReadAround,
    /// Lists conversations.
    ListConversations,
    /// Says what the memory is about.
    ListTopics,
    /// Deletes a turn or a conversation.
    Forget,
}

const FOUND: RangeInclusive<usize> = 1..=50;
const USUALLY_FOUND: usize = 8;
const AROUND: RangeInclusive<usize> = 0..=50;
const USUALLY_AROUND: usize = 3;
const TOPICS: RangeInclusive<usize> = 1..=TopicsWanted::MOST_TOPICS;
const LISTED: RangeInclusive<usize> = 1..=100;
const USUALLY_LISTED: usize = 20;

impl MemoryTool {
    /// Every tool, in the order in which they are listed.
    pub(super) const ALL: [Self; 5] =
        [Self::Search, Self::ReadAround, Self::ListConversations, Self::ListTopics, Self::Forget];

    /// The names of all of them.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The tool of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// The name by which it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::ReadAround => "read_around",
            Self::ListConversations => "list_conversations",
            Self::ListTopics => "list_topics",
            Self::Forget => "forget",
        }
    }

    /// The tool as a client is told of it.
    pub(super) fn describe(self, reach: Reach) -> Tool {
        let tool = Tool::new(self.name(), self.description(), Arc::new(self.input(reach)));
        let tool = match self {
            Self::Search => tool.with_output_schema::<FoundTurns>(),
            Self::ReadAround => tool.with_output_schema::<Passage>(),
            Self::ListConversations => tool.with_output_schema::<Conversations>(),
            Self::ListTopics => tool.with_output_schema::<Topics>(),
            Self::Forget => tool.with_output_schema::<Forgotten>(),
        };
        let annotations = match self {
            Self::Forget => ToolAnnotations::with_title(self.title()).read_only(false).destructive(true),
            _ => ToolAnnotations::with_title(self.title()).read_only(true).destructive(false),
        };
        // What is forgotten once is forgotten; nothing but the memory is reached.
        tool.with_title(self.title()).with_annotations(annotations.idempotent(true).open_world(false))
    }

    /// What a call asks, and the scope that it names.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] for an argument that cannot be used.
    pub(super) fn ask(self, arguments: &JsonObject, reach: Reach) -> Result<(Ask, Option<String>), ProxyError> {
        let (own, scoped) = (self.arguments(), [self.arguments(), &["scope"]].concat());
        let arguments = Arguments::new(arguments, if reach == Reach::Every { scoped.as_slice() } else { own })?;
        let scope = match reach {
            Reach::Own => None,
            Reach::Every => Some(arguments.text("scope")?.to_owned()),
        };
        let ask = match self {
            Self::Search => Ask::Search {
                question: arguments.text("question")?.to_owned(),
                limit: arguments.number("limit", &FOUND)?.unwrap_or(USUALLY_FOUND),
            },
            Self::ReadAround => Ask::Around {
                turn: arguments.id("turn", "turn")?.ok_or_else(|| refused("turn", None, "the id of a turn"))?,
                conversation: arguments.id("conversation", "conversation")?,
                window: Window {
                    before: arguments.number("before", &AROUND)?.unwrap_or(USUALLY_AROUND),
                    after: arguments.number("after", &AROUND)?.unwrap_or(USUALLY_AROUND),
                },
            },
            Self::ListConversations => Ask::Conversations {
                after: arguments.parsed("after", ConversationCursor::ALLOWED)?,
                limit: arguments.number("limit", &LISTED)?.unwrap_or(USUALLY_LISTED),
            },
            Self::ListTopics => Ask::Topics(TopicsWanted {
                topics: arguments.number("topics", &TOPICS)?,
                nearest: TopicsWanted::USUAL_NEAREST,
            }),
            Self::Forget => Ask::Forget(forgotten(&arguments)?),
        };
        Ok((ask, scope))
    }

    /// What a model is told of the API's answer; `None` if it is none of this API.
    pub(super) fn answer(self, answered: Value) -> Option<Value> {
        match self {
            Self::Search => told::<ApiFindings, FoundTurns>(answered),
            Self::ReadAround => told::<Passage, Passage>(answered),
            Self::ListConversations => told::<Conversations, Conversations>(answered),
            Self::ListTopics => told::<Topics, Topics>(answered),
            Self::Forget => told::<Forgotten, Forgotten>(answered),
        }
    }

    /// The names of its arguments, whoever calls it.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Search => &["question", "limit"],
            Self::ReadAround => &["turn", "conversation", "before", "after"],
            Self::ListConversations => &["after", "limit"],
            Self::ListTopics => &["topics"],
            Self::Forget => &["turn", "conversation"],
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Search => "Search the memory",
            Self::ReadAround => "Read around a turn",
            Self::ListConversations => "List conversations",
            Self::ListTopics => "List topics",
            Self::Forget => "Forget a turn or a conversation",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Search => SEARCH,
            Self::ReadAround => READ_AROUND,
            Self::ListConversations => LIST_CONVERSATIONS,
            Self::ListTopics => LIST_TOPICS,
            Self::Forget => FORGET,
        }
    }

    /// The schema of its arguments.
    fn input(self, reach: Reach) -> JsonObject {
        let (mut properties, mut required) = match self {
            Self::Search => (
                json!({
                    "question": text("What to look for, as a whole question in plain words of any language."),
                    "limit": number("Most turns to give.", &FOUND, USUALLY_FOUND),
                }),
                vec!["question"],
            ),
            Self::ReadAround => (
                json!({
                    "turn": id("The id of the turn, such as \"turn\" of a search's result."),
                    "conversation": id(
                        "The conversation to read in, such as \"conversation\" of the same result. The same words may \
                         have been said in several; without it the first of them is read."
                    ),
                    "before": number("How many turns before it to read.", &AROUND, USUALLY_AROUND),
                    "after": number("How many turns after it to read.", &AROUND, USUALLY_AROUND),
                }),
                vec!["turn"],
            ),
            Self::ListConversations => (
                json!({
                    "after": text("To go on with a list: \"next\" of the answer before."),
                    "limit": number("Most conversations to give.", &LISTED, USUALLY_LISTED),
                }),
                vec![],
            ),
            Self::ListTopics => (
                json!({
                    "topics": {
                        "type": "integer", "minimum": TOPICS.start(), "maximum": TOPICS.end(),
                        "description": "Most topics to give. Without it at most as many as the memory's size suggests.",
                    },
                }),
                vec![],
            ),
            Self::Forget => (
                json!({
                    "turn": id("The id of the turn to forget."),
                    "conversation": id("The id of the conversation to forget, instead of a turn."),
                }),
                vec![],
            ),
        };
        if reach == Reach::Every {
            properties["scope"] = text(
                "The name of the memory that is meant. You have the admin's token, which reaches every memory, so that \
                 one must be named.",
            );
            required.push("scope");
        }
        object(json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        }))
    }
}

/// What is to be forgotten: one thing.
fn forgotten(arguments: &Arguments<'_>) -> Result<Forget, ProxyError> {
    match (arguments.id("turn", "turn")?, arguments.id("conversation", "conversation")?) {
        (Some(turn), None) => Ok(Forget::Turn(turn)),
        (None, Some(conversation)) => Ok(Forget::Conversation(conversation)),
        (Some(_), Some(_)) => {
            Err(refused("conversation", arguments.get("conversation"), "either turn or conversation, not both"))
        }
        (None, None) => Err(refused("turn", None, "the id of a turn, or a conversation in its place")),
    }
}

/// An answer in other words.
fn told<A: DeserializeOwned, T: From<A> + Serialize>(answered: Value) -> Option<Value> {
    let answered: A = serde_json::from_value(answered).ok()?;
    serde_json::to_value(T::from(answered)).ok()
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn id(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{32}$", "description": description})
}

fn number(description: &str, range: &RangeInclusive<usize>, usual: usize) -> Value {
    json!({
        "type": "integer", "minimum": range.start(), "maximum": range.end(), "default": usual,
        "description": description,
    })
}

const SEARCH: &str = "\
Search everything that the user and assistants said to each other in earlier conversations, in any app, and get the \
turns that bear on a question, word for word and best first. Use it whenever something from before may matter: a \
person, a preference, a decision, a number, a plan, how a problem was solved. Meaning is compared as well as words, \
so ask as you would ask a person, with the names that you know and one thing at a time; a date or \"last week\" in \
the question favours what was said then. Ask again in other words before you conclude that nothing is there. If \
\"likely\" is false, the turns are only the nearest that there are and probably do not answer.";

const READ_AROUND: &str = "\
Read a turn of an earlier conversation together with the turns before and after it, oldest first. Use it after a \
search, when a turn that was found cannot be understood alone or its answer must stand next to it. \"earlier\" and \
\"later\" of the answer say how much more there is on each side; to read on, call it again with the first or last \
turn that it gave.";

const LIST_CONVERSATIONS: &str = "\
List earlier conversations, those that began last first: when they took place, how many turns they have and how they \
begin. Use it to get an overview or to find a conversation by its date; to find something by what was said, search \
instead. To read a conversation, call read_around with its \"first_turn\" or \"last_turn\".";

const LIST_TOPICS: &str = "\
List what earlier conversations were about: each topic by the words that it has and the others have not, with how many \
turns it has, when they were said, and the turns most typical of it. Use it when the user asks what was talked about, or \
to find out what there is to search for. To read what was said, call read_around with a \"turn\" of a topic, or search \
with its words.";

const FORGET: &str = "\
Delete one turn, or a whole conversation with its branches, from the memory, for good: it cannot be undone. Use it \
only when the user has clearly asked for exactly this to be forgotten, and look first (search, read_around) that the \
id is the right one. Give either \"turn\" or \"conversation\".";

#[cfg(test)]
#[path = "tools_tests.rs"]
mod tests;
