//! The section `[memory]`: its keys, defaults and what is allowed.

use std::time::Duration;

use http::HeaderName;
use serde::Deserializer;

use super::SecretKind;
use super::checked::{Milliseconds, Whole, narrow, number, parsed, section, share};

section! {
    /// When and how prompts are rewritten.
    pub struct MemoryConfig {
        /// Whether the memory is used at all.
        #[serde(deserialize_with = "mode")]
        mode: Mode = Mode::On,
        /// Most tokens of a forwarded prompt; longer ones are rewritten.
        #[serde(with = "Whole::<64, 10_000_000>")]
        budget_tokens: usize = 16_000,
        /// Share of the budget from which on old turns leave if that pays; at most 1.
        #[serde(deserialize_with = "share")]
        high_water: f64 = 0.6,
        /// Share of the budget that is left when old turns have left; less than `high_water`.
        #[serde(deserialize_with = "share")]
        low_water: f64 = 0.1,
        /// Share of the budget that the memories recalled for one question may take.
        #[serde(deserialize_with = "share")]
        memory_share: f64 = 0.3,
        /// Most tokens of these memories whatever the share; less than `budget_tokens`; 0 leaves it to the share.
        #[serde(with = "Whole::<0, 10_000_000>")]
        memory_tokens: usize = 0,
        /// How likely it must be that a turn answers the question, of everything that was compared with it, for every thousand tokens
        /// that its quote takes; for a question of over 160 bytes in proportion to its length.
        #[serde(deserialize_with = "relevance")]
        least_relevance: f32 = 0.1,
        /// Most candidates of the search by words; of each other search in proportion.
        #[serde(with = "Whole::<1, 10_000>")]
        candidates: usize = 400,
        /// Most passages of a conversation or a scope that are all compared with the question, not only those that searches find;
        /// 0 never does so.
        #[serde(with = "Whole::<0, 10_000_000>")]
        scan_passages: usize = 10_000,
        /// How well, from -1 to 1, the best turn must match a question word for word; below it nothing is recalled.
        #[serde(deserialize_with = "cosine")]
        least_match: f32 = 0.18,
        /// Whose turns are recalled that a prompt has not got.
        #[serde(deserialize_with = "recall")]
        recall: RecallReach = RecallReach::Conversation,
        /// Whether a rewritten prompt offers the model a tool to ask the memory for more.
        tools: bool = false,
        /// Whether old results of tools are shortened to their main points, where that does instead of letting turns leave.
        shorten_tool_results: bool = true,
        /// Which images, files and other attachments stay in prompts, and with them their messages.
        #[serde(deserialize_with = "attachments")]
        attachments: AttachmentPolicy = AttachmentPolicy::Keep,
        /// Whether secrets, such as keys and passwords, are masked in what is stored.
        mask_secrets: bool = true,
        /// Kinds of secrets that are stored as they are all the same.
        #[serde(deserialize_with = "secret_kinds")]
        mask_exceptions: Vec<SecretKind> = Vec::new(),
        /// Whether a body's `"store": false` keeps a request and its answer out of the memory.
        honour_store_false: bool = false,
        /// How long the whole memory path of one request may take before the original bytes are forwarded.
        #[serde(rename = "deadline_ms", with = "Milliseconds::<1, 600_000>")]
        deadline: Duration = Duration::from_millis(2000),
        /// Name of the header that subdivides a caller's scope by user.
        #[serde(deserialize_with = "own_header")]
        user_header: HeaderName = HeaderName::from_static("x-mainpoint-user"),
        /// Name of the header that subdivides a caller's scope by project, before it is subdivided by user.
        #[serde(deserialize_with = "own_header")]
        project_header: HeaderName = HeaderName::from_static("x-mainpoint-project"),
        /// Names of the headers that tell callers apart besides those that always do.
        #[serde(deserialize_with = "headers")]
        credential_headers: Vec<HeaderName> = Vec::new(),
    }
}

impl MemoryConfig {
    /// Most tokens of the memories recalled for one question.
    pub(crate) fn memory_limit(&self) -> usize {
        let share = (self.budget_tokens as f64 * self.memory_share) as usize;
        if self.memory_tokens > 0 { self.memory_tokens } else { share }
    }
}

