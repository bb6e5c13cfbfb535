//! What becomes of an agent's long results when its prompt is over the budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainpoint_store::{Point, Span, Turn};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// An agent at work for one user, with a long result in each of so many rounds.
fn agent(rounds: usize) -> Vec<Value> {
    agent_with(&vec![400; rounds])
}

/// The same with results of so many words.
fn agent_with(words: &[usize]) -> Vec<Value> {
    let mut messages = vec![json!({"role": "user", "content": "where is the harbour?"})];
    for (round, words) in words.iter().enumerate() {
        let id = format!("call-{round}");
        let call = json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        let text = format!("result {round} begins {}and ends", "line ".repeat(*words));
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
    }
    messages
}

/// An agent in its sixth round, over its budget, whose memory knows the main point of every result.
async fn agent_case() -> Case {
    at_work(Case::new(FakeMemory::default())).await
}

async fn at_work(mut case: Case) -> Case {
    case.planner.config.budget_tokens = 2300;
    case.body = request(&agent(6));
    let turns = case.plan(Mode::Shadow).await.intake.turns;
    case.planner.memory.points = turns.iter().map(|turn| main_point(turn, 0..14)).collect();
    case.planner.memory.turns = turns;
    case
}

/// A main point that is one stretch of a turn.
fn main_point(turn: &Turn, span: std::ops::Range<u32>) -> Point {
    Point {
        turn: turn.id,
        passage: 0,
        start: 0,
        end: u32::try_from(turn.text.len()).unwrap(),
        spans: vec![Span { start: span.start, end: span.end, salience: 1.0 }],
        text: turn.text.clone(),
        vector: Vec::new(),
        ranking_data: Vec::new(),
    }
}

fn messages_of(body: &Bytes) -> Vec<Value> {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn old_results_of_an_agent_are_shortened_before_rounds_leave_and_the_newest_stay() {
    let case = agent_case().await;
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.outcome, PlanOutcome::Rewritten, "{:?}", plan.receipt);
    assert_eq!((plan.receipt.results_shortened, plan.shortens, plan.evicts), (4, 4, false), "{:?}", plan.receipt);
    assert!(plan.receipt.eviction.is_none() && plan.receipt.tokens_forwarded.unwrap() <= 2300);
    let (came, went) = (agent(6), messages_of(&plan.body));
    assert_eq!(went.len(), came.len(), "every message stays");
    for (index, (before, after)) in came.iter().zip(&went).enumerate() {
        if index > 0 && index <= 8 && before["role"] == "tool" {
            assert_eq!(after["tool_call_id"], before["tool_call_id"]);
            let text = after["content"].as_str().unwrap();
            assert!(text.starts_with("<mainpoint-condensed>") && text.ends_with("</mainpoint-condensed>"), "{text}");
            assert!(text.contains("tokens are left out.\nresult ") && !text.contains("line line"), "{text}");
        } else {
            assert_eq!(after, before, "message {index}");
        }
    }
    assert_eq!(case.entries(), 5, "four results and a block, which is empty");
}

#[tokio::test]
async fn what_was_shortened_stays_so_byte_for_byte_until_its_round_leaves() {
    let mut case = agent_case().await;
    let first = case.plan(Mode::On).await;
    let head = messages_of(&first.body);
    case.body = request(&agent(7));
    let second = case.plan(Mode::On).await;
    assert_eq!((second.receipt.results_shortened, second.shortens), (4, 0), "{:?}", second.receipt);
    let went = messages_of(&second.body);
    assert_eq!(went[..head.len()], head[..], "the prompt only grows");
    case.body = request(&agent(6));
    assert_eq!(case.plan(Mode::On).await.body, first.body);
    // Nothing is known of newer results, so that rounds have to leave.
    case.body = request(&agent(12));
    let last = case.plan(Mode::On).await;
    assert!(last.evicts && last.receipt.eviction.is_some_and(|note| note.is_new), "{:?}", last.receipt);
    assert!(last.receipt.tokens_forwarded.unwrap() <= 2300);
}

#[tokio::test]
async fn what_was_shortened_before_is_counted_once_for_a_request() {
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&counted);
    let (preparer, directory) = preparer_counting(move |text| {
        counter.fetch_add(text.matches("<mainpoint-condensed>").count(), Ordering::Relaxed);
        text.split_whitespace().count()
    });
    let mut case = at_work(Case::counting(FakeMemory::default(), preparer, directory)).await;
    assert_eq!(case.plan(Mode::On).await.shortens, 4);
    case.body = request(&agent(7));
    counted.store(0, Ordering::Relaxed);
    assert_eq!(case.plan(Mode::On).await.receipt.results_shortened, 4);
    assert!(counted.load(Ordering::Relaxed) <= 4, "{counted:?}");
}

#[tokio::test]
async fn what_stands_behind_the_first_result_that_is_shortened_is_paid_for_anew_each_time() {
    let mut case = agent_case().await;
    case.planner.config.high_water = 0.9;
    assert_eq!(case.plan(Mode::On).await.shortens, 4);
    case.body = request(&agent(11));
    let turns = case.plan(Mode::Shadow).await.intake.turns;
    case.planner.memory.points = turns.iter().map(|turn| main_point(turn, 0..14)).collect();
    case.planner.memory.turns = turns;
    let plan = case.plan(Mode::On).await;
    assert_eq!((plan.receipt.results_shortened, plan.shortens), (9, 5), "{:?}", plan.receipt);
    // The two newest results stand whole behind it.
    assert!(plan.receipt.price_forwarded.unwrap() > 800.0, "{:?}", plan.receipt);
}

