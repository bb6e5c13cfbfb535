//! What a scope holds, conversation by conversation and turn by turn: to be listed, moved elsewhere, or deleted.

mod export;
mod line;
mod listing;
mod restorer;
mod said;
mod times;

use std::ops::Range;

use chrono::{DateTime, Utc};
use futures::Stream;
use mainpoint_store::{ConversationId, Outline, Scope, Store, StoreError, TurnId, TurnPlace, Within};
use serde::Serialize;

use super::topics::{self, Topics, TopicsWanted};
use crate::error::MemoryError;

pub(crate) use line::{ArchivedTurn, LineError};
pub(crate) use listing::{
    ConversationCursor, ListedConversation, ListedScope, ListedTurn, Page, Surroundings, TurnCursor, TurnDetails,
};
pub(crate) use restorer::Restorer;
use said::SaidTimes;
pub(crate) use times::{ALLOWED_TIME, time};

/// The memory of one scope.
pub(crate) struct Archive<'a> {
    store: &'a Store,
    scope: &'a Scope,
}

/// What is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forget {
    /// A turn.
    Turn(TurnId),
    /// A conversation with its branches.
    Conversation(ConversationId),
    /// What was said last before this.
    Before(DateTime<Utc>),
    /// All of it.
    Everything,
}

/// How much of a conversation is read around a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Most turns before it.
    pub(crate) before: usize,
    /// Most turns after it.
    pub(crate) after: usize,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ArchiveStats {
    /// Turns, read or not.
    pub(crate) turns: usize,
    /// Conversations and branches.
    pub(crate) conversations: usize,
    /// Turns that wait to be read.
    pub(crate) turns_waiting: usize,
    /// Bytes of the whole store, all callers together; only for who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_on_disk: Option<u64>,
}

impl<'a> Archive<'a> {
    /// That of `scope`.
    pub(crate) fn new(store: &'a Store, scope: &'a Scope) -> Self {
        Self { store, scope }
    }

    /// At most `limit` conversations, those that began last first, behind the place `after`.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn conversations(
        &self,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> Result<Page<ListedConversation>, StoreError> {
        let outline = self.store.outline(self.scope).await?;
        let page = ConversationCursor::page(self.begun(&outline).await?, after, limit);
        let names = page.data.iter().map(|place| place.conversation);
        let lines: Vec<_> = names.map(|name| (name, outline.line(name))).collect();
        let ends = lines.iter().flat_map(|(_, line)| line.first().into_iter().chain(line.last()));
        let ends: Vec<(TurnPlace, TurnId)> = ends.copied().collect();
        let times = SaidTimes::of(self.store, self.scope, &outline, &ends).await?;
        let ends: Vec<TurnId> = ends.iter().map(|(_, turn)| *turn).collect();
        let turns = self.store.turns_as_they_came(self.scope, &ends).await?;
        let listed = lines.iter().filter_map(|(name, line)| {
            let origin = outline.conversation(*name)?.origin;
            let ends = [line.first()?, line.last()?].map(|(place, id)| {
                let turn = turns.iter().find(|turn| turn.id == *id)?;
                Some((turn, times.at(*place, turn)))
            });
            let [Some(first), Some(last)] = ends else { return None };
            Some(ListedConversation::new(*name, line.len(), [first, last], origin))
        });
        Ok(Page { data: listed.collect(), next: page.next.map(|place| place.to_string()) })
    }

    /// When each conversation began.
    async fn begun(&self, outline: &Outline) -> Result<Vec<ConversationCursor>, StoreError> {
        let firsts: Vec<_> =
            outline.conversations().filter_map(|(name, _)| Some((name, outline.first(name)?))).collect();
        let sent = |place, turn| outline.sent_as(place, turn).unwrap_or(turn);
        let turns: Vec<TurnId> = firsts.iter().map(|(_, (place, turn))| sent(*place, *turn)).collect();
        let seen = self.store.first_seen(self.scope, &turns).await?;
        let begun = firsts.into_iter().filter_map(|(name, (place, turn))| {
            let time = outline.time_at(place, turn).or_else(|| seen.get(&sent(place, turn)).copied())?;
            Some(ConversationCursor::new(time, name))
        });
        Ok(begun.collect())
    }

