//! One owning thread per llama.cpp context: a bounded queue, a ready handshake, dead clients skipped, cut short and
//! joined on drop.

use std::sync::{Mutex, PoisonError, mpsc as blocking};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::EngineError;
use crate::halt::Halt;

/// A handle to a thread that answers requests one after the other.
pub(crate) struct Actor<Request, Response> {
    part: &'static str,
    sender: Mutex<Option<mpsc::Sender<Job<Request, Response>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    halt: Halt,
}

/// The thread's end of the queue.
pub(crate) struct Inbox<Request, Response> {
    part: &'static str,
    halt: Halt,
    receiver: mpsc::Receiver<Job<Request, Response>>,
    ready: blocking::Sender<Result<(), EngineError>>,
}

struct Job<Request, Response> {
    request: Request,
    reply: oneshot::Sender<Result<Response, EngineError>>,
    span: tracing::Span,
}

impl<Request: Send + 'static, Response: Send + 'static> Actor<Request, Response> {
    /// Starts the thread and waits until `body` has called [`Inbox::serve`] or returned an error.
    pub(crate) fn start(
        part: &'static str,
        queue: usize,
        body: impl FnOnce(Inbox<Request, Response>) -> Result<(), EngineError> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let (ready, readiness) = blocking::channel();
        let failed = ready.clone();
        let halt = Halt::default();
        let inbox = Inbox { part, halt: halt.clone(), receiver, ready };
        let run = move || {
            if let Err(error) = body(inbox) {
                // The receiver is gone only if the start was already answered.
                let _ = failed.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("mainpoint-{part}"))
            .spawn(run)
            .map_err(|source| EngineError::Thread { part, source })?;
        let actor = Self { part, sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), halt };
        readiness.recv().unwrap_or(Err(EngineError::Stopped { part }))?;
        Ok(actor)
    }

    /// Asks, without waiting for a place in the queue.
    pub(crate) async fn call(&self, request: Request) -> Result<Response, EngineError> {
        let (job, answer) = Self::job(request);
        self.sender()?.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => EngineError::Busy { part: self.part },
            mpsc::error::TrySendError::Closed(_) => EngineError::Stopped { part: self.part },
        })?;
        answer.await.unwrap_or(Err(EngineError::Stopped { part: self.part }))
    }

    /// Asks, waiting for a place in the queue.
    pub(crate) async fn call_in_turn(&self, request: Request) -> Result<Response, EngineError> {
        let (job, answer) = Self::job(request);
        let sender = self.sender()?;
        sender.send(job).await.map_err(|_| EngineError::Stopped { part: self.part })?;
        drop(sender);
        answer.await.unwrap_or(Err(EngineError::Stopped { part: self.part }))
    }

    /// Requests that wait.
    pub(crate) fn depth(&self) -> usize {
        self.sender().map_or(0, |sender| sender.max_capacity() - sender.capacity())
    }

    pub(crate) fn alive(&self) -> bool {
        self.sender().is_ok_and(|sender| !sender.is_closed())
    }

    /// Takes no more requests. Those that wait fail, and so does the one that is being answered, as soon as whoever answers
    /// it looks at [`Inbox::halt`].
    pub(crate) fn stop(&self) {
        self.halt.raise();
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn sender(&self) -> Result<mpsc::Sender<Job<Request, Response>>, EngineError> {
        let guard = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        guard.clone().ok_or(EngineError::Stopped { part: self.part })
    }

    fn job(request: Request) -> (Job<Request, Response>, oneshot::Receiver<Result<Response, EngineError>>) {
        let (reply, answer) = oneshot::channel();
        (Job { request, reply, span: tracing::Span::current() }, answer)
    }
}

impl<Request, Response> Drop for Actor<Request, Response> {
    fn drop(&mut self) {
        self.halt.raise();
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(part = self.part, "the thread ended in a panic");
        }
    }
}

