//! However the requests of conversations that go on differently after the same beginning follow each other, none of them is ever
//! told to have lost what only another one said.

use std::cell::Cell;
use std::collections::HashMap;

use chrono::DateTime;
use mainpoint_store::{ConversationAppend, SaidTurn, Scope, Store, TurnId, TurnKind};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{Published, conversation_id, id, open, published, scope};

/// So many interleavings are tried in every run of the tests.
const INTERLEAVINGS: u32 = 500;
/// So many are tried for the figure that is published.
const PUBLISHED_INTERLEAVINGS: u32 = 100_000;
/// What is said in all conversations alike, and tells none of them.
const COMMONPLACES: u64 = 3;

/// What is said next.
#[derive(Debug, Clone)]
struct Step {
    /// Which of the forks goes on.
    fork: u64,
    /// The turn is a commonplace, one of so many.
    commonplace: Option<u64>,
    /// The client sends only so many of the newest turns.
    window: Option<usize>,
}

fn some_step() -> impl Strategy<Value = Step> {
    let commonplace = prop::option::weighted(0.3, 0..COMMONPLACES);
    (0..3_u64, commonplace, prop::option::of(5..9_usize)).prop_map(|(fork, commonplace, window)| Step {
        fork,
        commonplace,
        window,
    })
}

/// Conversations of one scope that begin alike.
struct Forks<'a> {
    store: &'a Store,
    scope: Scope,
    shared: Vec<TurnId>,
    /// What each of them said after the beginning, with how much each turn tells.
    own: HashMap<u64, Vec<(TurnId, TurnKind)>>,
    begun: u64,
}

impl Forks<'_> {
    /// One more turn of a fork. Returns the turns that the request is told to have lost and that its conversation never had.
    async fn go_on(&mut self, step: &Step) -> Vec<TurnId> {
        let own = self.own.entry(step.fork).or_default();
        // Two commonplaces never follow each other, so that every window has words of its own.
        let after_commonplace = own.last().is_some_and(|(_, kind)| *kind == TurnKind::Said);
        let turn = match step.commonplace.filter(|_| !after_commonplace && !own.is_empty()) {
            Some(commonplace) => (id(commonplace), TurnKind::Said),
            None => (id(1000 + step.fork * 100 + own.len() as u64), TurnKind::TellingAnswer),
        };
        own.push(turn);
        let is_first = own.len() == 1;
        let path: Vec<(TurnId, TurnKind)> =
            self.shared.iter().map(|turn| (*turn, TurnKind::TellingAnswer)).chain(own.iter().copied()).collect();
        let begin = step.window.filter(|_| !is_first).map_or(0, |window| path.len().saturating_sub(window));
        let (turns, kinds): (Vec<TurnId>, Vec<TurnKind>) = path[begin..].iter().copied().unzip();

        let matched =
            self.store.match_conversation(&self.scope, turns.clone(), kinds, None, |_, _| false).await.unwrap();
        self.begun += 1;
        let new = &turns[matched.known..];
        let said = ConversationAppend {
            scope: self.scope.clone(),
            after: matched.tip,
            fresh: conversation_id(1_000_000 + self.begun),
            turns: new.iter().map(|turn| SaidTurn { turn: *turn, time: DateTime::UNIX_EPOCH }).collect(),
            plain: Vec::new(),
        };
        self.store.accept_said(Vec::new(), vec![said]).await.unwrap();
        matched.lost.into_iter().filter(|lost| !path.iter().any(|(turn, _)| turn == lost)).collect()
    }
}

#[test]
fn however_the_requests_of_forks_follow_each_other_none_has_lost_what_only_another_one_said() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = runtime.block_on(open(directory.path()));
    let cases = published().map_or(INTERLEAVINGS, |_| PUBLISHED_INTERLEAVINGS);
    let (tried, lost) = (Cell::new(0_u32), Cell::new(0_u32));
    let interleaving = (1..4_u64, prop::collection::vec(some_step(), 2..12));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&interleaving, |(shared, steps)| {
            tried.set(tried.get() + 1);
            let scope = scope(&format!("case-{}", tried.get()));
            let shared = (0..shared).map(|number| id(500 + number)).collect();
            let mut forks = Forks { store: &store, scope, shared, own: HashMap::new(), begun: 0 };
            for step in &steps {
                let leaked = runtime.block_on(forks.go_on(step));
                prop_assert!(leaked.is_empty(), "{leaked:?} of other forks at {step:?}");
            }
            // The test would hold of a store that never finds anything; that one does is seen by what windows have lost.
            let whole: Vec<TurnId> = forks.shared.clone();
            for own in forks.own.values().filter(|own| own.len() >= 6) {
                let newest: Vec<(TurnId, TurnKind)> = own[own.len() - 5..].to_vec();
                let (turns, kinds) = newest.into_iter().unzip();
                let matched =
                    runtime.block_on(store.match_conversation(&forks.scope, turns, kinds, None, |_, _| false)).unwrap();
                lost.set(lost.get() + u32::from(whole.iter().all(|turn| matched.lost.contains(turn))));
            }
            Ok(())
        })
        .unwrap();
    assert!(lost.get() > cases / 20, "only {} windows were told what they had lost", lost.get());
    if let Some(directory) = published() {
        let published = Published { bench: "isolation", arm: "mainpoint, forks" };
        published.write(&directory, &[("cases", cases), ("leaks", 0)]);
    }
}
