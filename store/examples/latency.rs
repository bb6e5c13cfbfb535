//! How long the store takes: opening, accepting, completing, searching, with 1,000 and 20,000 main points.
//!
//! Responsible for: printing figures for a person to judge; it asserts nothing. Run with
//! `cargo run -p mainpoint-store --example latency [POINTS…]`. Must not know: the store's insides.

use std::io::Write;
use std::time::{Duration, Instant};

use chrono::Utc;
use mainpoint_store::{Point, Scope, SearchQuery, Span, Store, StoreConfig, Turn, TurnId, Within};

const WIDTH: usize = 384;
const BATCH: usize = 250;
const SCOPES: usize = 4;
const QUERIES: usize = 30;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .map(|size| size.parse())
        .collect::<Result<_, _>>()?;
    for size in if sizes.is_empty() { vec![1_000, 20_000] } else { sizes } {
        measure(size).await?;
    }
    Ok(())
}

async fn measure(size: usize) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut out = std::io::stdout();
    let scopes: Vec<Scope> = (0..SCOPES)
        .map(|n| Scope::new(format!("scope-{n}")))
        .collect::<Result<_, _>>()?;
    writeln!(out, "\n{size} points in {SCOPES} scopes, vectors of {WIDTH}")?;

    let start = Instant::now();
    let store = Store::open(StoreConfig::new(directory.path(), WIDTH)).await?;
    writeln!(
        out,
        "  open, empty                              {:>9.1} ms",
        millis(start.elapsed())
    )?;

    let (mut accepting, mut completing) = (Vec::new(), Vec::new());
    for first in (0..size).step_by(BATCH) {
        let turns: Vec<Turn> = (first..first + BATCH)
            .map(|number| turn(&scopes[number % SCOPES], number))
            .collect();
        let points = turns
            .iter()
            .map(|turn| (turn.scope.clone(), turn.id, vec![point(turn)]))
            .collect();
        let start = Instant::now();
        store.accept(turns).await?;
        accepting.push(start.elapsed());
        let start = Instant::now();
        store.complete(points).await?;
        completing.push(start.elapsed());
    }
    report(&mut out, &format!("accept, {BATCH} turns (fsync)"), accepting)?;
    report(&mut out, &format!("complete, {BATCH} turns (fsync)"), completing)?;
    let start = Instant::now();
    store.flush().await?;
    writeln!(
        out,
        "  flush of the rest                        {:>9.1} ms",
        millis(start.elapsed())
    )?;

    let mine: Vec<TurnId> = (0..size).step_by(SCOPES).map(id).collect();
    searches(&store, &mut out, "before maintenance", &scopes[0], &mine).await?;
    let start = Instant::now();
    store.maintain().await?;
    writeln!(
        out,
        "  maintain                                 {:>9.1} ms",
        millis(start.elapsed())
    )?;
    searches(&store, &mut out, "after maintenance", &scopes[0], &mine).await?;

    let (mut accepting, mut completing, mut seeing) = (Vec::new(), Vec::new(), Vec::new());
    for number in size..size + QUERIES {
        let turn = turn(&scopes[0], number);
        let points = vec![(turn.scope.clone(), turn.id, vec![point(&turn)])];
        let start = Instant::now();
        store.accept(vec![turn]).await?;
        accepting.push(start.elapsed());
        let start = Instant::now();
        store.complete(points).await?;
        completing.push(start.elapsed());
        let start = Instant::now();
        store.search(&query(&scopes[0], Within::Scope, number)).await?;
        seeing.push(start.elapsed());
    }
    report(&mut out, "accept, one turn (fsync)", accepting)?;
    report(&mut out, "complete, one turn (fsync)", completing)?;
    report(&mut out, "search that must flush first", seeing)?;

    store.close().await?;
    let start = Instant::now();
    let store = Store::open(StoreConfig::new(directory.path(), WIDTH)).await?;
    writeln!(
        out,
        "  open again                               {:>9.1} ms",
        millis(start.elapsed())
    )?;
    let start = Instant::now();
    store.read_turns(&scopes[0], &mine).await?;
    writeln!(
        out,
        "  read_turns, the first time               {:>9.1} ms",
        millis(start.elapsed())
    )?;
    Ok(store.close().await?)
}

