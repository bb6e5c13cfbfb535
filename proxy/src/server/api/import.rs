//! `POST /import`: turns as an export has them, taken in while they come.

use bytes::Bytes;
use chrono::Utc;
use http::header::CONTENT_ENCODING;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use mainpoint_store::{Scope, TurnId};
use serde::Serialize;

use super::Call;
use super::lines::{Line, Lines};
use crate::conversation::chain::Chain;
use crate::error::ProxyError;
use crate::http::arriving::unreadable;
use crate::http::body;
use crate::http::response::{Body, BodyError, serialized};
use crate::memory::{ArchivedTurn, LineError, Memory, MovedTurns, Restored, Restorer};
use crate::room::Room;

/// So many turns are taken in together, or as many as have so many bytes.
const PIECE_TURNS: usize = 256;
const PIECE_BYTES: usize = 1 << 20;

/// What became of an import.
#[derive(Debug, Serialize)]
struct Summary {
    /// Lines that were taken.
    lines: usize,
    /// Turns that are to be read.
    turns_taken: usize,
    /// Turns that were there already.
    turns_known: usize,
}

/// Takes in every line, and says what became of them once the journal has all.
pub(super) async fn import<B>(
    call: &Call<'_>,
    request: Request<B>,
    most_bytes: usize,
    room: &Room,
) -> Result<Response<Body>, ProxyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    if let Some(encoding) = request.headers().get(CONTENT_ENCODING) {
        return Err(ProxyError::InvalidParameter {
            name: "content-encoding".to_owned(),
            value: format!("{encoding:?}"),
            allowed: "none, the lines as they are".to_owned(),
        });
    }
    let mut body = request.into_body();
    let mut import = Import::new(call.memory(), call.scope);
    // A piece is there as it came and as turns.
    let held = room.take(2 * PIECE_BYTES).await;
    let imported = match held {
        Some(held) => import.run(&mut body, Lines::of_at_most(most_bytes, held)).await,
        None => Err(ProxyError::NoRoom),
    };
    match imported {
        Ok(()) => Ok(serialized(StatusCode::OK, &import.summary())),
        Err(error) => {
            // Many clients look at the answer only once they have sent everything.
            body::discard(&mut body).await;
            Err(error)
        }
    }
}

struct Import<'a, N> {
    memory: &'a Memory,
    scope: &'a Scope,
    restorer: Restorer<N>,
    /// What has come and is not taken in yet.
    piece: MovedTurns,
    bytes: usize,
    /// The number of its first line.
    first: usize,
    lines: usize,
    restored: Restored,
}

impl<'a> Import<'a, ()> {
    fn new(memory: &'a Memory, scope: &'a Scope) -> Import<'a, impl Fn(&str, &str) -> TurnId> {
        let chain = Chain::new(scope);
        Import {
            memory,
            scope,
            restorer: Restorer::new(scope.clone(), move |role: &str, text: &str| chain.turn(role, text), Utc::now()),
            piece: MovedTurns::default(),
            bytes: 0,
            first: 1,
            lines: 0,
            restored: Restored::default(),
        }
    }
}

impl<N: Fn(&str, &str) -> TurnId> Import<'_, N> {
    async fn run<B>(&mut self, body: &mut B, mut lines: Lines) -> Result<(), ProxyError>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<BodyError>,
    {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| unreadable(error.into()))?.into_data() else {
                continue;
            };
            lines.push(&data)?;
            while let Some(line) = lines.next() {
                self.add(&line).await?;
            }
        }
        if let Some(line) = lines.last() {
            self.add(&line).await?;
        }
        self.take_in().await
    }

    async fn add(&mut self, line: &Line) -> Result<(), ProxyError> {
        let turn = match ArchivedTurn::parse(&line.bytes) {
            Ok(turn) => turn,
            Err(LineError { key, value, allowed }) => {
                self.take_in().await?;
                return Err(ProxyError::InvalidLine { line: line.number, key, value, allowed });
            }
        };
        if self.piece.turns.is_empty() {
            self.first = line.number;
        }
        self.bytes += turn.text.len() + turn.plain.as_ref().map_or(0, String::len);
        self.lines += 1;
        self.restorer.add(turn, &mut self.piece);
        if self.piece.turns.len() >= PIECE_TURNS || self.bytes >= PIECE_BYTES {
            self.take_in().await?;
        }
        Ok(())
    }

    async fn take_in(&mut self) -> Result<(), ProxyError> {
        let piece = std::mem::take(&mut self.piece);
        self.bytes = 0;
        if piece.turns.is_empty() {
            return Ok(());
        }
        let restored = self.memory.restore(self.scope, piece).await;
        let halted = |source| ProxyError::ImportHalted { line: self.first, source };
        self.restored.add(restored.map_err(halted)?);
        Ok(())
    }

    fn summary(&self) -> Summary {
        let Restored { taken, known } = self.restored;
        Summary { lines: self.lines, turns_taken: taken, turns_known: known }
    }
}
