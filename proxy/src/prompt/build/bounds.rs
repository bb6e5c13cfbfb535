//! What of a prompt stays whatever happens, and how the rest of it may be cut.
//!
//! It must not know whether anything leaves.

use std::collections::BTreeSet;

use crate::config::MemoryConfig;
use crate::conversation::prepare::Prepared;
use crate::prompt::evictable::Cuttable;
use crate::prompt::eviction_policy::Shape;
use crate::prompt::injections::Recorded;

/// How far a prompt may be cut. The default is that of one that nothing leaves.
#[derive(Default)]
pub(super) struct Bounds {
    /// How the conversation may be cut now.
    pub(super) division: Division,
    /// How it may be cut where the prompt cannot be brought within its budget otherwise: what the question leans on may leave as
    /// well. `None` where nothing stays for that reason.
    pub(super) last_resort: Option<Division>,
    /// Messages that stay because they are odd.
    pub(super) odd: BTreeSet<usize>,
}

/// A conversation divided into what stays and what may leave.
#[derive(Default)]
pub(super) struct Division {
    /// What may leave.
    pub(super) shape: Shape,
    /// Messages that stay, the odd ones among them. Around some of them others stay too.
    pub(super) held: BTreeSet<usize>,
}

impl Bounds {
    /// Of a request for which this is recorded.
    pub(super) fn new(prepared: &Prepared, recorded: &Recorded, config: &MemoryConfig) -> Self {
        let cuttable = Cuttable::new(prepared);
        let odd = cuttable.odd();
        let held = &(&odd | &cuttable.attached(config.attachments)) | &recorded.unreadable;
        let divided = |held: BTreeSet<usize>| {
            let cut_at = recorded.eviction.as_ref().map(|eviction| eviction.horizon);
            Division { shape: cuttable.shape(cut_at, &held), held }
        };
        let leaned_on = leaned_on(prepared, config.budget_tokens);
        if leaned_on.is_subset(&held) {
            return Self { division: divided(held), last_resort: None, odd };
        }
        Self { division: divided(&held | &leaned_on), last_resort: Some(divided(held)), odd }
    }

    /// The messages that may leave if they must.
    pub(super) fn movable(&self) -> BTreeSet<usize> {
        self.last_resort.as_ref().unwrap_or(&self.division).movable()
    }
}

impl Division {
    /// The messages that do not stay whatever happens.
    pub(super) fn movable(&self) -> BTreeSet<usize> {
        self.shape.evictables.iter().flat_map(|evictable| evictable.messages.iter().copied()).collect()
    }
}

/// What was said right before the question, as far as it is small: an answer, and what it answers.
fn leaned_on(prepared: &Prepared, budget: usize) -> BTreeSet<usize> {
    let cost =
        |indices: &[usize]| -> usize { indices.iter().filter_map(|index| prepared.tokens.messages.get(*index)).sum() };
    let mut room = budget / LEANED_ON_SHARE;
    let mut leaned_on = BTreeSet::new();
    for lead_up in Cuttable::new(prepared).lead_ups() {
        let answer = cost(&lead_up.answer);
        let all = answer + cost(&lead_up.said);
        let is_answered = !lead_up.answer.is_empty();
        if answer <= budget / ANSWER_SHARE && all <= room {
            room -= all;
            leaned_on.extend(lead_up.said);
            leaned_on.extend(lead_up.answer);
        } else if is_answered {
            break;
        }
    }
    leaned_on
}

/// An answer that the question leans on may take one in so many tokens of the budget …
const ANSWER_SHARE: usize = 4;
/// … and everything that it leans on, one in so many.
const LEANED_ON_SHARE: usize = 2;
