//! The scheduling priority of a thread.

/// Lets the operating system run every other thread first: the calling thread, and those that it starts from now on, run
/// when nobody else wants the processor (`SCHED_IDLE`), and give it up the moment that somebody does. Niceness alone gives
/// others more time, but lets them wait for a slice of some milliseconds each time that they wake up. Where the policy is
/// refused the lowest niceness must do; gives false where that is refused, too.
pub(crate) fn lower_priority() -> bool {
    runs_when_idle() || is_nicest()
}

fn runs_when_idle() -> bool {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live local that the call only reads; 0 names the calling thread.
    let answer = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
    answer == 0
}

fn is_nicest() -> bool {
    const NICENESS: libc::c_int = 19;
    // SAFETY: a plain system call without pointers. On Linux niceness belongs to a thread, and 0 names the calling one.
    let answer = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    answer == 0
}
