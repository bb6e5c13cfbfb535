//! Recorded conversations with questions and the turns that answer them: from three public benchmarks, the same chat in
//! several languages, and chats of ours in which facts change.

mod beam;
mod choosing;
mod locomo;
mod longmemeval;
mod ours;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::Value;

pub(crate) use self::choosing::{bench, drawn, reported};
pub(crate) use self::ours::{UPDATE, remarks, updates};
use crate::{BenchError, Failing};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conversation {
    /// Its name, for example `conv-41`.
    pub(crate) name: String,
    /// Which turns belong to each session, ascending and without gaps.
    pub(crate) sessions: Vec<Range<usize>>,
    pub(crate) turns: Vec<Turn>,
    /// The questions that can be judged.
    pub(crate) questions: Vec<Question>,
    /// Questions that nothing in the conversation answers; none where the benchmark has none.
    pub(crate) unanswerable: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Who speaks, as the reader sees it.
    pub(crate) speaker: String,
    pub(crate) role: &'static str,
    pub(crate) text: String,
    /// When the turn's session began.
    pub(crate) time: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    /// Positions of the evidence among the turns, ascending, each once, never empty.
    pub(crate) evidence: Vec<usize>,
    pub(crate) category: String,
    /// What the data call a good answer; empty where they have none.
    pub(crate) answer: String,
}

/// Which benchmark conversations come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Two people talk about their lives; evidence is turns.
    Locomo,
    /// Long chats of a user with an assistant; evidence is messages.
    Beam,
    /// Many chats of one user with an assistant; evidence is messages.
    LongMemEval,
    /// Chats of ours, in each of which something is told that a later one tells otherwise.
    Updates,
    /// One language of a chat that there is in several; evidence is messages, and nothing bears on what cannot be answered.
    Language,
}

/// The conversations of one benchmark, or of one language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataSet {
    pub(crate) kind: Kind,
    /// All of them, or those that were chosen.
    pub(crate) conversations: Vec<Conversation>,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Locomo => "locomo",
            Self::Beam => "beam",
            Self::LongMemEval => "longmemeval",
            Self::Updates => "updates",
            Self::Language => "language",
        }
    }
}

impl DataSet {
    /// Its name in result files: that of its kind, with the language of chats in one.
    pub(crate) fn name(&self) -> String {
        match (self.kind, self.conversations.first()) {
            (Kind::Language, Some(chat)) => format!("language-{}", chat.language()),
            (kind, _) => kind.name().to_owned(),
        }
    }
}

impl Turn {
    /// The text of the message that a client would send: in a chat between several people it begins with who speaks.
    pub(crate) fn message(&self) -> String {
        if self.is_named() { format!("{}: {}", self.speaker, self.text) } else { self.text.clone() }
    }

    /// Whether the speaker is a person with a name and not a role.
    pub(crate) fn is_named(&self) -> bool {
        !self.speaker.eq_ignore_ascii_case(self.role)
    }
}

impl Question {
    /// A question with the turns that answer it; nothing without any.
    fn judgeable(text: String, evidence: impl Iterator<Item = usize>, category: String) -> Option<Self> {
        let evidence: BTreeSet<usize> = evidence.collect();
        let evidence: Vec<usize> = evidence.into_iter().collect();
        (!evidence.is_empty()).then(|| Self { text, evidence, category, answer: String::new() })
    }

    /// The same question with what answers it: a text, or a number.
    fn answered(self, answer: &Value) -> Self {
        Self { answer: written(answer), ..self }
    }
}

/// An answer as text; empty where there is none.
fn written(answer: &Value) -> String {
    match answer {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Conversation {
    /// Who says the evidence of a question: a role, or `several`; nothing where everyone has the same role.
    pub(crate) fn told_by(&self, question: &Question) -> Option<&'static str> {
        let roles: BTreeSet<&str> = self.turns.iter().map(|turn| turn.role).collect();
        if roles.len() < 2 {
            return None;
        }
        let evidence = question.evidence.iter().filter_map(|turn| self.turns.get(*turn));
        let telling: BTreeSet<&'static str> = evidence.map(|turn| turn.role).collect();
        match telling.len() {
            0 => None,
            1 => telling.first().copied(),
            _ => Some("several"),
        }
    }

    pub(crate) fn end(&self) -> DateTime<Utc> {
        self.turns.last().map(|turn| turn.time).unwrap_or_default()
    }

    /// The language of a conversation of [`Kind::Language`], which its name begins with.
    pub(crate) fn language(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }
}

/// The directories of languages in a directory, by their codes.
pub(crate) fn languages(directory: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).when_reading(directory)? {
        found.push(entry.when_reading(directory)?.path());
    }
    found.retain(|path| path.is_dir() && code(path).is_some());
    found.sort();
    Ok(found)
}

