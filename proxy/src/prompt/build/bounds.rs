//! What of a prompt stays whatever happens, and how the rest of it may be cut.

use std::collections::{BTreeSet, HashSet};

use mainpoint_store::PrefixId;

use crate::config::MemoryConfig;
use crate::conversation::prepared_request::PreparedRequest;
use crate::prompt::cuttable::{Cuttable, LeadUp};
use crate::prompt::evictable::Shape;
use crate::prompt::injections::{CurrentEviction, Recorded};

/// How far a prompt may be cut. The default is that of one that nothing leaves.
#[derive(Default)]
pub(super) struct Bounds {
    /// How the conversation may be cut while the question's lead-up stays.
    pub(super) with_lead_up: Partition,
    /// How the conversation may be cut where the prompt cannot be brought within its budget with the lead-up. `None` where that makes
    /// no difference, because every message of the lead-up stays for another reason as well.
    pub(super) without_lead_up: Option<Partition>,
    /// Messages that stay because they are odd.
    pub(super) odd: BTreeSet<usize>,
    /// Messages that an earlier eviction let leave.
    pub(super) gone: BTreeSet<usize>,
}

/// A conversation parted into what stays and what may leave.
#[derive(Default)]
pub(super) struct Partition {
    /// What may leave.
    pub(super) shape: Shape,
    /// Messages that stay: odd ones, those whose attachments stay, those that cannot be read, and the lead-up if it is to stay. Around
    /// some of them others stay too.
    pub(super) held: BTreeSet<usize>,
}

impl Bounds {
    /// The bounds of a request that the ledger has these entries for.
    pub(super) fn new(prepared: &PreparedRequest, recorded: &Recorded, config: &MemoryConfig) -> Self {
        let cuttable = Cuttable::new(prepared);
        let odd = cuttable.odd();
        let held = &(&odd | &cuttable.attached(config.attachments)) | &recorded.unreadable;
        let former = recorded.eviction.as_ref();
        let gone = former.map(|eviction| gone(prepared, eviction, &odd)).unwrap_or_default();
        let parted = |held: BTreeSet<usize>| Partition {
            shape: cuttable.shape(former.map(|eviction| eviction.horizon), &held),
            held,
        };
        let lead_up = lead_up(prepared, &gone, config.budget_tokens);
        if lead_up.is_subset(&held) {
            return Self { with_lead_up: parted(held), without_lead_up: None, odd, gone };
        }
        Self { with_lead_up: parted(&held | &lead_up), without_lead_up: Some(parted(held)), odd, gone }
    }

    /// The messages that may leave if they must.
    pub(super) fn movable(&self) -> BTreeSet<usize> {
        self.without_lead_up.as_ref().unwrap_or(&self.with_lead_up).movable()
    }
}

impl Partition {
    /// The messages that do not stay whatever happens.
    pub(super) fn movable(&self) -> BTreeSet<usize> {
        self.shape.evictables.iter().flat_map(|evictable| evictable.messages.iter().copied()).collect()
    }
}

/// What has left with an earlier eviction.
fn gone(prepared: &PreparedRequest, eviction: &CurrentEviction, odd: &BTreeSet<usize>) -> BTreeSet<usize> {
    let ids: HashSet<PrefixId> = eviction.record.held.iter().copied().collect();
    let mut held = odd.clone();
    if !ids.is_empty() {
        let numbered = prepared.prefix_ids.iter().enumerate();
        let known = numbered.filter(|(_, id)| id.is_some_and(|id| ids.contains(&id)));
        held.extend(known.map(|(index, _)| index));
    }
    Cuttable::new(prepared).shape(Some(eviction.horizon), &held).dropped(eviction.horizon)
}

/// The question's lead-up, as far as it is small: an answer, and what it answers. Messages that have left already do not come back
/// for it, and messages before those are no part of it.
fn lead_up(prepared: &PreparedRequest, gone: &BTreeSet<usize>, budget: usize) -> BTreeSet<usize> {
    let cost =
        |indices: &[usize]| -> usize { indices.iter().filter_map(|index| prepared.tokens.messages.get(*index)).sum() };
    let is_there = |one: &LeadUp| !one.said.iter().chain(&one.answer).any(|index| gone.contains(index));
    let mut room = budget / LEAD_UP_SHARE;
    let mut lead_up = BTreeSet::new();
    for one in Cuttable::new(prepared).lead_ups().into_iter().take_while(is_there) {
        let answer = cost(&one.answer);
        let all = answer + cost(&one.said);
        let is_answered = !one.answer.is_empty();
        if answer <= budget / ANSWER_SHARE && all <= room {
            room -= all;
            lead_up.extend(one.said);
            lead_up.extend(one.answer);
        } else if is_answered {
            break;
        }
    }
    lead_up
}

/// An answer in a lead-up may take one in so many tokens of the budget …
const ANSWER_SHARE: usize = 4;
/// … and the whole lead-up one in so many.
const LEAD_UP_SHARE: usize = 2;
