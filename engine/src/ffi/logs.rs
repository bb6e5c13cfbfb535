//! What llama.cpp says, passed on to the program's log.
//!
//! So is what it says of work that was cut short on purpose, which it takes for a failure.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use crate::halt::Halt;

/// A line that llama.cpp has not ended yet.
struct Line {
    is_error: bool,
    text: String,
}

static LINE: Mutex<Line> = Mutex::new(Line::new());

/// From now on whatever llama.cpp says goes to the log, and nothing to standard error.
pub(crate) fn pass_on() {
    // SAFETY: the callback is a plain function that lives for ever and takes no user data; llama.cpp keeps it in a global of its
    // own, which is written before a model is loaded.
    unsafe { sys::llama_log_set(Some(say), std::ptr::null_mut()) };
}

/// Has llama.cpp compute something on this thread that `halt` cuts short.
pub(crate) fn until_halted<T>(halt: &Halt, compute: impl FnOnce() -> T) -> T {
    HALT.set(Some(halt.clone()));
    let outcome = compute();
    HALT.set(None);
    outcome
}

thread_local! {
    /// What cuts short the work that this thread is at.
    static HALT: RefCell<Option<Halt>> = const { RefCell::new(None) };
}

unsafe extern "C" fn say(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp gives a string that ends with a zero and lives until this returns.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    // A panic must not unwind through C.
    let _ = catch_unwind(AssertUnwindSafe(|| log(level, &text)));
}

/// Gives a line to the log once it has ended.
fn log(level: sys::ggml_log_level, text: &str) {
    let ended = LINE.lock().unwrap_or_else(PoisonError::into_inner).add(level, text);
    match ended {
        Some(line) if line.is_failure() => tracing::error!(target: TARGET, "{}", line.text.trim()),
        Some(line) if !line.text.trim().is_empty() => tracing::debug!(target: TARGET, "{}", line.text.trim()),
        _ => {}
    }
}

impl Line {
    const fn new() -> Self {
        Self { is_error: false, text: String::new() }
    }

    /// Whether it tells of an error of work that nobody has cut short.
    fn is_failure(&self) -> bool {
        self.is_error && !HALT.with_borrow(|halt| halt.as_ref().is_some_and(Halt::is_raised))
    }

    /// Adds a piece, and gives the line when this is its end. A piece that goes on with a line has no level of its own.
    fn add(&mut self, level: sys::ggml_log_level, text: &str) -> Option<Self> {
        if level != sys::GGML_LOG_LEVEL_CONT {
            self.is_error = level == sys::GGML_LOG_LEVEL_ERROR;
        }
        self.text.push_str(text);
        text.ends_with('\n').then(|| std::mem::replace(self, Self::new()))
    }
}

/// What a log filter calls llama.cpp.
const TARGET: &str = "llama_cpp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_pieces_has_the_level_that_it_began_with() {
        let mut line = Line::new();
        assert!(line.add(sys::GGML_LOG_LEVEL_ERROR, "no room ").is_none());
        assert!(line.add(sys::GGML_LOG_LEVEL_CONT, "for it").is_none());
        let whole = line.add(sys::GGML_LOG_LEVEL_CONT, "\n").map(|line| (line.is_error, line.text));
        assert_eq!(whole, Some((true, "no room for it\n".to_owned())));
        assert_eq!(line.add(sys::GGML_LOG_LEVEL_WARN, "odd\n").map(|line| line.is_error), Some(false));
    }

    #[test]
    fn an_error_is_a_detail_where_the_work_was_cut_short_on_purpose() {
        let line = Line { is_error: true, text: "failed to compute graph\n".to_owned() };
        let halt = Halt::default();
        assert!(line.is_failure());
        assert!(until_halted(&halt, || line.is_failure()));
        halt.raise();
        assert!(!until_halted(&halt, || line.is_failure()));
        assert!(line.is_failure(), "what is done afterwards is other work");
    }
}
