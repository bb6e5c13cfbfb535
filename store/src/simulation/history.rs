//! What was asked of the store in one life of its process, and what it answered.
//!
//! Responsible for: which operations may have done what to a turn or an entry, whatever became of them.

use std::collections::BTreeMap;
use std::fmt;

use super::names::{home, is_common, quoted, short};
use crate::records::{LedgerKind, Scope, TurnId, TurnKey};

/// A prefix of a scope, under which there is an entry of the ledger at most; its conversation is told by it.
pub(super) type EntryKey = (Scope, u8);

/// What was asked.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Accept {
        turns: Vec<TurnKey>,
    },
    Complete {
        turns: Vec<TurnKey>,
    },
    Record {
        entry: EntryKey,
        value: Vec<u8>,
    },
    Delete {
        scope: Scope,
        what: Covered,
    },
    /// Entries of conversations that were written to last before this microsecond.
    Expire {
        before: i64,
    },
    /// Anything that changes nothing of what was acknowledged.
    Other(&'static str),
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept { turns } => write!(formatter, "accept {}", short(turns)),
            Self::Complete { turns } => write!(formatter, "complete {}", short(turns)),
            Self::Record { entry: (scope, prefix), value } => {
                let quoted = quoted(LedgerKind::Block, value).unwrap_or_default().into_iter();
                let quoted: Vec<TurnKey> = quoted.map(|id| (scope.clone(), id)).collect();
                write!(formatter, "record {} at {prefix} of {scope}, quoting {}", number_of(value), short(&quoted))
            }
            Self::Delete { scope, what: Covered::Turns(ids) } => {
                let turns: Vec<TurnKey> = ids.iter().map(|id| (scope.clone(), *id)).collect();
                write!(formatter, "delete {}", short(&turns))
            }
            Self::Delete { scope, what } => write!(formatter, "delete {what:?} of {scope}"),
            Self::Expire { before } => write!(formatter, "expire before {before}"),
            Self::Other(what) => formatter.write_str(what),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("with an error"),
            Self::Done => formatter.write_str("that it is done"),
            Self::Turns(turns) => write!(formatter, "{}", short(turns)),
            Self::Held(value) => write!(formatter, "that {} holds", number_of(value)),
        }
    }
}

/// The number that tells a value of the ledger from others.
fn number_of(value: &[u8]) -> u32 {
    value.first_chunk().map_or(0, |number| u32::from_be_bytes(*number))
}

/// What a deletion covers.
#[derive(Debug, Clone)]
pub(super) enum Covered {
    Turns(Vec<TurnId>),
    Conversation(u8),
    Before(i64),
    Everything,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// None, or an error: it may have been done or not.
    None,
    Done,
    /// These turns were deleted, or completed.
    Turns(Vec<TurnKey>),
    /// This value holds.
    Held(Vec<u8>),
}

/// An operation.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) asked: Asked,
    pub(super) answer: Answer,
    /// The moment when it was asked, and the one after which it does nothing more.
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// The operations of one life, and when turns were said and entries written in all lives.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) operations: Vec<Operation>,
    moment: u64,
    /// The first and the last microsecond at which somebody may have said a turn.
    pub(super) said: BTreeMap<TurnKey, (i64, i64)>,
    /// The same of entries that somebody may have written.
    pub(super) written: BTreeMap<EntryKey, (i64, i64)>,
    /// Scopes with branches.
    pub(super) branched: Vec<Scope>,
    /// Scopes of which something may have been deleted: what is said there again begins a branch.
    pub(super) deleted: Vec<Scope>,
    pub(super) story: Vec<String>,
}

