//! What a request becomes when something is late, full, contested or too long, tried with a memory without model and disk.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::Mutex;

use chrono::TimeDelta;
use http::HeaderMap;
use mainpoint_store::{ConversationMatch, ReplacedTurn, Turn};
use serde_json::{Value, json};

use super::super::fake_memory_for_tests::{FakeMemory, MASK, SECRET};
use super::super::law_tests::{preparer, preparer_counting};
use super::super::provider_cache::{CacheState, ProviderCache};
use super::*;
use crate::config::Config;
use crate::conversation::request_preparer::RequestPreparer;
use crate::http::identity::Identity;
use crate::memory::{RecalledTurn, turns_for_tests as turns};
use crate::openai::recall_tool::ToolReach;

#[path = "clock_tests.rs"]
mod clock;
#[path = "lead_up_tests.rs"]
mod lead_up;
#[path = "shortening_tests.rs"]
mod shortening;
#[path = "wrapped_tests.rs"]
mod wrapped;

/// A conversation that is over the budget, and a planner for it. A token is a word.
struct Case {
    planner: Planner<FakeMemory>,
    body: Bytes,
    reach: RecallReach,
    storing: Option<Storing>,
    _directory: tempfile::TempDir,
}

impl Case {
    fn new(memory: FakeMemory) -> Self {
        let (preparer, directory) = preparer();
        Self::counting(memory, preparer, directory)
    }

    fn counting(memory: FakeMemory, preparer: RequestPreparer, directory: tempfile::TempDir) -> Self {
        let mut config = Config::defaults();
        config.memory.budget_tokens = 300;
        config.memory.memory_tokens = 100;
        let mut messages = said(16);
        messages.push(json!({"role": "user", "content": "and where is the harbour?"}));
        let planner = Planner::new(memory, preparer, &config);
        Self {
            planner,
            body: request(&messages),
            reach: RecallReach::Conversation,
            storing: None,
            _directory: directory,
        }
    }

    async fn plan(&self, mode: Mode) -> Plan {
        self.plan_at(mode, DateTime::UNIX_EPOCH).await
    }

    async fn plan_at(&self, mode: Mode, time: DateTime<Utc>) -> Plan {
        self.plan_with(mode, time, &Deadline::after(self.planner.config.deadline)).await
    }

    async fn plan_until(&self, deadline: &Deadline) -> Plan {
        self.plan_with(Mode::On, DateTime::UNIX_EPOCH, deadline).await
    }

    async fn plan_with(&self, mode: Mode, time: DateTime<Utc>, deadline: &Deadline) -> Plan {
        let sender = Sender { headers: &HeaderMap::new(), identity: &Identity::of_headers() };
        let context = RequestContext {
            surface: Surface::ChatCompletions,
            mode,
            reach: self.reach,
            storing: self.storing,
            sender,
            time,
        };
        self.planner.plan(context, self.body.clone(), deadline).await
    }

    /// Has answers say that the prompt has `ratio` times the tokens that we count.
    async fn teach(&self, ratio: f64) {
        for _ in 0..3 {
            let plan = self.plan(Mode::Shadow).await;
            let counted = plan.receipt.tokens_in.unwrap() as f64 / plan.receipt.token_factor.unwrap_or(1.0);
            self.planner.preparer.counter.learn(&plan.estimated.unwrap(), (counted * ratio) as u64);
        }
    }

    fn entries(&self) -> usize {
        self.planner.memory.entries()
    }
}

/// So many turns of a conversation, the user's and the assistant's by turns.
fn said(turns: usize) -> Vec<Value> {
    let turn = |index: usize| {
        let role = if index.is_multiple_of(2) { "user" } else { "assistant" };
        json!({"role": role, "content": format!("turn {index} {}", "word ".repeat(30))})
    };
    (0..turns).map(turn).collect()
}

fn request(messages: &[Value]) -> Bytes {
    json!({"model": "m", "messages": messages}).to_string().into()
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

#[tokio::test]
async fn a_prompt_over_its_budget_is_rewritten_and_the_ledger_says_so() {
    let case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, PlanOutcome::Rewritten, "{:?}", plan.receipt);
    assert!(String::from_utf8_lossy(&plan.body).contains("memory1 said"));
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
    assert_eq!(case.entries(), 2, "an eviction and a block");
    assert_eq!((plan.reason, plan.receipt.over_budget, plan.receipt.unread_turns), (None, false, 0));
}

