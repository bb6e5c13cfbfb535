//! What a request becomes when something is late, full, contested or too long, tried with a memory without model and disk.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::Mutex;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::fake::FakeMemory;
use super::super::injections::EvictionRecord;
use super::super::laws::{preparation, preparation_counting};
use super::*;
use crate::config::Config;
use crate::conversation::prepare::Preparation;
use crate::memory::{RecalledTurn, turns};
use crate::openai::recall_tool::DEFINITION;

/// A conversation that is over the budget, and a planner for it. A token is a word.
struct Case {
    planner: Planner<FakeMemory>,
    body: Bytes,
    _directory: tempfile::TempDir,
}

impl Case {
    fn new(memory: FakeMemory) -> Self {
        let (preparation, directory) = preparation();
        Self::counting(memory, preparation, directory)
    }

    fn counting(memory: FakeMemory, preparation: Preparation, directory: tempfile::TempDir) -> Self {
        let mut config = Config::defaults();
        config.memory.budget_tokens = 300;
        config.memory.memory_tokens = 100;
        config.memory.digest_tokens = 0;
        let said = |index: usize| {
            let role = if index.is_multiple_of(2) { "user" } else { "assistant" };
            json!({"role": role, "content": format!("turn {index} {}", "word ".repeat(30))})
        };
        let mut messages: Vec<Value> = (0..16).map(said).collect();
        messages.push(json!({"role": "user", "content": "and where is the harbour?"}));
        Self {
            planner: Planner::new(memory, preparation, &config),
            body: json!({"model": "m", "messages": messages}).to_string().into(),
            _directory: directory,
        }
    }

    async fn plan(&self, mode: Mode) -> Plan {
        let context = RequestContext {
            surface: Surface::ChatCompletions,
            mode,
            headers: &HeaderMap::new(),
            time: DateTime::UNIX_EPOCH,
        };
        Plan::new(&self.planner, context, self.body.clone()).await
    }

    fn entries(&self) -> usize {
        self.planner.memory.entries()
    }
}

/// Turns of `words` words each that are recalled for every question.
fn recalled(count: u8, words: usize) -> Vec<RecalledTurn> {
    let recall = |number: u8| {
        let time = DateTime::UNIX_EPOCH - TimeDelta::days(i64::from(number));
        let said = turns::turn(u32::from(number), &format!("memory{number} {}", "said ".repeat(words)));
        RecalledTurn { score: 1.0 / f32::from(number), ..turns::recalled(Turn { time, ..said }) }
    };
    (1..=count).map(recall).collect()
}

/// What another request wrote to the ledger: an eviction whose digest begins with this line.
fn eviction(line: usize) -> Vec<u8> {
    let record = EvictionRecord { lines: vec![format!("line {line}")], held: Vec::new() };
    serde_json::to_vec(&record).unwrap()
}

#[tokio::test]
async fn a_prompt_over_its_budget_is_rewritten_and_the_ledger_says_so() {
    let case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, Outcome::Rewritten, "{:?}", plan.receipt);
    assert!(String::from_utf8_lossy(&plan.body).contains("memory1 said"));
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
    assert_eq!(case.entries(), 2, "an eviction and a block");
}

#[tokio::test]
async fn a_rewritten_prompt_offers_the_tool_within_its_budget_and_a_call_is_answered_whatever_fails() {
    let mut case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    case.planner.config.tools = true;
    let plan = case.plan(Mode::On).await;
    assert!(String::from_utf8_lossy(&plan.body).contains(DEFINITION));
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
    let way_back = plan.way_back.unwrap();
    let found = way_back.recall(&case.planner, "where?", 1).await;
    assert!(found.text().contains("user: memory1 said") && found.sources.len() == 1, "{}", found.text());
    assert!(case.plan(Mode::Shadow).await.way_back.is_none());
    case.planner.memory.is_stuck = true;
    case.planner.config.deadline = Duration::from_millis(20);
    let found = way_back.recall(&case.planner, "where?", 1).await;
    assert_eq!((found.text(), found.sources.len()), ("Nothing was found.", 0));
}

#[tokio::test]
async fn a_prompt_that_is_only_watched_leaves_nothing_in_the_ledger() {
    let case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let plan = case.plan(Mode::Shadow).await;
    assert_eq!((plan.outcome, &plan.body), (Outcome::Passthrough, &case.body));
    assert!(plan.receipt.tokens_would_forward.unwrap() <= 300);
    assert_eq!(case.entries(), 0);
}

#[tokio::test]
async fn a_memory_that_is_late_leaves_the_original_bytes_and_nothing_in_the_ledger() {
    let mut case = Case::new(FakeMemory { is_stuck: true, ..FakeMemory::default() });
    case.planner.config.deadline = Duration::from_secs(2);
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (Outcome::FailedOpen, &case.body));
    assert_eq!(plan.receipt.failure, Some("deadline"));
    assert_eq!(plan.intake.len(), 17, "the turns are stored all the same");
    assert_eq!(case.entries(), 0);
}

#[tokio::test]
async fn why_turns_are_not_stored_is_said_in_the_receipt_and_changes_nothing_else() {
    for refusal in ["backlog_full", "store_journal_down", "journal_busy"] {
        let case = Case::new(FakeMemory { refusal: Some(refusal), ..FakeMemory::default() });
        let plan = case.plan(Mode::On).await;
        assert_eq!(plan.receipt.not_stored, Some(refusal));
        assert_eq!(plan.outcome, Outcome::Rewritten);
    }
}

#[tokio::test]
async fn of_two_requests_that_overtake_each_other_the_first_in_the_ledger_holds_for_both() {
    let case = Case::new(FakeMemory { rivals: Mutex::new(vec![eviction(1)]), ..FakeMemory::default() });
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, Outcome::Rewritten, "{:?}", plan.receipt);
    assert!(String::from_utf8_lossy(&plan.body).contains("line 1"), "the other's digest");
    assert!(!plan.evicts, "the other request made it");
}

#[tokio::test]
async fn a_request_that_is_overtaken_every_time_is_forwarded_as_it_came() {
    let case = Case::new(FakeMemory {
        // The ledger holds nonsense, which counts as missing, so that every attempt writes again and is overtaken again.
        rivals: Mutex::new((0..16).map(|_| b"nonsense".to_vec()).collect()),
        ..FakeMemory::default()
    });
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (Outcome::FailedOpen, &case.body));
    assert_eq!(plan.receipt.failure, Some("contention"));
    assert_eq!(case.planner.memory.rivals.lock().unwrap().len(), 12, "after four attempts it gives up");
}

#[tokio::test]
async fn memories_that_cost_more_at_their_place_than_alone_leave_the_weakest_first() {
    let memory = || FakeMemory { recalled: recalled(4, 18), ..FakeMemory::default() };
    let memories = |plan: &Plan| plan.receipt.memories.len();
    let alone = Case::new(memory()).plan(Mode::On).await;
    let (dearer, directory) = preparation_counting(|text| {
        let words = text.split_whitespace().count();
        let is_at_its_place = text.contains("harbour") && text.contains("memory1");
        if is_at_its_place { words + 120 } else { words }
    });
    let case = Case::counting(memory(), dearer, directory);
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, Outcome::Rewritten, "{:?}", plan.receipt);
    assert!(memories(&plan) < memories(&alone), "{} of {}", memories(&plan), memories(&alone));
    let best = plan.receipt.memories.iter().map(|memory| memory.turn).collect::<Vec<_>>();
    assert!(best.is_empty() || best.contains(&turns::id(1)), "the best one is the last to go");
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
}
