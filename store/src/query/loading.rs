//! Loading the turns of a scope into memory.
//!
//! Responsible for: reading which are stored, until nothing was deleted meanwhile. Must not know: what they are needed for.

use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{columns, filter, tables};
use crate::records::Scope;
use crate::state::Shared;
use crate::state::turn_index::FoundTurn;

/// Makes sure that the ids stored in a scope are in memory.
pub(crate) async fn load_scope(shared: &Shared, scope: &Scope) -> Result<(), StoreError> {
    loop {
        let Some(generation) = shared.turn_index().begin_load(scope) else {
            return Ok(());
        };
        let mut turns = Vec::new();
        {
            let _reading = shared.gate.read().await;
            let filter = filter::of_scope(scope);
            let columns = [column::ID, column::CONVERSATION];
            for batch in tables::rows(&shared.tables().turns, filter, &columns, None).await? {
                let conversations = columns::identifiers_from(&batch, column::CONVERSATION)?;
                let places = conversations.into_iter().zip(columns::row_ids(&batch)?);
                let found = columns::identifiers_from(&batch, column::ID)?.into_iter().zip(places);
                turns.extend(found.map(|(id, (conversation, row))| FoundTurn { id, conversation, row: *row }));
            }
        }
        if shared.turn_index().load(scope, generation, turns) {
            return Ok(());
        }
    }
}