#[tokio::test]
async fn a_prompt_over_its_budget_of_which_nothing_has_been_read_passes_and_says_why() {
    let case = Case::new(FakeMemory { has_read_nothing: true, ..FakeMemory::default() });
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::Passthrough, &case.body));
    assert_eq!(plan.reason, Some(Reason::UnreadTurns));
    assert!(plan.receipt.over_budget);
    assert_eq!(plan.receipt.unread_turns, 16, "all but the question, which stays in any case");
}

#[tokio::test]
async fn a_prompt_that_nothing_may_leave_is_over_its_budget_without_turns_to_be_read() {
    let mut case = Case::new(FakeMemory { has_read_nothing: true, ..FakeMemory::default() });
    let only = json!({"role": "user", "content": "word ".repeat(400)});
    case.body = json!({"model": "m", "messages": [only]}).to_string().into();
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, plan.reason), (PlanOutcome::Passthrough, None));
    assert_eq!((plan.receipt.over_budget, plan.receipt.unread_turns), (true, 0));
}

#[tokio::test]
async fn a_rewritten_prompt_offers_the_tool_within_its_budget_and_a_call_is_answered_whatever_fails() {
    let mut case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    case.planner.config.tools = true;
    let plan = case.plan(Mode::On).await;
    assert!(String::from_utf8_lossy(&plan.body).contains(ToolReach::Conversation.definition()));
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
    let recall_tool_context = plan.recall_tool_context.unwrap();
    let found = recall_tool_context.recall(&case.planner, "where?", 1).await;
    assert!(found.text().contains("user: memory1 said") && found.sources.len() == 1, "{}", found.text());
    assert!(case.plan(Mode::Shadow).await.recall_tool_context.is_none());
    let found = recall_tool_context.recall(&case.planner, "where?", 1000).await;
    assert!(found.text().starts_with("What was found is too long") && found.sources.is_empty(), "{}", found.text());
    case.planner.memory.is_stuck = true;
    case.planner.config.deadline = Duration::from_millis(20);
    let found = recall_tool_context.recall(&case.planner, "where?", 1).await;
    assert_eq!((found.text(), found.sources.len()), ("Nothing was found.", 0));
}

#[tokio::test]
async fn a_prompt_that_is_only_watched_leaves_nothing_in_the_ledger() {
    let case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let plan = case.plan(Mode::Shadow).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::Passthrough, &case.body));
    assert!(plan.receipt.tokens_would_forward.unwrap() <= 300);
    assert_eq!(case.entries(), 0);
}

#[tokio::test]
async fn a_request_whose_time_went_before_it_was_planned_is_forwarded_as_it_came() {
    let case = Case::new(FakeMemory { is_stuck: true, ..FakeMemory::default() });
    let plan = case.plan_until(&Deadline::after(Duration::ZERO)).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::FailedOpen, &case.body));
    assert_eq!(plan.receipt.failure, Some("deadline"));
}

#[tokio::test]
async fn what_the_tool_says_it_searches_is_what_is_recalled_from() {
    let mut case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    case.planner.config.tools = true;
    case.reach = RecallReach::Caller;
    let plan = case.plan(Mode::On).await;
    assert!(String::from_utf8_lossy(&plan.body).contains(ToolReach::AllConversations.definition()));
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
}

#[tokio::test]
async fn a_memory_that_is_late_leaves_the_original_bytes_and_nothing_in_the_ledger() {
    let mut case = Case::new(FakeMemory { is_stuck: true, ..FakeMemory::default() });
    case.planner.config.deadline = Duration::from_secs(2);
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::FailedOpen, &case.body));
    assert_eq!(plan.receipt.failure, Some("deadline"));
    assert_eq!(plan.intake.turns.len(), 17, "the turns are stored all the same");
    assert_eq!(case.entries(), 0);
}

/// A conversation of which turns left down to a quarter of the budget, and which has grown to half of it since. Its provider keeps
/// prompts for five minutes.
async fn half_full() -> Case {
    let mut case = Case::new(FakeMemory::default());
    case.planner.config.budget_tokens = 2000;
    case.planner.config.memory_tokens = 10;
    case.planner.config.low_water = 0.25;
    case.planner.prices.cache_write = 1.25;
    case.planner.cache = ProviderCache::new(Some(Duration::from_secs(300)));
    case.body = request(&said(71));
    let first = case.plan(Mode::On).await;
    assert!(first.evicts, "{:?}", first.receipt);
    assert_eq!(first.receipt.cache, CacheState::Warm, "nothing is known yet");
    case.body = request(&said(89));
    case
}