async fn searches(
    store: &Store,
    out: &mut impl Write,
    when: &str,
    scope: &Scope,
    mine: &[TurnId],
) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, " {when}, one scope of {} points", mine.len())?;
    let mut five_thousand = mine.to_vec();
    five_thousand.extend((1_000_000..).take(5_000_usize.saturating_sub(mine.len())).map(id));
    let fifty: Vec<TurnId> = mine.iter().copied().take(50).collect();
    let withins = [
        ("search in the scope", Within::Scope),
        ("search in a conversation of 50 ids", Within::Conversation(fifty)),
        (
            "search in a conversation of 5,000 ids",
            Within::Conversation(five_thousand.clone()),
        ),
    ];
    for (what, within) in withins {
        let mut times = Vec::new();
        for number in 0..QUERIES {
            let asked = query(scope, within.clone(), number);
            let start = Instant::now();
            store.search(&asked).await?;
            times.push(start.elapsed());
        }
        report(out, what, times)?;
    }
    let (mut reading, mut text, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..QUERIES {
        let start = Instant::now();
        store.read_turns(scope, &five_thousand).await?;
        reading.push(start.elapsed());
        let start = Instant::now();
        store.turns(scope, &mine[..10]).await?;
        text.push(start.elapsed());
        let start = Instant::now();
        store
            .points(
                scope,
                &Within::Conversation(mine.iter().copied().take(200).collect()),
                200,
            )
            .await?;
        points.push(start.elapsed());
    }
    report(out, "read_turns of 5,000 ids", reading)?;
    report(out, "turns of 10 ids", text)?;
    Ok(report(out, "points of 200 ids", points)?)
}

fn report(out: &mut impl Write, what: &str, mut times: Vec<Duration>) -> Result<(), std::io::Error> {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let high = times.get(times.len() * 95 / 100).copied().unwrap_or_default();
    writeln!(
        out,
        "  {what:<40} {:>9.1} ms median {:>9.1} ms p95",
        millis(median),
        millis(high)
    )
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn id(number: usize) -> TurnId {
    // Scattered, as hashes are.
    let mixed = (number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    TurnId(mixed.rotate_left(61).to_be_bytes())
}

fn turn(scope: &Scope, number: usize) -> Turn {
    Turn {
        id: id(number),
        parent: None,
        conversation: id(0),
        scope: scope.clone(),
        position: number as u32,
        role: "user".to_owned(),
        text: words(number, 30),
        time: Utc::now(),
        tokens: 40,
    }
}

fn point(turn: &Turn) -> Point {
    let number = turn.position as usize;
    let end = turn.text.len() as u32;
    Point {
        turn: turn.id,
        passage: 0,
        start: 0,
        end,
        spans: vec![
            Span {
                start: 0,
                end,
                salience: 1.0
            };
            6
        ],
        text: turn.text.clone(),
        vector: vector(number),
        features: vec![(number % 251) as u8; 750],
    }
}

fn query(scope: &Scope, within: Within, number: usize) -> SearchQuery {
    SearchQuery {
        scope: scope.clone(),
        within,
        vector: vector(number * 7 + 3),
        text: words(number * 7 + 3, 8),
        limit: 100,
    }
}

fn vector(number: usize) -> Vec<f32> {
    let mut state = number as u64 + 1;
    (0..WIDTH)
        .map(|_| (next(&mut state) % 2001) as f32 / 1000.0 - 1.0)
        .collect()
}

/// Words of a vocabulary of 5,000, the first ones most frequent.
fn words(number: usize, count: usize) -> String {
    let mut state = number as u64 + 77;
    let word = |state: &mut u64| {
        let (one, other) = (next(state) % 5000, next(state) % 5000);
        format!("word{}", one * other / 5000)
    };
    (0..count).map(|_| word(&mut state)).collect::<Vec<_>>().join(" ")
}

fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}
