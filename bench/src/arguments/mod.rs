//! The command lines of the benchmarks: what may be said, and the options that come of it.
//!
//! It must not know how anything is measured.

pub(crate) mod demo;
pub(crate) mod handles;
pub(crate) mod ingest;
pub(crate) mod kills;
pub(crate) mod models;
pub(crate) mod overhead;
pub(crate) mod prices;
pub(crate) mod reader;
pub(crate) mod recall;
pub(crate) mod request_path;
