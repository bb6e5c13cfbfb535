//! Keeping an open store in order: flushing, maintaining, deleting, repairing.
//!
//! Responsible for: the background tasks and what they do.

pub(crate) mod attempts;
pub(crate) mod backoff;
pub(crate) mod catch_up;
pub(crate) mod deletion;
pub(crate) mod expiry;
pub(crate) mod flush;
pub(crate) mod healing;
mod integrity;
pub(crate) mod maintenance;
pub(crate) mod repair;
pub(crate) mod replay;
pub(crate) mod schedule;
pub(crate) mod watch;
