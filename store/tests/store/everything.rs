//! Every passage of a conversation or scope at once.

use mainpoint_store::{CacheSizes, Point, Scope, SearchQuery, Snapshot, Store, StoreConfig, Turn, TurnId, Within};

use crate::support::{config, conversation_id, everything, id, open, point, read, scope, turn};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

async fn turns_in(snapshot: &Snapshot<'_>) -> Vec<TurnId> {
    let everything = everything(snapshot, 100).await.unwrap();
    for passage in &everything {
        assert_eq!(*passage.ranking_data, passage.turn.0, "what is remembered belongs to its turn");
    }
    everything.iter().map(|passage| passage.turn).collect()
}

async fn found(store: &Store, scope: &Scope, within: &Within) -> Vec<TurnId> {
    turns_in(&store.snapshot(scope, within).await.unwrap()).await
}

fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<TurnId> {
    numbers.into_iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_what_is_there_now_however_often_it_was_asked_for_before() {
    for passages in [0, 256 << 20] {
        let directory = tempfile::tempdir().unwrap();
        let caches = CacheSizes { passages, ..CacheSizes::shares_of(4 << 30) };
        let settings = StoreConfig { caches, ..config(directory.path()) };
        let (store, mine, other) = (Store::open(settings).await.unwrap(), scope("mine"), scope("other"));
        read(&store, &other, 50, &[("not mine", VECTOR)]).await;
        read(&store, &mine, 0, &[("a", VECTOR), ("b", VECTOR), ("c", VECTOR)]).await;
        let conversation = |numbers| Within::Turns(ids(numbers));
        for _ in 0..2 {
            assert_eq!(found(&store, &mine, &Within::Scope).await, ids(0..3));
            assert_eq!(found(&store, &mine, &conversation(vec![2, 0, 2, 50, 77])).await, ids([0, 2]));
        }
        read(&store, &mine, 3, &[("new", VECTOR)]).await;
        assert_eq!(found(&store, &mine, &conversation(vec![3, 1])).await, ids([1, 3]));
        assert_eq!(found(&store, &mine, &Within::ScopeWith(ids([3]))).await, ids(0..4));

        store.maintain().await.unwrap();
        assert_eq!(found(&store, &mine, &Within::Scope).await, ids(0..4));
        let elsewhere = Turn { conversation: conversation_id(9), ..turn(&mine, 9, "another conversation") };
        store.accept(vec![elsewhere.clone()]).await.unwrap();
        let points = vec![point(&elsewhere, VECTOR)];
        store.complete(vec![(mine.clone(), elsewhere.id, points)]).await.unwrap();
        assert_eq!(found(&store, &mine, &Within::Scope).await, ids([0, 1, 2, 3, 9]));
        store.delete_conversation(&mine, conversation_id(0)).await.unwrap();
        assert_eq!(found(&store, &mine, &Within::Scope).await, ids([9]));
        assert_eq!(found(&store, &mine, &conversation(vec![0, 1])).await, []);
        read(&store, &mine, 0, &[("a", VECTOR)]).await;
        assert_eq!(found(&store, &mine, &conversation(vec![0, 1, 9])).await, ids([0, 9]));
        assert_eq!(found(&store, &other, &Within::Scope).await, ids([50]));
        assert_eq!(found(&store, &scope("empty"), &Within::Scope).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_stays_as_it_was_taken() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a", VECTOR)]).await;
    let before = store.snapshot(&scope, &Within::Scope).await.unwrap();
    read(&store, &scope, 1, &[("b", VECTOR)]).await;
    for _ in 0..2 {
        assert_eq!(found(&store, &scope, &Within::Scope).await, ids([0, 1]));
        assert_eq!(turns_in(&before).await, ids([0]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_than_the_limit_nothing_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a", VECTOR), ("b", VECTOR), ("c", VECTOR)]).await;
    let part = Within::Turns(ids([0, 1]));
    for (within, most) in [(Within::Scope, 3), (part, 2)] {
        let snapshot = store.snapshot(&scope, &within).await.unwrap();
        assert_eq!(everything(&snapshot, most).await.unwrap().len(), most);
        assert_eq!(everything(&snapshot, most - 1).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_precision_finds_what_single_precision_finds() {
    const WIDTH: usize = 768;
    const ROWS: u64 = 600;
    let directory = tempfile::tempdir().unwrap();
    let settings = StoreConfig { vector_width: WIDTH, ..config(directory.path()) };
    let store = Store::open(settings).await.unwrap();
    let scope = scope("s");
    // Numbers that are spread as a language model's are, the same at every run.
    let mut state = 7_u64;
    let mut number = || {
        let mut sum = -6.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 40) as f32 / (1 << 24) as f32;
        }
        sum
    };
    let common: Vec<f32> = (0..WIDTH).map(|_| number()).collect();
    let mut vectors: Vec<Vec<f32>> = Vec::new();
    for _ in 0..ROWS + 20 {
        let vector: Vec<f32> = common.iter().map(|common| common + number()).collect();
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vectors.push(vector.iter().map(|number| number / length).collect());
    }
    let turns: Vec<Turn> = (0..ROWS).map(|number| turn(&scope, number, "text")).collect();
    let points = turns.iter().zip(&vectors).map(|(turn, vector)| {
        let point = Point { vector: vector.clone(), ..point(turn, VECTOR) };
        (scope.clone(), turn.id, vec![point])
    });
    let points = points.collect();
    store.accept(turns).await.unwrap();
    store.complete(points).await.unwrap();
    let mut shared = 0;
    for question in &vectors[ROWS as usize..] {
        let dot = |vector: &Vec<f32>| vector.iter().zip(question).map(|(one, other)| one * other).sum::<f32>();
        let mut expected: Vec<(f32, TurnId)> =
            (0..).map(id).zip(&vectors[..ROWS as usize]).map(|(id, vector)| (dot(vector), id)).collect();
        expected.sort_by(|one, other| other.0.total_cmp(&one.0));
        let query = SearchQuery {
            scope: scope.clone(),
            within: Within::Scope,
            vector: question.clone(),
            text: String::new(),
            limit: 10,
        };
        let hits = store.search(&query).await.unwrap().dense;
        assert!((hits[0].score - expected[0].0).abs() < 1e-3);
        let found = expected[..10].iter().filter(|(_, id)| hits.iter().any(|hit| hit.turn == *id));
        shared += found.count();
    }
    assert!(shared >= 198, "{shared} of 200");
}
