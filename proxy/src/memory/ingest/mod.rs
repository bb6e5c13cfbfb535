//! Turns on their way in: into the journal, to the reader when it is their turn, and into the store.

mod backlog;
mod blobs;
mod caller_limits;
mod deletion;
mod health;
mod importer;
mod incoming;
mod intake;
mod masking;
mod pipeline;
mod points;
mod queue;
mod restore;
mod resume;
mod stored;
mod traffic;
mod turn_reader;
mod unreadable;
mod worker;

pub(crate) use caller_limits::CallerLimits;
pub(crate) use importer::{Imported, Importer};
pub(crate) use incoming::IncomingTurns;
pub(crate) use intake::Acknowledgement;
pub(crate) use pipeline::IngestPipeline;
pub use points::capitalised;
pub(crate) use restore::{MovedTurns, Restored};
pub(crate) use traffic::InFlight;
