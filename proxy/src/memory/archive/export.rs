//! Everything that a scope holds, line by line.
//!
//! It must not know where the lines go.

use std::collections::HashMap;

use futures::{Stream, StreamExt, stream};
use mainpoint_store::{Outline, OutlinedConversation, Scope, Store, StoreError, Turn, TurnId, TurnPlace};

use super::line::ArchivedTurn;

/// Turns that are read together.
const PIECE: usize = 256;

/// A turn at a place, and where its conversation begins, if this is the first that a branch has behind that.
#[derive(Debug, Clone, Copy)]
struct Outlined {
    turn: TurnId,
    place: TurnPlace,
    origin: Option<TurnPlace>,
}

/// Every turn at every place that it has now, conversation by conversation, in pieces.
pub(super) async fn lines(
    store: Store,
    scope: Scope,
) -> Result<impl Stream<Item = Result<Vec<ArchivedTurn>, StoreError>> + Send, StoreError> {
    let outlined = outlined(&store.outline(&scope).await?);
    let pieces: Vec<Vec<Outlined>> = outlined.chunks(PIECE).map(<[Outlined]>::to_vec).collect();
    Ok(stream::iter(pieces).then(move |piece| {
        let (store, scope) = (store.clone(), scope.clone());
        async move {
            let ids: Vec<TurnId> = piece.iter().map(|outlined| outlined.turn).collect();
            let turns = store.turns(&scope, &ids).await?;
            let turns: HashMap<TurnId, Turn> = turns.into_iter().map(|turn| (turn.id, turn)).collect();
            let line = |outlined: &Outlined| {
                Some(ArchivedTurn::new(turns.get(&outlined.turn)?, outlined.place, outlined.origin))
            };
            Ok(piece.iter().filter_map(line).collect())
        }
    }))
}

fn outlined(outline: &Outline) -> Vec<Outlined> {
    let of = |(conversation, of): (TurnId, &OutlinedConversation)| {
        let is_behind = |origin: TurnPlace| of.turns.iter().position(|(position, _)| *position > origin.position);
        let first = of.origin.and_then(is_behind);
        let turns = of.turns.iter().enumerate().map(|(index, (position, turn))| Outlined {
            turn: *turn,
            place: TurnPlace { conversation, position: *position },
            origin: of.origin.filter(|_| first == Some(index)),
        });
        turns.collect::<Vec<_>>()
    };
    outline.conversations().flat_map(of).collect()
}