fn after(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

#[tokio::test]
async fn turns_leave_early_when_the_provider_has_forgotten_the_prompt_and_the_receipt_says_what_that_saves() {
    let case = half_full().await;
    let plan = case.plan_at(Mode::On, after(6)).await;
    let receipt = &plan.receipt;
    assert_eq!((plan.evicts, receipt.cache), (true, CacheState::Cold), "{receipt:?}");
    let forwarded = receipt.tokens_forwarded.unwrap();
    assert!(forwarded <= 520, "about a quarter of the budget: {forwarded}");
    let written = |tokens: Option<usize>| tokens.map(|tokens| tokens as f64 * 1.25);
    assert_eq!(receipt.price_in, written(receipt.tokens_in), "all of it is written");
    assert_eq!(receipt.price_forwarded, written(receipt.tokens_forwarded));
    assert!(receipt.eviction.unwrap().cost.unwrap() < 0.0);
    let again = case.plan_at(Mode::On, after(13)).await;
    assert_eq!((again.evicts, again.receipt.cache), (false, CacheState::Cold), "there is little left to leave");
}

#[tokio::test]
async fn turns_stay_while_the_provider_has_the_prompt_or_nobody_knows_whether_it_has() {
    let case = half_full().await;
    let plan = case.plan_at(Mode::On, after(4)).await;
    assert_eq!((plan.evicts, plan.receipt.cache), (false, CacheState::Warm));
    let (forwarded, price) = (plan.receipt.tokens_forwarded.unwrap(), plan.receipt.price_forwarded.unwrap());
    assert!(forwarded > 1000 && price < 0.2 * forwarded as f64, "{price} for {forwarded}");
    let mut restarted = half_full().await;
    restarted.planner.cache = ProviderCache::new(Some(Duration::from_secs(300)));
    assert_eq!(restarted.plan_at(Mode::On, after(6)).await.receipt.cache, CacheState::Warm);
}

/// A window on a conversation of which it has lost a turn, within its budget.
fn window() -> Case {
    let conversation_match = ConversationMatch { lost: vec![turns::id(1)], ..ConversationMatch::default() };
    let mut case = Case::new(FakeMemory { recalled: recalled(1, 5), conversation_match, ..FakeMemory::default() });
    let mut messages = said(2);
    messages.push(json!({"role": "user", "content": "and where is the harbour?"}));
    case.body = request(&messages);
    case
}

#[tokio::test]
async fn a_prompt_within_its_budget_is_given_what_its_conversation_has_lost_and_the_same_again() {
    let case = window();
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, plan.memories), (PlanOutcome::Rewritten, 1), "{:?}", plan.receipt);
    let forwarded: Value = serde_json::from_slice(&plan.body).unwrap();
    let question = forwarded["messages"][2]["content"].as_str().unwrap();
    assert!(question.ends_with("and where is the harbour?") && question.contains("memory1 said"), "{question}");
    assert_eq!(forwarded["messages"].as_array().unwrap().len(), 3, "nothing leaves");
    let receipt = &plan.receipt;
    assert_eq!((receipt.lost_turns, receipt.messages_dropped, receipt.eviction), (1, 0, None));
    assert!(receipt.price_forwarded > receipt.price_in && receipt.tokens_forwarded.unwrap() <= 300);
    assert_eq!(case.entries(), 1, "a block");
    assert_eq!(case.plan(Mode::On).await.body, plan.body);
    assert_eq!(case.plan(Mode::Shadow).await.outcome, PlanOutcome::Passthrough);
}

#[tokio::test]
async fn a_prompt_within_its_budget_that_has_lost_nothing_passes_unless_the_caller_is_asked() {
    let mut case = window();
    case.planner.memory.conversation_match = ConversationMatch::default();
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::Passthrough, &case.body));
    case.reach = RecallReach::Caller;
    assert_eq!(case.plan(Mode::On).await.outcome, PlanOutcome::Rewritten);
    case.planner.memory.recalled = Vec::new();
    case.body = request(&said(1));
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::Passthrough, &case.body), "there is nothing to add");
    assert_eq!(case.entries(), 1, "and nothing to note");
}

