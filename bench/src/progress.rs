//! Progress of long work on standard error: a bar on a terminal, a line at the beginning elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressBarIter, ProgressIterator, ProgressStyle};

/// A bar for work of `total` steps, which is gone when it is dropped.
pub(crate) fn bar(title: impl Into<String>, total: usize) -> ProgressBar {
    let title = title.into();
    if !std::io::stderr().is_terminal() {
        anstream::eprintln!("{title}: {total}");
    }
    let bar = ProgressBar::new(total as u64).with_message(title);
    match ProgressStyle::with_template("{msg:40} {wide_bar} {pos}/{len} {eta:>4}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The items, with a bar of how many were taken.
pub(crate) fn over<I>(title: impl Into<String>, items: I) -> ProgressBarIter<I::IntoIter>
where
    I: IntoIterator<IntoIter: ExactSizeIterator>,
{
    let items = items.into_iter();
    let bar = bar(title, items.len());
    items.progress_with(bar)
}
