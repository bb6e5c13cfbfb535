//! Recorded conversations with questions and the turns that answer them: from three public benchmarks, and the same chat in
//! several languages.
//!
//! It must not know about models, memory or metrics.

pub(crate) mod beam;
mod locomo;
mod long_memory;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::BenchError;

/// One conversation over many sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its name, for example `conv-41`.
    pub name: String,
    /// Which turns belong to each session, ascending and without gaps.
    pub sessions: Vec<Range<usize>>,
    /// All turns in order.
    pub turns: Vec<Turn>,
    /// The questions that can be judged.
    pub questions: Vec<Question>,
    /// Questions that nothing in the conversation answers; none where the benchmark has none.
    pub unanswerable: Vec<String>,
    /// What the questions' evidence is.
    pub unit: Unit,
}

/// What counts as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Single turns.
    Turn,
    /// Whole sessions: the one that a turn belongs to.
    Session,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks, as the reader sees it.
    pub speaker: String,
    /// The role on the wire.
    pub role: &'static str,
    /// What is said.
    pub text: String,
    /// When the turn's session began.
    pub time: DateTime<Utc>,
}

/// One question with what answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// Positions of the evidence among the turns or sessions, ascending, each once, never empty.
    pub evidence: Vec<usize>,
    /// What kind of question it is.
    pub category: String,
    /// When it is asked, where the data say so.
    pub asked: Option<DateTime<Utc>>,
}

/// Which benchmark conversations come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two people talk about their lives; evidence is turns.
    Locomo,
    /// Long chats of a user with an assistant; evidence is messages.
    Beam,
    /// Many sessions of a user with an assistant; evidence is sessions.
    LongMemory,
    /// One language of a chat that there is in several; evidence is messages, and nothing bears on what cannot be answered.
    Language,
}

impl Kind {
    /// Its name in result files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Locomo => "locomo",
            Self::Beam => "beam",
            Self::LongMemory => "longmemeval",
            Self::Language => "language",
        }
    }
}

impl Turn {
    /// The text of the message that a client would send: in a chat between several people it begins with who speaks.
    #[must_use]
    pub fn message(&self) -> String {
        if self.is_named() {
            format!("{}: {}", self.speaker, self.text)
        } else {
            self.text.clone()
        }
    }

    /// Whether the speaker is a person with a name and not a role.
    #[must_use]
    pub fn is_named(&self) -> bool {
        !self.speaker.eq_ignore_ascii_case(self.role)
    }
}

impl Conversation {
    /// A ranking of turns as a ranking of what evidence is made of.
    #[must_use]
    pub fn judged(&self, ranking: &[usize]) -> Vec<usize> {
        match self.unit {
            Unit::Turn => ranking.to_vec(),
            Unit::Session => {
                let session = |turn: &usize| self.sessions.iter().position(|session| session.contains(turn));
                crate::ranking::first_places(ranking.iter().filter_map(session), self.sessions.len())
            }
        }
    }

    /// Who says the evidence of a question: a role, or `several`; nothing where everyone has the same role.
    #[must_use]
    pub fn told_by(&self, question: &Question) -> Option<&'static str> {
        let roles: BTreeSet<&str> = self.turns.iter().map(|turn| turn.role).collect();
        if self.unit == Unit::Session || roles.len() < 2 {
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

    /// The language of a conversation of [`Kind::Language`], which its name begins with.
    #[must_use]
    pub fn language(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }
}

/// The data sets at `path`: one, or the languages in a directory of languages, by their codes.
///
/// # Errors
/// [`BenchError::Read`] if a directory cannot be listed.
pub fn sets(path: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut languages = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(BenchError::reading(path))? {
            let found = entry.map_err(BenchError::reading(path))?.path();
            if found.is_dir() && code(&found).is_some() {
                languages.push(found);
            }
        }
    }
    languages.sort();
    Ok(if languages.is_empty() {
        vec![path.to_owned()]
    } else {
        languages
    })
}

/// The language code that a directory is named by.
fn code(directory: &Path) -> Option<&str> {
    let name = directory.file_name()?.to_str()?;
    let is_code = (2..=3).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    is_code.then_some(name)
}

/// Reads all conversations at `path`: a LoCoMo or LongMemEval file, or a directory of BEAM chats or of chats in the language
/// whose code it is named by.
///
/// # Errors
/// [`BenchError::Read`] if it cannot be read, [`BenchError::Data`] if it is none of these.
pub fn load(path: &Path) -> Result<(Kind, Vec<Conversation>), BenchError> {
    if path.is_dir() {
        return match code(path) {
            Some(code) => Ok((Kind::Language, beam::load(path, code)?)),
            None => Ok((Kind::Beam, beam::load(path, "beam")?)),
        };
    }
    let text = std::fs::read_to_string(path).map_err(BenchError::reading(path))?;
    let refused = |reason: String| BenchError::Data {
        path: path.to_owned(),
        reason,
    };
    if text.contains("\"haystack_sessions\"") {
        return Ok((Kind::LongMemory, long_memory::parse(&text).map_err(refused)?));
    }
    Ok((Kind::Locomo, locomo::parse(&text).map_err(refused)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(unit: Unit) -> Conversation {
        let turn = |role: &'static str| Turn {
            speaker: role.to_uppercase(),
            role,
            text: "x".to_owned(),
            time: DateTime::UNIX_EPOCH,
        };
        Conversation {
            name: "some".to_owned(),
            sessions: vec![0..2, 2..4],
            turns: ["user", "assistant", "user", "assistant"].map(turn).to_vec(),
            questions: Vec::new(),
            unanswerable: Vec::new(),
            unit,
        }
    }

    #[test]
    fn a_session_stands_where_its_best_turn_stands() {
        assert_eq!(conversation(Unit::Session).judged(&[3, 0, 2, 1]), [1, 0]);
        assert_eq!(conversation(Unit::Turn).judged(&[3, 0, 2, 1]), [3, 0, 2, 1]);
    }

    #[test]
    fn evidence_is_told_by_the_roles_of_its_turns() {
        let asked = |evidence: &[usize]| Question {
            text: String::new(),
            evidence: evidence.to_vec(),
            category: String::new(),
            asked: None,
        };
        let told = |evidence: &[usize]| conversation(Unit::Turn).told_by(&asked(evidence));
        assert_eq!(
            (told(&[0, 2]), told(&[1]), told(&[0, 3])),
            (Some("user"), Some("assistant"), Some("several"))
        );
    }

    #[test]
    fn directories_named_by_codes_are_languages() -> Result<(), BenchError> {
        let home = tempfile::tempdir().map_err(BenchError::writing("a temporary directory"))?;
        for name in ["de", "zh", "beam-100k"] {
            std::fs::create_dir(home.path().join(name)).map_err(BenchError::writing(name))?;
        }
        assert_eq!(sets(home.path())?, ["de", "zh"].map(|code| home.path().join(code)));
        let beam = home.path().join("beam-100k");
        assert_eq!(sets(&beam)?, [beam]);
        Ok(())
    }

    #[test]
    fn only_people_are_named_in_messages() {
        let mut turn = conversation(Unit::Turn).turns.remove(0);
        assert_eq!(turn.message(), "x");
        turn.speaker = "Ann".to_owned();
        assert_eq!(turn.message(), "Ann: x");
    }
}