#[tokio::test]
async fn a_prompt_within_its_budget_that_nothing_bears_on_passes_as_it_came_and_its_receipt_says_why() {
    let mut case = window();
    case.planner.memory.abstains = true;
    for (mode, abstains) in [(Mode::On, true), (Mode::Shadow, false)] {
        let plan = case.plan(mode).await;
        assert_eq!((plan.outcome, &plan.body), (PlanOutcome::Passthrough, &case.body));
        assert_eq!((plan.receipt.abstained, plan.abstains), (true, abstains), "{mode:?}");
        let steps: Vec<&str> = plan.receipt.milliseconds.steps.iter().map(|(name, _)| name).collect();
        assert!(["ledger", "search", "pack"].iter().all(|step| steps.contains(step)), "{steps:?}");
        assert!(plan.receipt.milliseconds.recall > 0.0, "{:?}", plan.receipt);
    }
    assert_eq!(case.entries(), 0);
    case.planner.memory.abstains = false;
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.memories, plan.abstains, plan.receipt.abstained), (1, false, false));
}

#[tokio::test]
async fn what_was_said_before_a_request_gets_that_time_in_its_place_and_what_else_is_new_that_of_the_request() {
    let mut case = window();
    let (earlier, now) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(9));
    case.planner.memory.conversation_match =
        ConversationMatch { said_earlier: [(1, earlier)].into(), ..ConversationMatch::default() };
    let times = async |case: &Case| -> Vec<DateTime<Utc>> {
        let placement = case.plan_at(Mode::On, now).await.intake.placement.unwrap();
        placement.turns.iter().map(|said| said.time).collect()
    };
    assert_eq!(times(&case).await, [now, earlier, now]);
    case.planner.memory.conversation_match.known = 1;
    assert_eq!(times(&case).await, [earlier, now]);
}

#[tokio::test]
async fn why_turns_are_not_stored_is_said_in_the_receipt_and_changes_nothing_else() {
    for refusal in ["backlog_full", "store_journal_down", "journal_busy"] {
        let case = Case::new(FakeMemory { refusal: Some(refusal), ..FakeMemory::default() });
        let plan = case.plan(Mode::On).await;
        assert_eq!(plan.receipt.not_stored, Some(refusal));
        assert_eq!(plan.outcome, PlanOutcome::Rewritten);
    }
}

#[tokio::test]
async fn of_two_requests_that_overtake_each_other_the_first_in_the_ledger_holds_for_both() {
    // The other one is of an earlier version, which wrote a digest. One that is equal cannot be told from the request's own.
    for rival in [r#"{"lines":["line 1"],"turns":[]}"#, r#"{"lines":["line 1"],"held":[]}"#] {
        let rivals = Mutex::new(vec![rival.as_bytes().to_vec()]);
        let case = Case::new(FakeMemory { rivals, ..FakeMemory::default() });
        let plan = case.plan(Mode::On).await;
        assert_eq!(plan.outcome, PlanOutcome::Rewritten, "{:?}", plan.receipt);
        assert!(!plan.evicts, "the other request made it");
        let body = String::from_utf8_lossy(&plan.body);
        assert!(!body.contains("line 1") && !body.contains("mainpoint-digest"), "{body}");
    }
}

#[tokio::test]
async fn a_request_that_is_overtaken_every_time_is_forwarded_as_it_came() {
    let case = Case::new(FakeMemory {
        // The ledger holds nonsense, which counts as missing, so that every attempt writes again and is overtaken again.
        rivals: Mutex::new((0..16).map(|_| b"nonsense".to_vec()).collect()),
        ..FakeMemory::default()
    });
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.outcome, &plan.body), (PlanOutcome::FailedOpen, &case.body));
    assert_eq!(plan.receipt.failure, Some("contention"));
    assert_eq!(case.planner.memory.rivals.lock().unwrap().len(), 12, "after four attempts it gives up");
}

