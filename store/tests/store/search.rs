//! Dense and lexical search, and what they are confined to.

use mainpoint_store::{IndexedPassage, Store, StoreError, Within};

use crate::support::{WIDTH, dense, everything, id, lexical, open, point, query, read, scope, turn};

const EAST: [f32; WIDTH] = [1.0, 0.0, 0.0, 0.0];
const NORTH: [f32; WIDTH] = [0.0, 1.0, 0.0, 0.0];
const NORTH_EAST: [f32; WIDTH] = [2.0, 2.0, 0.0, 0.0];

#[tokio::test(flavor = "multi_thread")]
async fn dense_hits_come_by_cosine_whatever_the_length_of_the_vectors() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("north", NORTH), ("north east", NORTH_EAST), ("east", EAST)]).await;
    let result = store.search(&query(&scope, Within::Scope, [5.0, 0.0, 0.0, 0.0], "")).await.unwrap();
    let turns: Vec<_> = result.dense.iter().map(|hit| hit.turn).collect();
    assert_eq!(turns, [id(2), id(1), id(0)]);
    for (hit, cosine) in result.dense.iter().zip([1.0, std::f32::consts::FRAC_1_SQRT_2, 0.0]) {
        assert!((hit.score - cosine).abs() < 1e-5, "{hit:?}");
    }
    assert!(result.lexical.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn points_come_with_everything_that_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turn = turn(&scope, 0, "Ärger mit dem Zug");
    let points: Vec<_> = (0..2)
        .map(|passage| mainpoint_store::Point { passage, ranking_data: vec![0, 255, 7], ..point(&turn, NORTH_EAST) })
        .collect();
    store.accept(vec![turn.clone()]).await.unwrap();
    store.complete(vec![(scope.clone(), turn.id, points.clone())]).await.unwrap();
    let snapshot = store.snapshot(&scope, &Within::Scope).await.unwrap();
    let dense = snapshot.by_vector(&EAST, 10).await.unwrap();
    let lexical = snapshot.by_words("zug", 10).await.unwrap();
    let found = snapshot.identify(dense, lexical, vec![]).await.unwrap();
    assert_eq!((found.hits.dense.len(), found.hits.lexical.len()), (2, 2));
    let described = |passage: &IndexedPassage| (passage.turn, passage.passage, passage.ranking_data.clone());
    let expected = points.iter().map(|point| (point.turn, point.passage, point.ranking_data.clone().into()));
    assert_eq!(found.passages.iter().map(described).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(everything(&snapshot, 2).await.unwrap(), found.passages);
    assert_eq!(everything(&snapshot, 1).await, None);
    let texts = snapshot.texts(&[1, 0, 1].map(|index: usize| &found.passages[index])).await.unwrap();
    assert_eq!(texts, [1, 0, 1].map(|index: usize| points[index].text.clone()));
    assert!(snapshot.texts(&[]).await.unwrap().is_empty());
    drop(snapshot);
    store.flush().await.unwrap();
    assert_eq!(store.points(&scope, &Within::Scope, 10).await.unwrap(), points);
    assert_eq!(store.turns(&scope, &[id(0)]).await.unwrap(), [turn]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lexical_search_knows_stems_case_and_accents() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let texts = [("We adopted two dogs", EAST), ("My sister plays the cello", EAST), ("The café was closed", EAST)];
    read(&store, &scope, 0, &texts).await;
    for _ in ["before the index covers the rows", "after"] {
        assert_eq!(lexical(&store, &scope, "adopting a DOG").await, [id(0)]);
        assert_eq!(lexical(&store, &scope, "played?").await, [id(1)]);
        assert_eq!(lexical(&store, &scope, "cafe").await, [id(2)]);
        assert_eq!(lexical(&store, &scope, "violin").await, []);
        store.maintain().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_in_languages_with_and_without_spaces() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let texts = [
        ("我弟弟帕维尔和消防站的两个同事把钢琴抬了上去。", EAST),
        ("週末に京都の古いお寺を訪れて、抹茶を飲みました。", EAST),
        ("เมื่อวานแม่ซื้อแมวสีดำหนึ่งตัวที่ตลาด", EAST),
        ("Der Schlüssel zum Keller hängt über der Tür.", EAST),
        ("El médico me recetó pastillas para la alergia.", EAST),
        ("What's up? I don't think that we're late.", EAST),
    ];
    read(&store, &scope, 0, &texts).await;
    let questions = [
        ("谁搬了钢琴？", 0),
        ("京都で何を飲みましたか", 1),
        ("แมวสีอะไร", 2),
        ("Wo ist der schlussel für den KELLER?", 3),
        ("¿Qué pastillas me dio el medico?", 4),
    ];
    for _ in ["before the index covers the rows", "after"] {
        for (question, turn) in questions {
            assert_eq!(lexical(&store, &scope, question).await.first(), Some(&id(turn)), "{question}");
        }
        for empty in ["What's", "we’re", "。？"] {
            assert_eq!(lexical(&store, &scope, empty).await, [], "{empty}");
        }
        store.maintain().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_more_than_forty_bytes_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk";
    read(&store, &scope, 0, &[(&format!("Das {word} hat geschlossen."), EAST)]).await;
    assert_eq!(lexical(&store, &scope, word).await, [id(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rarer_words_and_more_of_them_rank_higher() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let texts = [
        ("the train to Lisbon is late", EAST),
        ("the train is late", EAST),
        ("the train to Lisbon leaves from platform nine", EAST),
    ];
    read(&store, &scope, 0, &texts).await;
    let hits = lexical(&store, &scope, "train Lisbon late").await;
    assert_eq!(hits.len(), 3);
    assert_eq!(hits[0], id(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_and_outside_of_the_index_are_found_together() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("an indexed walrus", EAST)]).await;
    let report = store.maintain().await.unwrap();
    assert_eq!(report.points.rows_indexed, 1);
    read(&store, &scope, 1, &[("a walrus not indexed yet", NORTH)]).await;
    store.flush().await.unwrap();
    let mut found = lexical(&store, &scope, "walrus").await;
    found.sort();
    assert_eq!(found, [id(0), id(1)]);
    assert_eq!(dense(&store, &scope, NORTH).await[0], id(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_is_never_read_as_syntax() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a plain sentence about otters", EAST)]).await;
    for text in [
        "otters AND NOT otters",
        "+otters -sentence",
        "\"otters sentence\"",
        "otters~2^9",
        "text:otters",
        "otters' OR 1=1 --",
        "(otters",
        "otter*",
    ] {
        assert_eq!(lexical(&store, &scope, text).await, [id(0)], "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_without_words_gives_an_empty_lexical_ranking() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    for _ in ["an empty table", "a row outside of the index", "a row in the index"] {
        for text in ["", "  \n\t", "?!…", "the of and", "\u{0}", "🦦"] {
            assert_eq!(lexical(&store, &scope, text).await, [], "{text:?}");
        }
        if store.status().turns == 0 {
            read(&store, &scope, 0, &[("words, the of and words", EAST)]).await;
        }
        store.flush().await.unwrap();
        if store.status().turns == 1 {
            store.maintain().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_as_a_question_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a note about lighthouses", EAST)]).await;
    let book = format!("lighthouses {}", (0..40_000).map(|n| format!("wörd{n} ")).collect::<String>());
    assert_eq!(lexical(&store, &scope, &book).await, [id(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_scope_is_ever_found_even_if_it_fits_better() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let (mine, other) = (scope("mine"), scope("other"));
    let theirs: Vec<_> = (0..50).map(|_| ("secret meeting at midnight", EAST)).collect();
    read(&store, &other, 0, &theirs).await;
    read(&store, &mine, 100, &[("a meeting", NORTH_EAST)]).await;
    for _ in ["outside of the index", "in the index"] {
        let result = store.search(&query(&mine, Within::Scope, EAST, "secret meeting midnight")).await.unwrap();
        assert_eq!(result.dense.len(), 1, "the filter comes before the ranking");
        assert_eq!(result.dense[0].turn, id(100));
        assert_eq!(result.lexical.iter().map(|hit| hit.turn).collect::<Vec<_>>(), [id(100)]);
        assert_eq!(store.points(&mine, &Within::Scope, 100).await.unwrap().len(), 1);
        let stolen = Within::Turns(vec![id(0), id(1)]);
        let theirs = store.search(&query(&mine, stolen.clone(), EAST, "secret")).await.unwrap();
        assert_eq!(theirs, mainpoint_store::SearchResult::default());
        assert!(store.points(&mine, &stolen, 10).await.unwrap().is_empty());
        assert!(store.turns(&mine, &[id(0)]).await.unwrap().is_empty());
        assert!(store.read_or_unreadable(&mine, &[id(0)]).await.unwrap().is_empty());
        assert!(store.neighbours(&mine, id(0), 3).await.unwrap().is_empty());
        store.maintain().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_conversation_exactly_the_turns_asked_for_are_searched() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let texts: Vec<_> = (0..20).map(|_| ("the same words", EAST)).collect();
    read(&store, &scope, 0, &texts).await;
    for _ in ["outside of the index", "in the index"] {
        for wanted in [vec![], vec![id(3)], vec![id(3), id(7), id(7)], vec![id(999)], (2..12).map(id).collect()] {
            let found = ids_found(&store, Within::Turns(wanted.clone())).await;
            let mut expected: Vec<_> = wanted.into_iter().filter(|wanted| *wanted != id(999)).collect();
            expected.dedup();
            assert_eq!(found, (expected.clone(), expected));
        }
        store.maintain().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_turns_are_searched_exactly_however_they_lie_in_their_conversation() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let texts: Vec<_> = (0..2000).map(|_| ("the same words", EAST)).collect();
    read(&store, &scope, 0, &texts).await;
    store.maintain().await.unwrap();
    // Three of the conversation are pending, one of them asked for.
    read(&store, &scope, 2000, &texts[..3]).await;
    let cases: [Vec<u64>; 4] = [
        (0..5000).collect(),
        // All but a few: named by what is left out.
        (0..1990).chain([2001]).filter(|number| number % 500 != 7).collect(),
        // Every second one, among ids that are not stored at all.
        (0..10_000).step_by(2).collect(),
        (5000..10_000).collect(),
    ];
    for asked in cases {
        let expected: Vec<_> = asked.iter().copied().filter(|number| *number < 2003).map(id).collect();
        let mut asked = query(&scope, Within::Turns(asked.into_iter().map(id).collect()), EAST, "words");
        asked.limit = 5000;
        let result = store.search(&asked).await.unwrap();
        assert!(result.dense.iter().map(|hit| hit.turn).eq(expected.iter().copied()));
        let mut lexical: Vec<_> = result.lexical.iter().map(|hit| hit.turn).collect();
        lexical.sort();
        assert!(lexical.into_iter().eq(expected.iter().copied()));
        let points = store.points(&scope, &asked.within, 5000).await.unwrap();
        assert!(points.iter().map(|point| point.turn).eq(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_run_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let good = query(&scope, Within::Scope, EAST, "");
    let cases = [
        (mainpoint_store::SearchQuery { limit: 0, ..good.clone() }, "limit is 0"),
        (mainpoint_store::SearchQuery { vector: vec![1.0], ..good.clone() }, "has 1 numbers, the store holds 4"),
        (mainpoint_store::SearchQuery { vector: vec![f32::NAN; WIDTH], ..good }, "not finite"),
    ];
    for (query, reason) in cases {
        let error = store.search(&query).await.unwrap_err();
        assert!(matches!(error, StoreError::InvalidQuery { .. }));
        assert!(error.to_string().contains(reason), "{error}");
    }
}

async fn ids_found(store: &Store, within: Within) -> (Vec<mainpoint_store::TurnId>, Vec<mainpoint_store::TurnId>) {
    let result = store.search(&query(&scope("s"), within, EAST, "words")).await.unwrap();
    let ids = |hits: &[mainpoint_store::Hit]| hits.iter().map(|hit| hit.turn).collect();
    (ids(&result.dense), ids(&result.lexical))
}