impl History {
    pub(super) fn tell(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    pub(super) fn begin(&mut self, asked: Asked) -> usize {
        if let Asked::Delete { scope, .. } = &asked
            && !self.deleted.contains(scope)
        {
            self.deleted.push(scope.clone());
        }
        self.moment += 1;
        let number = self.operations.len();
        self.story.push(format!("{number:>3} asked to {asked}"));
        self.operations.push(Operation { asked, answer: Answer::None, begin: self.moment, end: u64::MAX });
        number
    }

    pub(super) fn end(&mut self, number: usize, answer: Answer) {
        self.moment += 1;
        self.story.push(format!("{number:>3} answered {answer}"));
        if let Some(operation) = self.operations.get_mut(number) {
            (operation.answer, operation.end) = (answer, self.moment);
        }
    }

    /// The last moment at which a turn may have been deleted in this life; 0 where it was not.
    pub(super) fn last_removal(&self, key: &TurnKey) -> u64 {
        let removals = self.operations.iter().filter(|operation| self.may_remove(&operation.asked, key));
        removals.map(|operation| operation.end).max().unwrap_or_default()
    }

    /// The last moment at which anything of a scope may have been deleted in this life; 0 where it was not.
    pub(super) fn last_deletion(&self, of: &Scope) -> u64 {
        let is_deletion = |asked: &Asked| matches!(asked, Asked::Delete { scope, .. } if scope == of);
        let deletions = self.operations.iter().filter(|operation| is_deletion(&operation.asked));
        deletions.map(|operation| operation.end).max().unwrap_or_default()
    }

    fn may_remove(&self, asked: &Asked, (of, id): &TurnKey) -> bool {
        let Asked::Delete { scope, what } = asked else { return false };
        scope == of
            && match what {
                Covered::Turns(ids) => ids.contains(id),
                Covered::Conversation(number) => *number == home(*id) || self.is_vague(of, *id),
                Covered::Before(micros) => self.said.get(&(of.clone(), *id)).is_some_and(|(first, _)| first < micros),
                Covered::Everything => true,
            }
    }

    /// Whether an operation has certainly deleted a turn, if it was there.
    pub(super) fn has_removed(&self, operation: &Operation, key: &TurnKey) -> bool {
        let (Asked::Delete { scope, what }, Answer::Turns(turns)) = (&operation.asked, &operation.answer) else {
            return false;
        };
        let (of, id) = key;
        let covers = || match what {
            Covered::Turns(ids) => ids.contains(id),
            Covered::Conversation(number) => *number == home(*id) && !self.is_vague(of, *id),
            Covered::Before(micros) => self.said.get(key).is_none_or(|(_, last)| last < micros),
            Covered::Everything => true,
        };
        scope == of && (turns.contains(key) || covers())
    }

    /// Whether nobody can tell in which conversations a turn stands.
    pub(super) fn is_vague(&self, scope: &Scope, id: TurnId) -> bool {
        is_common(id) || self.branched.contains(scope)
    }

    /// The last moment at which an entry may have been removed in this life; 0 where it was not.
    pub(super) fn last_removal_of_entry(&self, entry: &EntryKey, values: &[&Vec<u8>]) -> u64 {
        let may_remove = |asked: &Asked| match asked {
            Asked::Delete { scope, what: Covered::Turns(ids) } => {
                let mut turns = values.iter().filter_map(|value| quoted(LedgerKind::Block, value)).flatten();
                *scope == entry.0 && turns.any(|turn| ids.contains(&turn))
            }
            Asked::Delete { scope, .. } => *scope == entry.0,
            Asked::Expire { before } => self.written.get(entry).is_some_and(|(first, _)| first <= before),
            _ => false,
        };
        let removals = self.operations.iter().filter(|operation| may_remove(&operation.asked));
        removals.map(|operation| operation.end).max().unwrap_or_default()
    }

    /// Whether an operation has certainly removed an entry, if it was there.
    pub(super) fn has_removed_entry(&self, operation: &Operation, entry: &EntryKey) -> bool {
        if operation.answer == Answer::None {
            return false;
        }
        match &operation.asked {
            Asked::Delete { scope, what } if *scope == entry.0 => match what {
                Covered::Everything => true,
                Covered::Conversation(number) => *number == conversation_of(entry.1),
                Covered::Turns(_) | Covered::Before(_) => false,
            },
            Asked::Expire { before } => {
                let is_beside =
                    |other: &EntryKey| other.0 == entry.0 && conversation_of(other.1) == conversation_of(entry.1);
                let mut beside = self.written.iter().filter(|(other, _)| is_beside(other));
                beside.all(|(_, (_, last))| last < before)
            }
            _ => false,
        }
    }
}

/// The conversation that an entry belongs to.
pub(super) fn conversation_of(prefix: u8) -> u8 {
    prefix % 3
}
