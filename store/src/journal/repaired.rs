//! What is made good of the journal.

/// What a repair does about the room for deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Keeps it, if there is space for it.
    Keep,
    /// Leaves it as it is: a deletion may be at work in it.
    Leave,
}

/// What was made good, that of which others have to know the most last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Repaired {
    /// Nothing was wrong.
    Nothing,
    /// There is space again, also what is kept for deletions.
    Relieved,
    /// The file is under its name again; nothing was lost.
    Replaced,
    /// The file was opened again. It may hold a transaction whose end was not known.
    Reopened,
    /// The file was damaged, and a new one is in its place.
    BegunAnew,
}
