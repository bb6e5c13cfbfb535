//! The versions of the two tables.

/// A version of each table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TableVersions {
    /// Of the table of turns.
    pub(crate) turns: u64,
    /// Of the table of main points.
    pub(crate) points: u64,
}

impl TableVersions {
    /// Of each table the newer one of both.
    pub(crate) fn newest(self, other: Self) -> Self {
        Self { turns: self.turns.max(other.turns), points: self.points.max(other.points) }
    }
}