    /// At most `limit` turns of a conversation, fewer of long ones, oldest first, behind the place `after`, those before the place where
    /// it branched off included; `None` if there is no such conversation.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn turns(
        &self,
        conversation: ConversationId,
        after: Option<TurnCursor>,
        limit: usize,
    ) -> Result<Option<Page<ListedTurn>>, StoreError> {
        let outline = self.store.outline(self.scope).await?;
        let line = outline.line(conversation);
        if line.is_empty() {
            return Ok(None);
        }
        let from = after.map_or(0, |after| after.place_behind(&line));
        let mut page = Page::of(line.into_iter().skip(from), limit);
        let (mut data, mut bytes) = (Vec::new(), 0);
        let mut pieces = page.data.chunks(PIECE);
        while bytes < PAGE_BYTES
            && let Some(piece) = pieces.next()
        {
            let listed = self.listed(&outline, piece).await?;
            bytes += listed.iter().map(|turn| turn.text.len()).sum::<usize>();
            data.extend(listed);
            if bytes >= PAGE_BYTES && pieces.len() > 0 {
                page.next = piece.last().copied();
            }
        }
        let next = page.next.map(|(place, turn)| TurnCursor { position: place.position, turn }.to_string());
        Ok(Some(Page { data, next }))
    }

    /// A turn, and what was said before and after it in `conversation`, or without one in the first that it stands in, oldest first;
    /// `None` if it does not stand there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn around(
        &self,
        id: TurnId,
        conversation: Option<ConversationId>,
        window: Window,
    ) -> Result<Option<Surroundings>, StoreError> {
        let outline = self.store.outline(self.scope).await?;
        let first = || outline.places(id).first().map(|place| place.conversation);
        let Some(conversation) = conversation.or_else(first) else {
            return Ok(None);
        };
        let line = outline.line(conversation);
        let is_it = |(place, turn): &(TurnPlace, TurnId)| *turn == id || outline.sent_as(*place, *turn) == Some(id);
        let Some(at) = line.iter().position(is_it) else {
            return Ok(None);
        };
        let range = window.range(at, line.len());
        let (earlier, later) = (range.start, line.len() - range.end);
        let data = self.listed(&outline, line.get(range).unwrap_or_default()).await?;
        Ok(Some(Surroundings { conversation, data, earlier, later }))
    }

    /// Turns at their places, as they are shown. Those that are deleted meanwhile are left out.
    async fn listed(&self, outline: &Outline, line: &[(TurnPlace, TurnId)]) -> Result<Vec<ListedTurn>, StoreError> {
        let ids: Vec<TurnId> = line.iter().map(|(_, turn)| *turn).collect();
        let turns = self.store.turns_as_they_came(self.scope, &ids).await?;
        let read = self.store.read_or_unreadable(self.scope, &ids).await?;
        let times = SaidTimes::of(self.store, self.scope, outline, line).await?;
        let listed = line.iter().filter_map(|(place, id)| {
            let turn = turns.iter().find(|turn| turn.id == *id)?;
            let (time, sent_as) = (times.at(*place, turn), outline.sent_as(*place, *id));
            Some(ListedTurn { time, sent_as, ..ListedTurn::new(turn, *place, read.contains(id)) })
        });
        Ok(listed.collect())
    }

    /// A turn with its main point and every place where it stands; `None` if there is no such turn. One that was sent
    /// with more around what was said plainly later is found by its own name alone.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn turn(&self, id: TurnId) -> Result<Option<TurnDetails>, StoreError> {
        let outline = self.store.outline(self.scope).await?;
        let sent = outline.every_sent_as(id);
        let turns: Vec<TurnId> = std::iter::once(id).chain(sent).collect();
        let turns = self.store.turns(self.scope, &turns).await?;
        let (Some(turn), Some(time)) =
            (turns.iter().find(|turn| turn.id == id), turns.iter().map(|turn| turn.time).max())
        else {
            return Ok(None);
        };
        let is_read = self.store.read_or_unreadable(self.scope, &[id]).await?.contains(&id);
        let points = self.store.points(self.scope, &Within::Turns(vec![id]), MOST_PASSAGES).await?;
        let places = outline.places(id);
        let own = TurnPlace { conversation: turn.conversation, position: turn.position };
        let place = places.first().copied().unwrap_or(own);
        let sent_as = outline.sent_as(place, id);
        let listed = ListedTurn { time, sent_as, ..ListedTurn::new(turn, place, is_read) };
        Ok(Some(TurnDetails::new(listed, &points, &places)))
    }

    /// What it is about now.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn topics(&self, wanted: TopicsWanted) -> Result<Topics, MemoryError> {
        topics::find(self.store, self.scope, wanted).await
    }

    /// Every turn at every place, in pieces, conversation by conversation. Turns that are deleted meanwhile are left out.
    ///
    /// # Errors
    /// When the store fails; the stream ends with its failure.
    pub(crate) async fn lines(
        &self,
    ) -> Result<impl Stream<Item = Result<Vec<ArchivedTurn>, StoreError>> + Send + use<>, StoreError> {
        export::lines(self.store.clone(), self.scope.clone()).await
    }

    /// Deletes, and returns which turns were there. Only for who tells the backlog, or where none runs.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn delete(&self, what: Forget) -> Result<Vec<TurnId>, StoreError> {
        match what {
            Forget::Turn(id) => self.store.delete_turns(self.scope, vec![id]).await,
            Forget::Conversation(id) => self.store.delete_conversation(self.scope, id).await,
            Forget::Before(time) => self.store.delete_before(self.scope, time).await,
            Forget::Everything => self.store.delete_scope(self.scope).await,
        }
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn stats(&self) -> Result<ArchiveStats, StoreError> {
        let counts = self.store.counts(self.scope).await?;
        Ok(ArchiveStats {
            turns: counts.turns,
            conversations: self.store.outline(self.scope).await?.len(),
            turns_waiting: counts.waiting,
            bytes_on_disk: None,
        })
    }

    /// The same, with what the whole store takes on the disk.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn stats_with_store(&self) -> Result<ArchiveStats, StoreError> {
        let bytes_on_disk = Some(self.store.bytes_on_disk().await?);
        Ok(ArchiveStats { bytes_on_disk, ..self.stats().await? })
    }
}

/// Turns of a page that are read together.
const PIECE: usize = 100;
/// A page ends when it has so many bytes of text.
const PAGE_BYTES: usize = 8 << 20;
/// Most passages of one turn whose main points are shown.
const MOST_PASSAGES: usize = 10_000;

impl Window {
    /// What is read of a line of `length` turns around the one at `at`.
    fn range(self, at: usize, length: usize) -> Range<usize> {
        let end = at.saturating_add(self.after).saturating_add(1).min(length);
        at.saturating_sub(self.before).min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_holds_its_turn_and_no_more_than_it_may_on_each_side(
            length in 1..50_usize, place in 0..50_usize, before in 0..60_usize, after in prop_oneof![0..60_usize, Just(usize::MAX)],
        ) {
            let at = place % length;
            let range = Window { before, after }.range(at, length);
            prop_assert!(range.contains(&at) && range.end <= length);
            prop_assert_eq!(at - range.start, before.min(at));
            prop_assert_eq!(range.end - 1 - at, after.min(length - 1 - at));
        }
    }
}