impl<Request, Response> Inbox<Request, Response> {
    /// Raised when the part is stopped or its handle goes: whoever answers must not let it wait then.
    pub(crate) fn halt(&self) -> Halt {
        self.halt.clone()
    }

    /// Says that the part is ready and answers requests until every handle is gone.
    pub(crate) fn serve(mut self, mut answer: impl FnMut(Request) -> Result<Response, EngineError>) {
        if self.ready.send(Ok(())).is_err() {
            return;
        }
        while let Some(job) = self.receiver.blocking_recv() {
            if self.halt.is_raised() {
                return;
            }
            if job.reply.is_closed() {
                continue;
            }
            let mut response = job.span.in_scope(|| answer(job.request));
            // Work that was cut short says nothing about the request.
            if self.halt.is_raised() && response.is_err() {
                response = Err(EngineError::Stopped { part: self.part });
            }
            // A client that left in the meantime needs no answer.
            let _ = job.reply.send(response);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn doubler() -> Actor<u32, u32> {
        Actor::start("doubler", 4, |inbox: Inbox<u32, u32>| {
            inbox.serve(|number| Ok(number * 2));
            Ok(())
        })
        .unwrap()
    }

    #[tokio::test]
    async fn requests_are_answered() {
        assert_eq!(doubler().call(21).await.unwrap(), 42);
    }

    #[test]
    fn a_failing_start_is_the_starts_error() {
        let failed = Actor::<u32, u32>::start("broken", 1, |_| Err(EngineError::Unwanted));
        assert!(matches!(failed, Err(EngineError::Unwanted)));
    }

    #[tokio::test]
    async fn a_stopped_part_says_so() {
        let actor = doubler();
        actor.stop();
        assert!(!actor.alive());
        assert!(matches!(actor.call(1).await, Err(EngineError::Stopped { part: "doubler" })));
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_and_dead_clients_are_skipped() {
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        let (open, gate) = blocking::channel::<()>();
        let (entered, inside) = oneshot::channel();
        let mut entered = Some(entered);
        let actor = Arc::new(
            Actor::start("slow", 1, move |inbox: Inbox<u32, u32>| {
                inbox.serve(|number| {
                    if let Some(entered) = entered.take() {
                        let _ = entered.send(());
                        let _ = gate.recv();
                    }
                    counter.fetch_add(1, Ordering::SeqCst);
                    Ok(number)
                });
                Ok(())
            })
            .unwrap(),
        );
        let first = tokio::spawn({
            let actor = Arc::clone(&actor);
            async move { actor.call(1).await }
        });
        inside.await.unwrap();
        let second = tokio::spawn({
            let actor = Arc::clone(&actor);
            async move { actor.call(2).await }
        });
        while actor.depth() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(actor.call(3).await, Err(EngineError::Busy { .. })));
        second.abort();
        assert!(second.await.is_err());
        open.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 1);
        assert_eq!(actor.call_in_turn(4).await.unwrap(), 4);
        assert_eq!(served.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_stop_cuts_short_what_is_computed_and_fails_what_waits() {
        let (entered, inside) = oneshot::channel();
        let mut entered = Some(entered);
        let actor = Arc::new(
            Actor::start("endless", 4, move |inbox: Inbox<u32, u32>| {
                let halt = inbox.halt();
                inbox.serve(|_| {
                    if let Some(entered) = entered.take() {
                        let _ = entered.send(());
                    }
                    while !halt.is_raised() {
                        std::thread::yield_now();
                    }
                    Err(EngineError::Unwanted)
                });
                Ok(())
            })
            .unwrap(),
        );
        let calls: Vec<_> = (0..3)
            .map(|number| {
                let actor = Arc::clone(&actor);
                tokio::spawn(async move { actor.call(number).await })
            })
            .collect();
        inside.await.unwrap();
        actor.stop();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Err(EngineError::Stopped { .. })));
        }
    }
}
