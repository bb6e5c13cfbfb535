//! What of a prompt stays whatever happens, and how the rest of it may be cut.
//!
//! It must not know whether anything leaves.

use std::collections::BTreeSet;

use crate::config::AttachmentPolicy;
use crate::conversation::prepare::Prepared;
use crate::prompt::evictable::Cuttable;
use crate::prompt::eviction_policy::Shape;
use crate::prompt::injections::Recorded;

/// How far a prompt may be cut. The default is that of one that nothing leaves.
#[derive(Default)]
pub(super) struct Bounds {
    /// How the conversation may be cut now.
    pub(super) shape: Shape,
    /// Messages that stay because they are odd.
    pub(super) odd: BTreeSet<usize>,
    /// Messages that stay, the odd ones among them.
    pub(super) held: BTreeSet<usize>,
}

impl Bounds {
    /// Of a request for which this is recorded.
    pub(super) fn new(prepared: &Prepared, recorded: &Recorded, attachments: AttachmentPolicy) -> Self {
        let cuttable = Cuttable::new(prepared);
        let odd = cuttable.odd();
        let held = &(&odd | &cuttable.attached(attachments)) | &recorded.unreadable;
        let shape = cuttable.shape(recorded.eviction.as_ref().map(|eviction| eviction.horizon), &held);
        Self { shape, odd, held }
    }
}
