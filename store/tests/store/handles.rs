//! Open files: as many after many rounds of maintenance as after a few.

use crate::support::{dense, lexical, open, read, scope};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
/// An index has up to eight parts before they are merged; a window sees all of them.
const WINDOW: u64 = 10;
const WINDOWS: u64 = 5;
/// Files that are open for the moment of being read.
const SLACK: usize = 6;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_leaves_no_files_open_behind_it_however_often_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let mut most = Vec::new();
    for window in 0..WINDOWS {
        let mut most_of_window = 0;
        for round in 0..WINDOW {
            let number = window * WINDOW + round;
            read(&store, &scope, number, &[(&format!("heron{number} by the pond"), VECTOR)]).await;
            store.flush().await.unwrap();
            assert_eq!(lexical(&store, &scope, &format!("heron{number}")).await.len(), 1);
            store.maintain().await.unwrap();
            assert!(lexical(&store, &scope, "pond").await.len() as u64 >= number.min(9));
            assert!(!dense(&store, &scope, VECTOR).await.is_empty());
            most_of_window = open_files().max(most_of_window);
        }
        most.push(most_of_window);
    }
    // The first window begins with empty tables and no index.
    let (settled, last) = (most[1], most[most.len() - 1]);
    assert!(last <= settled + SLACK, "open files at most, by window of {WINDOW} rounds: {most:?}");
}
