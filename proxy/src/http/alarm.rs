//! An alarm whose time moves, mostly to a later one.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// An alarm that is set when it is first asked.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready when the time that `end` says has come.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, mut end: impl FnMut() -> Instant) -> Poll<()> {
        let first = end();
        let alarm = self.0.get_or_insert_with(|| Box::pin(sleep_until(first)));
        // One that is too early is set again when it rings, since almost always something has moved by then.
        if alarm.deadline() > first {
            alarm.as_mut().reset(first);
        }
        while alarm.as_mut().poll(context).is_ready() {
            let end = end();
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}
