//! How much a scope and all its parts hold.
//!
//! Responsible for: counting turns and their texts over the journal and LanceDB together, in one pass over what belongs there.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use super::lookup;
use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{columns, filter};
use crate::records::{Scope, ScopeSize, TurnId};
use crate::state::Shared;

/// What a scope holds, and all whose names go on from it with a dot.
pub(crate) async fn find(shared: &Arc<Shared>, whole: &Scope) -> Result<ScopeSize, StoreError> {
    let failed = || StoreError::lance("measure a scope");
    // A turn that leaves the journal after this is in LanceDB by then.
    let mut pending = shared.turn_index().pending_scopes();
    pending.retain(|scope| scope.is_part_of(whole));
    let (mut size, mut known) = (ScopeSize::default(), HashSet::new());
    for scope in pending {
        for (id, turn) in lookup::pending_turns(shared, &scope, None).await? {
            size.add(turn.text.len());
            known.insert((scope.as_str().to_owned(), id));
        }
    }
    let _reading = shared.gate.read().await;
    let wanted = Select::columns(&[column::SCOPE, column::ID, column::TEXT]);
    let query = shared.tables().turns.query().only_if_expr(filter::of_parts(whole)).select(wanted);
    let mut stream = query.execute().await.map_err(failed())?;
    while let Some(batch) = stream.try_next().await.map_err(failed())? {
        let ids: Vec<TurnId> = columns::identifiers_from(&batch, column::ID)?;
        let texts = columns::strings(&batch, column::SCOPE)?.iter().zip(columns::strings(&batch, column::TEXT)?.iter());
        for (id, (scope, text)) in ids.into_iter().zip(texts) {
            if known.is_empty() || !known.contains(&(scope.unwrap_or_default().to_owned(), id)) {
                size.add(text.map_or(0, str::len));
            }
        }
    }
    Ok(size)
}
