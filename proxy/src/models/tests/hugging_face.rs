//! Models from a server on loopback that answers as Hugging Face does.

use super::*;

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_stopped() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await.cutting_after(20);
    let (blueprint, source) = on_hugging_face(&server, None);
    shelf.fetch(blueprint, vec![source]).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
    let ranges: Vec<Option<String>> = server.requests().iter().map(|request| request.range.clone()).collect();
    // First the question for size and digest, then the download that is cut, then the rest.
    assert_eq!(ranges, [None, None, Some("bytes=20-".to_owned())]);
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_for_everything_again() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await.cutting_after(20).without_ranges();
    let (blueprint, source) = on_hugging_face(&server, None);
    shelf.fetch(blueprint, vec![source]).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
}

#[tokio::test]
async fn a_download_with_the_wrong_digest_is_deleted_and_nothing_is_installed() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await;
    let (blueprint, source) = on_hugging_face(&server, None);
    let expected = digest_of(b"what the configuration asks for");
    let reference = ModelReference::parse("hf:org/repo/tiny.gguf").unwrap().with_digest(expected);
    let blueprint = Blueprint { file: blueprint.file, ..Blueprint::new(&reference).unwrap() };
    let error = shelf.fetch(blueprint.clone(), vec![source]).await.unwrap_err().to_string();
    assert!(error.contains(&format!("expected {expected}")), "{error}");
    shelf.assert_nothing_is_installed();
    assert_eq!(shelf.file(blueprint).state(), ModelState::Missing);
}

#[tokio::test]
async fn the_digest_that_the_server_states_is_checked_too() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await.stating(digest_of(b"something else"));
    let (blueprint, source) = on_hugging_face(&server, None);
    let error = shelf.fetch(blueprint, vec![source]).await.unwrap_err().to_string();
    assert!(error.contains("SHA-256 is "), "{error}");
    shelf.assert_nothing_is_installed();
}

#[tokio::test]
async fn the_token_is_sent_and_a_refusal_says_what_to_do_without_showing_it() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await.wanting_token("hidden-word");
    let (blueprint, source) = on_hugging_face(&server, Some("wrong-hidden-word"));
    let error = shelf.fetch(blueprint, vec![source]).await.unwrap_err().to_string();
    assert!(
        error.contains("the server answered 401; accept the model's terms on its page and set HF_TOKEN"),
        "{error}"
    );
    assert!(!error.contains("hidden"), "{error}");

    let (blueprint, source) = on_hugging_face(&server, Some("hidden-word"));
    shelf.fetch(blueprint, vec![source]).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
}

#[tokio::test]
async fn two_fetches_at_once_download_once() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await;
    let (blueprint, first) = on_hugging_face(&server, None);
    let (_, second) = on_hugging_face(&server, None);
    let (one, other) =
        tokio::join!(shelf.fetch(blueprint.clone(), vec![first]), shelf.fetch(blueprint.clone(), vec![second]));
    let installed = |fetched: &Fetched| matches!(fetched, Fetched::Installed { .. });
    assert_eq!([one.unwrap(), other.unwrap()].iter().filter(|fetched| installed(fetched)).count(), 1);
    assert_eq!(server.requests().iter().filter(|request| request.method == "GET").count(), 1);
}