/// Whether prompts are rewritten; a later mode does everything that an earlier one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Everything is relayed untouched and nothing is read.
    Off,
    /// Conversations are read and receipts say what would have been forwarded; no byte of a request is changed.
    Shadow,
    /// Conversations are read, and prompts over the budget are rewritten.
    On,
}

impl Mode {
    /// What a mode may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"on\", \"shadow\" or \"off\"";

    /// Reads a mode as it is written in the configuration and in a header.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(Self::On),
            "shadow" => Some(Self::Shadow),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// The mode as it is written.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// How far recall reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallReach {
    /// To turns of the request's own conversation.
    Conversation,
    /// To every conversation of the caller, which is one user of a key where users are told apart.
    Caller,
}

impl RecallReach {
    /// What it may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"conversation\" or \"caller\"";

    /// Reads it as it is written in the configuration and in a header.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "conversation" => Some(Self::Conversation),
            "caller" => Some(Self::Caller),
            _ => None,
        }
    }
}

/// Whether a request and its answer are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    /// As ever.
    On,
    /// Nothing of them is, nor what was put into the prompt.
    Off,
}

impl Storing {
    /// What it may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"on\" or \"off\"";

    /// Reads it as it is written in a header.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(Self::On),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// Which attachments stay in prompts: images, sound, video, files and parts of an unknown kind, which no memory can quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentPolicy {
    /// All of them.
    Keep,
    /// So many, the newest ones.
    Newest(usize),
}

impl AttachmentPolicy {
    /// What a policy may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"keep\" or \"newest N\", such as \"newest 3\"";

    /// Reads a policy as it is written in the configuration.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "keep" {
            return Some(Self::Keep);
        }
        let count = text.strip_prefix("newest ")?.trim_start();
        let is_plain = count.bytes().all(|byte| byte.is_ascii_digit());
        count.parse().ok().filter(|_| is_plain).map(Self::Newest)
    }
}

fn mode<'de, D: Deserializer<'de>>(input: D) -> Result<Mode, D::Error> {
    parsed(input, |text: &String| Mode::parse(text).ok_or(Mode::ALLOWED))
}

fn recall<'de, D: Deserializer<'de>>(input: D) -> Result<RecallReach, D::Error> {
    parsed(input, |text: &String| RecallReach::parse(text).ok_or(RecallReach::ALLOWED))
}

fn attachments<'de, D: Deserializer<'de>>(input: D) -> Result<AttachmentPolicy, D::Error> {
    parsed(input, |text: &String| AttachmentPolicy::parse(text).ok_or(AttachmentPolicy::ALLOWED))
}

fn secret_kinds<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<SecretKind>, D::Error> {
    parsed(input, |names: &Vec<String>| {
        let kinds = names.iter().map(|name| SecretKind::parse(name)).collect::<Option<_>>();
        kinds.ok_or_else(|| format!("a list of kinds of secrets, which are {}", SecretKind::allowed()))
    })
}

fn relevance<'de, D: Deserializer<'de>>(input: D) -> Result<f32, D::Error> {
    number(input, |value| (0.0..=1000.0).contains(&value), "a number from 0 to 1000, such as 0.1").map(narrow)
}

fn cosine<'de, D: Deserializer<'de>>(input: D) -> Result<f32, D::Error> {
    number(input, |value| (-1.0..=1.0).contains(&value), "a number from -1 to 1, such as 0.18").map(narrow)
}

fn own_header<'de, D: Deserializer<'de>>(input: D) -> Result<HeaderName, D::Error> {
    parsed(input, |text: &String| match HeaderName::from_bytes(text.as_bytes()) {
        Err(_) => Err("the name of an HTTP header"),
        Ok(name) if NEEDED_UPSTREAM.contains(&name.as_str()) => {
            Err("a header of its own, since it is not sent on: not one that the upstream needs")
        }
        Ok(name) => Ok(name),
    })
}

fn headers<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<HeaderName>, D::Error> {
    parsed(input, |names: &Vec<String>| {
        let headers = names.iter().map(|name| HeaderName::from_bytes(name.as_bytes())).collect::<Result<_, _>>();
        headers.map_err(|_| "a list of names of HTTP headers such as [\"x-team-key\"]")
    })
}

/// Headers that a request needs on its way; one that is meant for mainpoint ends here.
pub(super) const NEEDED_UPSTREAM: [&str; 14] = [
    "accept",
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];
