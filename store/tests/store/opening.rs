//! Opening: what is refused, by name, and what is left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use mainpoint_store::{Store, StoreConfig, StoreError};

use crate::support::{WIDTH, config, open, read, scope};

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_created_is_named_and_nothing_is_left_half_created() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    for path in [file.clone(), file.join("data"), "/proc/mainpoint/data".into()] {
        let error = Store::open(config(&path)).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unwritable { path: named, .. } if *named == path), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert_eq!(error.label(), "store_unwritable");
    }
    let names: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_too_long_for_the_system_leaves_no_parent_behind() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("created").join("x".repeat(300));
    assert!(matches!(Store::open(config(&path)).await.unwrap_err(), StoreError::Unwritable { .. }));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_directories_are_created() {
    let parent = tempfile::tempdir().unwrap();
    let store = open(&parent.path().join("a").join("b")).await;
    assert!(store.status().alive);
    assert_eq!((store.status().turns, store.status().points), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_its_owners_alone_wherever_the_directory_came_from_and_whoever_could_read_it_before() {
    let parent = tempfile::tempdir().unwrap();
    let given = parent.path().join("given");
    fs::create_dir(&given).unwrap();
    fs::set_permissions(&given, Permissions::from_mode(0o755)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for _ in 0..2 {
        open(&given).await.close().await.unwrap();
        let parts = ["journal.redb", "lance"].map(|name| given.join(name));
        assert_eq!(parts.each_ref().map(|part| mode(part)), [0o600, 0o700]);
        // As an earlier version left them.
        fs::set_permissions(&parts[0], Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&parts[1], Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(mode(&given), 0o755, "whose directory it is decides who may enter it");
    let made = parent.path().join("made");
    open(&made).await;
    assert_eq!(mode(&made), 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_refused_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let error = Store::open(config(directory.path())).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    store.close().await.unwrap();
    assert!(Store::open(config(directory.path())).await.unwrap().status().alive);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_vector_width_is_refused_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, &scope("s"), 0, &[("text", [1.0, 0.0, 0.0, 0.0])]).await;
    store.close().await.unwrap();
    let wider = StoreConfig { vector_width: WIDTH * 2, ..config(directory.path()) };
    let error = Store::open(wider).await.unwrap_err();
    assert!(matches!(error, StoreError::VectorWidth { found: WIDTH, expected: 8, .. }), "{error:?}");
    assert_eq!(open(directory.path()).await.status().turns, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_model_is_refused_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let of = |model: Option<&str>| StoreConfig { model: model.map(str::to_owned), ..config(directory.path()) };
    let store = Store::open(of(Some("one"))).await.unwrap();
    read(&store, &scope("s"), 0, &[("text", [1.0, 0.0, 0.0, 0.0])]).await;
    store.close().await.unwrap();
    let error = Store::open(of(Some("other"))).await.unwrap_err();
    assert!(error.to_string().contains("vectors of the model one, the one in use is other"), "{error}");
    for model in [Some("one"), None] {
        let store = Store::open(of(model)).await.unwrap();
        assert_eq!(store.status().turns, 1);
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_out_of_range_is_named_with_what_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let good = config(directory.path());
    let cases = [
        (StoreConfig { vector_width: 0, ..good.clone() }, "vector_width is 0, allowed is 1 to 65536"),
        (StoreConfig { flush_turns: 0, ..good.clone() }, "flush_turns is 0, allowed is at least 1"),
        (StoreConfig { cpu_threads: 0, ..good.clone() }, "cpu_threads is 0, allowed is at least 1"),
        (StoreConfig { flush_interval: Duration::ZERO, ..good.clone() }, "flush_interval is 0"),
        (StoreConfig { maintenance_interval: Duration::ZERO, ..good.clone() }, "maintenance_interval is 0"),
        (StoreConfig { retain_for: Some(Duration::ZERO), ..good.clone() }, "retain_for is 0"),
        (StoreConfig { ledger_age: Duration::ZERO, ..good }, "ledger_age is 0"),
    ];
    for (config, message) in cases {
        let error = Store::open(config).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
