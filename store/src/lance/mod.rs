//! Everything that is LanceDB: two tables, their rows, indices and files.
//!
//! Responsible for: everything that knows Arrow and Lance: schemas, rows, indices, opening and inspecting.

pub(crate) mod batches;
mod centres;
pub(crate) mod clusters;
pub(crate) mod columns;
pub(crate) mod exact_search;
pub(crate) mod filter;
pub(crate) mod index_cache;
pub(crate) mod inspection;
pub(crate) mod manifest;
pub(crate) mod manifest_copies;
mod merging;
pub(crate) mod old_versions;
pub(crate) mod opening;
pub(crate) mod partitions;
pub(crate) mod pruning;
pub(crate) mod schema;
pub(crate) mod sketches;
pub(crate) mod tables;
pub(crate) mod text_index;
pub(crate) mod turn_rows;
pub(crate) mod vector_index;
