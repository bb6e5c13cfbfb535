//! The scheduling priority of a thread.
//!
//! It must not know what the thread does.

/// Lets the operating system run every other thread first where cores are short: the calling thread, and those that it
/// starts from now on, get the lowest niceness that is still scheduled. Gives false where that is refused.
pub(crate) fn step_back() -> bool {
    const NICENESS: libc::c_int = 19;
    // SAFETY: a plain system call without pointers. On Linux niceness belongs to a thread, and 0 names the calling one.
    let answer = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    answer == 0
}
