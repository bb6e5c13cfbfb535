//! Queries: by meaning, by words and by identity.
//!
//! Responsible for: answering from memory, the journal and LanceDB together.

pub(crate) mod all_rows;
pub(crate) mod clusters;
pub(crate) mod conversation_match;
pub(crate) mod loading;
pub(crate) mod lookup;
pub(crate) mod neighbours;
pub(crate) mod outline;
pub(crate) mod overview;
pub(crate) mod points;
pub(crate) mod ranking;
pub(crate) mod selection;
pub(crate) mod size;
pub(crate) mod sketches;
pub(crate) mod snapshot;
pub(crate) mod spoken;