/// The language code that a directory is named by.
fn code(directory: &Path) -> Option<&str> {
    let name = directory.file_name()?.to_str()?;
    let is_code = (2..=3).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    is_code.then_some(name)
}

/// Reads all conversations at `path`: a file of LoCoMo or LongMemEval, or a directory of BEAM chats or of chats in the language
/// whose code it is named by.
pub(crate) fn load(path: &Path) -> Result<DataSet, BenchError> {
    if path.is_dir() {
        let (kind, name) = code(path).map_or((Kind::Beam, "beam"), |code| (Kind::Language, code));
        return Ok(DataSet { kind, conversations: beam::load(path, name)? });
    }
    let text = std::fs::read_to_string(path).when_reading(path)?;
    let (kind, parsed) = match longmemeval::is_one(&text) {
        true => (Kind::LongMemEval, longmemeval::parse(&text)),
        false => (Kind::Locomo, locomo::parse(&text)),
    };
    let conversations = parsed.map_err(|reason| BenchError::data(path, reason))?;
    Ok(DataSet { kind, conversations })
}

/// The conversations of these names, in their order.
pub(crate) fn named(mut all: Vec<Conversation>, names: &[String]) -> Result<Vec<Conversation>, BenchError> {
    let known: Vec<&str> = all.iter().map(|conversation| conversation.name.as_str()).collect();
    let known = known.join(", ");
    let mut chosen = Vec::with_capacity(names.len());
    for name in names {
        let at = all.iter().position(|conversation| conversation.name == *name);
        let at = at.ok_or_else(|| BenchError::new(format!("--conversations {name}: the file has {known}")))?;
        chosen.push(all.swap_remove(at));
    }
    Ok(chosen)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A conversation of turns with these roles and texts, without sessions and questions.
    pub(crate) fn conversation(name: &str, said: &[(&'static str, &str)]) -> Conversation {
        let turn = |(role, text): &(&'static str, &str)| Turn {
            speaker: (*role).to_owned(),
            role,
            text: (*text).to_owned(),
            time: DateTime::UNIX_EPOCH,
        };
        Conversation {
            name: name.to_owned(),
            sessions: Vec::new(),
            turns: said.iter().map(turn).collect(),
            questions: Vec::new(),
            unanswerable: Vec::new(),
        }
    }

    /// A question that these turns answer.
    pub(crate) fn question(evidence: &[usize]) -> Question {
        Question {
            text: format!("about {evidence:?}"),
            evidence: evidence.to_vec(),
            category: String::new(),
            answer: String::new(),
        }
    }

    #[test]
    fn conversations_come_in_the_order_asked_for_and_an_unknown_one_is_named() {
        let all = || ["a", "b", "c"].map(|name| conversation(name, &[])).to_vec();
        let chosen = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let found = named(all(), &names).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.into_iter().map(|found| found.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["c", "a"]), Ok(vec!["c".to_owned(), "a".to_owned()]));
        assert_eq!(chosen(&["x"]), Err("--conversations x: the file has a, b, c".to_owned()));
    }

    #[test]
    fn evidence_is_told_by_the_roles_of_its_turns() {
        let chat = conversation("some", &[("user", ""), ("assistant", ""), ("user", ""), ("assistant", "")]);
        let told = |evidence: &[usize]| chat.told_by(&question(evidence));
        assert_eq!((told(&[0, 2]), told(&[1]), told(&[0, 3])), (Some("user"), Some("assistant"), Some("several")));
    }

    #[test]
    fn directories_named_by_codes_are_languages() -> Result<(), BenchError> {
        let home = tempfile::tempdir().when_writing("a temporary directory")?;
        for name in ["de", "zh", "beam-100k"] {
            std::fs::create_dir(home.path().join(name)).when_writing(name)?;
        }
        assert_eq!(languages(home.path())?, ["de", "zh"].map(|code| home.path().join(code)));
        Ok(())
    }

    #[test]
    fn only_people_are_named_in_messages() {
        let mut turn = conversation("some", &[("user", "x")]).turns.remove(0);
        assert_eq!(turn.message(), "x");
        turn.speaker = "Ann".to_owned();
        assert_eq!(turn.message(), "Ann: x");
    }
}
