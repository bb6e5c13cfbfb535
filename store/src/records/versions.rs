//! The versions of the two tables.
//!
//! It must not know where they lie.

/// A version of each table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TableVersions {
    /// Of the table of turns.
    pub(crate) turns: u64,
    /// Of the table of main points.
    pub(crate) points: u64,
}