#[tokio::test]
async fn the_first_rewriting_pays_for_the_whole_prompt_where_it_offers_a_tool() {
    let mut case = agent_case().await;
    case.planner.config.high_water = 0.9;
    case.planner.config.tools = true;
    let plan = case.plan(Mode::On).await;
    assert_eq!(plan.shortens, 4, "{:?}", plan.receipt);
    let price = plan.receipt.price_forwarded.unwrap();
    assert!((price - plan.receipt.tokens_forwarded.unwrap() as f64).abs() < 0.01, "{:?}", plan.receipt);
}

#[tokio::test]
async fn in_a_request_that_goes_back_the_newest_results_stand_whole() {
    let mut case = agent_case().await;
    case.planner.config.high_water = 0.9;
    case.body = request(&agent(8));
    let turns = case.plan(Mode::Shadow).await.intake.turns;
    case.planner.memory.points = turns.iter().map(|turn| main_point(turn, 0..14)).collect();
    case.planner.memory.turns = turns;
    let first = case.plan(Mode::On).await;
    assert!(first.receipt.results_shortened > 4, "{:?}", first.receipt);
    case.body = request(&agent(6));
    let back = case.plan(Mode::On).await;
    assert_eq!((back.receipt.results_shortened, back.shortens), (4, 0), "{:?}", back.receipt);
    let (came, went) = (agent(6), messages_of(&back.body));
    assert_eq!(went[9..], came[9..]);
    case.body = request(&agent(8));
    assert_eq!(case.plan(Mode::On).await.body, first.body, "what was recorded holds again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn prompts_of_an_agent_only_grow_unless_something_is_shortened_or_leaves_and_calls_stay_paired(
        words in prop::collection::vec(0..700_usize, 1..16), allowed: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut case = runtime.block_on(agent_case());
        case.planner.config.shorten_tool_results = allowed;
        let mut before: Vec<Value> = Vec::new();
        for rounds in 1..=words.len() {
            let came = agent_with(&words[..rounds]);
            case.body = request(&came);
            let plan = runtime.block_on(case.plan(Mode::On));
            prop_assert_ne!(plan.outcome, PlanOutcome::FailedOpen);
            let went = messages_of(&plan.body);
            if !plan.evicts && plan.shortens == 0 {
                prop_assert!(went.starts_with(&before), "round {}: {:?}", rounds, plan.receipt);
            }
            prop_assert!(allowed || plan.receipt.results_shortened == 0);
            for pair in went[1..].chunks(2) {
                prop_assert_eq!(&pair[0]["tool_calls"][0]["id"], &pair[1]["tool_call_id"]);
            }
            prop_assert_eq!(went.last(), came.last(), "the newest result stays as it is");
            // By the next request they have been read.
            let turns = plan.intake.turns;
            let memory = &mut case.planner.memory;
            memory.points = turns.iter().map(|turn| main_point(turn, 0..7)).collect();
            memory.turns = turns;
            before = went;
        }
    }
}

#[tokio::test]
async fn results_with_many_passages_are_all_shortened_but_for_one_that_has_too_many_to_be_read() {
    for (of_the_first, shortened) in [(400, 4), (1200, 3)] {
        let mut case = agent_case().await;
        case.planner.config.high_water = 0.9;
        let passages = |point: &Point| {
            let is_first = point.text.starts_with("result 0 ");
            let number = if is_first { of_the_first } else { 400 };
            let point = point.clone();
            (0..number).map(move |passage| {
                let spans = if passage == 0 { point.spans.clone() } else { Vec::new() };
                Point { passage, spans, ..point.clone() }
            })
        };
        let points: Vec<Point> = case.planner.memory.points.iter().flat_map(passages).collect();
        case.planner.memory.points = points;
        let plan = case.plan(Mode::On).await;
        assert_eq!((plan.receipt.results_shortened, plan.evicts), (shortened, false), "{:?}", plan.receipt);
    }
}

#[tokio::test]
async fn rounds_leave_where_results_are_not_to_be_shortened_or_their_main_points_are_not_known() {
    for (allowed, known) in [(false, true), (true, false)] {
        let mut case = agent_case().await;
        case.planner.config.shorten_tool_results = allowed;
        if !known {
            case.planner.memory.points.clear();
        }
        let plan = case.plan(Mode::On).await;
        assert_eq!((plan.receipt.results_shortened, plan.evicts), (0, true), "{:?}", plan.receipt);
        assert!(messages_of(&plan.body).len() < agent(6).len());
    }
}

#[tokio::test]
async fn what_a_shortened_result_says_may_be_recalled_and_what_comes_back_shortened_is_not_read() {
    let mut case = agent_case().await;
    case.planner.memory.recalled = recalled(1, 5);
    let plan = case.plan(Mode::On).await;
    let went = messages_of(&plan.body);
    assert!(went[0]["content"].as_str().unwrap().contains("memory1 said"), "{}", went[0]);
    assert_eq!(plan.memories, 1);
    // A client that sends what was forwarded says nothing new by it.
    case.body = request(&went);
    let again = case.plan(Mode::Shadow).await;
    let read: Vec<&str> = again.intake.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert!(read.iter().all(|text| !text.contains("mainpoint-condensed")), "{read:?}");
    // One that makes such a text up does.
    let forged = went[2]["content"].as_str().unwrap().replace("left out", "kept");
    case.body = request(&[
        went[0].clone(),
        went[1].clone(),
        json!({"role": "tool", "tool_call_id": "call-0", "content": forged}),
    ]);
    let again = case.plan(Mode::Shadow).await;
    assert!(again.intake.turns.iter().any(|turn| turn.text == forged));
}
