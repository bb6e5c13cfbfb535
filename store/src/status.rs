//! How a store is doing.

/// How a store is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStatus {
    /// False once closed.
    pub alive: bool,
    /// Turns accepted and not completed: what is still to be read.
    pub unread_turns: usize,
    /// Turns completed and still in the journal only.
    pub unflushed_turns: usize,
    /// Turns in LanceDB.
    pub turns: u64,
    /// Main points in LanceDB.
    pub points: u64,
    /// How often turns were lost to damaged files, or a file of the directory had to be put back, since the store was opened and while it
    /// was. Who remembers which turns have been read has to
    /// forget it when this grows, and to look again for turns that wait.
    pub losses: u64,
    /// How often turns were deleted since the store was opened, also because they were older than
    /// [`StoreConfig::retain_for`](crate::StoreConfig::retain_for). Who remembers which turns have been read has to forget it when
    /// this grows.
    pub deletions: u64,
}
