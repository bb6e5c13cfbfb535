//! Keeping only spans.

use mainpoint_store::{Point, Retain, Span, StoreConfig, Within};

use crate::support::{config, files_with, id, lexical, open_with, point, scope, turn};

#[tokio::test(flavor = "multi_thread")]
async fn under_spans_nothing_but_the_spans_is_left_of_a_turn() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let store = open_with(StoreConfig { retain: Retain::Spans, ..config(directory.path()) }).await;
    let text = "Frobnicated as ever, the launch is on 14 March in Oslo, blatherskitely yours";
    let turn = turn(&scope, 0, text);
    let span = |words: &str| {
        let start = text.find(words).unwrap() as u32;
        Span { start, end: start + words.len() as u32, salience: 0.5 }
    };
    let spans = vec![span("launch is on 14 March"), span("Oslo")];
    let point = Point { spans: spans.clone(), ..point(&turn, [1.0, 0.0, 0.0, 0.0]) };
    store.accept(vec![turn.clone()]).await.unwrap();
    assert_eq!(store.unread().await.unwrap()[0].text, text, "it is still to be read");
    store.complete(vec![(scope.clone(), turn.id, vec![point])]).await.unwrap();
    store.maintain().await.unwrap();

    let kept = "launch is on 14 March … Oslo";
    assert_eq!(store.turns(&scope, &[id(0)]).await.unwrap()[0].text, kept);
    let points = store.points(&scope, &Within::Scope, 10).await.unwrap();
    assert_eq!((points[0].text.as_str(), &points[0].spans), (kept, &spans));
    assert_eq!(lexical(&store, &scope, "oslo").await, [id(0)]);
    assert_eq!(lexical(&store, &scope, "frobnicated").await, []);
    assert_eq!(files_with(directory.path(), "frobnicated"), Vec::<String>::new());
    assert_eq!(files_with(directory.path(), "blatherskite"), Vec::<String>::new());
    assert!(!files_with(directory.path(), "Oslo").is_empty());
}
