//! Everything that a scope holds, line by line.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, stream};
use mainpoint_store::{
    ConversationId, Outline, OutlinedConversation, Scope, Store, StoreError, Turn, TurnId, TurnPlace,
};

use super::line::ArchivedTurn;

/// Turns that are read together, so that few long ones are in memory at once.
const PIECE: usize = 64;

/// A turn at a place, and where its conversation begins, if this is the first that a branch has behind that.
#[derive(Debug, Clone, Copy)]
struct Outlined {
    turn: TurnId,
    place: TurnPlace,
    origin: Option<TurnPlace>,
    /// What was said, if the turn has more around that and it was said plainly later.
    plain: Option<TurnId>,
    /// When it was said there, if that is not when it was first seen.
    time: Option<DateTime<Utc>>,
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
            let ids: Vec<TurnId> = piece.iter().flat_map(|one| std::iter::once(one.turn).chain(one.plain)).collect();
            let turns = store.turns_as_they_came(&scope, &ids).await?;
            let turns: HashMap<TurnId, Turn> = turns.into_iter().map(|turn| (turn.id, turn)).collect();
            let line = |outlined: &Outlined| {
                let turn = turns.get(&outlined.turn)?;
                let time = Some(outlined.time.unwrap_or(turn.time));
                let plain = outlined.plain.and_then(|plain| turns.get(&plain)).map(|plain| plain.text.clone());
                let plain = plain.filter(|plain| *plain != turn.text);
                Some(ArchivedTurn { time, plain, ..ArchivedTurn::new(turn, outlined.place, outlined.origin) })
            };
            Ok(piece.iter().filter_map(line).collect())
        }
    }))
}

fn outlined(outline: &Outline) -> Vec<Outlined> {
    let of = |(conversation, of): (ConversationId, &OutlinedConversation)| {
        let is_behind = |origin: TurnPlace| of.turns.iter().position(|(position, _)| *position > origin.position);
        let first = of.origin.and_then(is_behind);
        let turns = of.turns.iter().enumerate().map(|(index, (position, turn))| {
            let place = TurnPlace { conversation, position: *position };
            let sent_as = outline.sent_as(place, *turn);
            Outlined {
                turn: sent_as.unwrap_or(*turn),
                place,
                origin: of.origin.filter(|_| first == Some(index)),
                plain: sent_as.map(|_| *turn),
                time: outline.time_at(place, *turn),
            }
        });
        turns.collect::<Vec<_>>()
    };
    outline.conversations().flat_map(of).collect()
}
