//! The sockets of the scripted upstream: takes requests in, and sends replies step by step.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::net::TcpListener;

use super::request::RecordedRequest;
use super::script::{State, lock};
use crate::http_server;
use crate::reply::{BrokenOff, Reply, Step, never};

/// Counts a request as abandoned unless its answer was sent to the end.
struct Attendance {
    state: Arc<Mutex<State>>,
    finished: bool,
}

impl Attendance {
    fn begin(state: Arc<Mutex<State>>) -> Self {
        lock(&state).unfinished += 1;
        Self { state, finished: false }
    }

    fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.unfinished -= 1;
        if !self.finished {
            state.given_up.push(Instant::now());
        }
    }
}

/// Answers every request as the state says.
pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    http_server::serve(listener, move |request| answer(request, Arc::clone(&state))).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<UnsyncBoxBody<Bytes, BrokenOff>>, BrokenOff> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(BrokenOff::other)?.to_bytes();
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let recorded = RecordedRequest { method: parts.method, target, headers: parts.headers, body, arrived };
    let reply = lock(&state).answer(recorded);
    respond(reply, Attendance::begin(state)).await
}

async fn respond(
    reply: Reply,
    mut attendance: Attendance,
) -> Result<Response<UnsyncBoxBody<Bytes, BrokenOff>>, BrokenOff> {
    let Some(status) = reply.status else {
        attendance.finish();
        return Err(BrokenOff::other("hung up as scripted"));
    };
    let mut steps = VecDeque::from(reply.steps);
    // A pause before the first byte holds the head back as well.
    loop {
        match steps.front() {
            Some(Step::Wait(gate)) => gate.clone().passed().await,
            Some(Step::Pause(pause)) => tokio::time::sleep(*pause).await,
            _ => break,
        }
        steps.pop_front();
    }
    let body = match (steps.pop_front(), steps.is_empty()) {
        (Some(Step::Send(bytes)), true) => {
            attendance.finish();
            Full::new(bytes).map_err(never).boxed_unsync()
        }
        (None, _) => {
            attendance.finish();
            Full::new(Bytes::new()).map_err(never).boxed_unsync()
        }
        (Some(first), _) => {
            steps.push_front(first);
            stepwise(steps, attendance)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = reply.headers;
    Ok(response)
}

fn stepwise(steps: VecDeque<Step>, attendance: Attendance) -> UnsyncBoxBody<Bytes, BrokenOff> {
    let frames = stream::unfold((steps, attendance), |(mut steps, mut attendance)| async move {
        loop {
            match steps.pop_front() {
                None => {
                    attendance.finish();
                    return None;
                }
                Some(Step::Send(bytes)) => return Some((Ok(Frame::data(bytes)), (steps, attendance))),
                Some(Step::Wait(gate)) => gate.passed().await,
                Some(Step::Pause(pause)) => tokio::time::sleep(pause).await,
                Some(Step::Cut) => {
                    attendance.finish();
                    // Lets what was sent before leave the process first.
                    tokio::task::yield_now().await;
                    return Some((Err(BrokenOff::other("cut as scripted")), (VecDeque::new(), attendance)));
                }
            }
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