#[tokio::test]
async fn memories_that_cost_more_at_their_place_than_alone_leave_the_weakest_first() {
    let memory = || FakeMemory { recalled: recalled(4, 18), ..FakeMemory::default() };
    let memories = |plan: &Plan| plan.receipt.memories.len();
    let alone = Case::new(memory()).plan(Mode::On).await;
    let (dearer, directory) = preparer_counting(|text| {
        let words = text.split_whitespace().count();
        let is_at_its_place = text.contains("harbour") && text.contains("memory1");
        if is_at_its_place { words + 120 } else { words }
    });
    let case = Case::counting(memory(), dearer, directory);
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, PlanOutcome::Rewritten, "{:?}", plan.receipt);
    assert!(memories(&plan) < memories(&alone), "{} of {}", memories(&plan), memories(&alone));
    let best = plan.receipt.memories.iter().map(|memory| memory.turn).collect::<Vec<_>>();
    assert!(best.is_empty() || best.contains(&turns::id(1)), "the best one is the last to go");
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300);
}

#[tokio::test]
async fn a_prompt_that_has_more_tokens_than_we_count_is_rewritten_within_its_budget() {
    let mut case = Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    case.planner.config.budget_tokens = 700;
    let before = case.plan(Mode::On).await;
    assert_eq!((before.outcome, before.receipt.token_factor), (PlanOutcome::Passthrough, None), "{:?}", before.receipt);
    case.teach(1.5).await;
    let after = case.plan(Mode::On).await;
    assert_eq!(after.outcome, PlanOutcome::Rewritten, "{:?}", after.receipt);
    let [came, went] = [after.receipt.tokens_in, after.receipt.tokens_forwarded].map(Option::unwrap);
    assert!(came.abs_diff(before.receipt.tokens_in.unwrap() * 3 / 2) <= 1 && went <= 700, "{:?}", after.receipt);
    assert!(after.receipt.token_factor.is_some_and(|factor| (factor - 1.5).abs() < 0.01));
    assert_eq!(after.estimated.unwrap().tokens, went, "what is learnt next is about what was forwarded");
}

#[tokio::test]
async fn what_has_left_a_prompt_stays_out_when_answers_say_that_it_has_fewer_tokens() {
    let new = || Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let case = new();
    let before = case.plan(Mode::On).await;
    assert_eq!(before.outcome, PlanOutcome::Rewritten);
    case.teach(0.4).await;
    let after = case.plan(Mode::On).await;
    assert!(after.receipt.tokens_in.unwrap() <= 300, "{:?}", after.receipt);
    assert_eq!((after.outcome, after.body), (PlanOutcome::Rewritten, before.body));
    let fresh = new();
    fresh.teach(0.4).await;
    assert_eq!(fresh.plan(Mode::On).await.outcome, PlanOutcome::Passthrough, "nothing had left this one");
}

#[tokio::test]
async fn a_request_that_is_not_to_be_stored_is_cut_and_given_memories_and_leaves_nothing() {
    let new = || Case::new(FakeMemory { recalled: recalled(1, 5), ..FakeMemory::default() });
    let mut case = new();
    case.storing = Some(Storing::Off);
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, PlanOutcome::Rewritten, "{:?}", plan.receipt);
    assert!(String::from_utf8_lossy(&plan.body).contains("memory1 said"));
    assert!(plan.receipt.tokens_forwarded.unwrap() <= 300 && !plan.receipt.stored);
    assert!(plan.intake.is_empty() && plan.reply_slot.is_none() && plan.estimated.is_none());
    assert_eq!(case.entries(), 0);
    case.storing = None;
    let plan = case.plan(Mode::On).await;
    assert!(plan.receipt.stored && !plan.intake.is_empty() && plan.reply_slot.is_some());
    assert_eq!(case.entries(), 2);
}

#[tokio::test]
async fn a_body_that_declines_to_be_stored_is_heeded_where_that_is_configured_and_its_header_says_nothing_else() {
    let mut case = Case::new(FakeMemory::default());
    let body =
        |store: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"store":{store}}}"#);
    for (honours, header, store, stored) in [
        (false, None, "false", true),
        (true, None, "false", false),
        (true, None, "true", true),
        (true, None, "null", true),
        (true, None, "\"false\"", true),
        (true, Some(Storing::On), "false", true),
        (false, Some(Storing::Off), "true", false),
    ] {
        case.planner.config.honour_store_false = honours;
        (case.storing, case.body) = (header, body(store).into());
        let plan = case.plan(Mode::On).await;
        assert_eq!(plan.receipt.stored, stored, "{honours} {header:?} {store}");
        assert_eq!(plan.intake.is_empty(), !stored, "{honours} {header:?} {store}");
    }
}
