//! Keys that are drawn and taken out, whatever stood in the file before.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 5).unwrap()
}

fn folder_with(text: Option<&str>) -> (tempfile::TempDir, KeyFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    if let Some(text) = text {
        fs::write(&path, text).unwrap();
    }
    (folder, KeyFile::new(&path))
}

fn names(file: &KeyFile) -> Vec<String> {
    file.list().unwrap().into_iter().map(|key| key.name).collect()
}

fn by_hand(name: &str, key: &str) -> String {
    format!("[[keys]]\nname = {name:?}\nsha256 = {:?} # {key}\n\n", written_digest(key))
}

#[test]
fn a_key_is_drawn_for_a_name_found_by_its_digest_and_gone_when_it_is_revoked() {
    let (_folder, file) = folder_with(None);
    let limits = OwnLimits { requests_per_minute: Some(60), stored_bytes: Some(5), ..OwnLimits::default() };
    let (ann, ben) =
        (file.add("ann", limits, now()).unwrap(), file.add("ben \"x\"", OwnLimits::default(), now()).unwrap());
    assert!(ann.starts_with("mp-") && ann.len() == 35 && ann != ben, "{ann} {ben}");
    let text = fs::read_to_string(&file.path).unwrap();
    assert!(!text.contains(&ann) && !text.contains(&ben), "{text}");
    let list = KeyList::parse(&text).unwrap();
    assert_eq!((list.name_of(ann.as_bytes()), list.name_of(ben.as_bytes())), (Some("ann"), Some("ben \"x\"")));
    assert_eq!((list.limits_of("ann"), list.limits_of("ben \"x\"")), (limits, OwnLimits::default()));
    assert_eq!(file.list().unwrap()[0].created_at.unwrap().timestamp(), 1_790_000_000);
    assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);

    file.revoke("ann").unwrap();
    let list = KeyList::parse(&fs::read_to_string(&file.path).unwrap()).unwrap();
    assert_eq!((list.name_of(ann.as_bytes()), list.name_of(ben.as_bytes())), (None, Some("ben \"x\"")));
    file.revoke("ben \"x\"").unwrap();
    assert!(names(&file).is_empty(), "a list without a key is still one");
    file.add("ann", limits, now()).unwrap();
    assert_eq!(names(&file), ["ann"]);
}

#[test]
fn what_somebody_wrote_by_hand_stays_and_is_no_longer_readable_by_others() {
    let (ann, ben, ann_too) = (by_hand("ann", "k1"), by_hand("ben", "k2"), by_hand("ann", "k3"));
    let text = format!("# Who may come in.\n\n{ann}{ben}{ann_too}");
    let (_folder, file) = folder_with(Some(&text));
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
    file.add("cleo", OwnLimits::default(), now()).unwrap();
    let added = fs::read_to_string(&file.path).unwrap();
    assert!(added.starts_with(&text), "{added}");
    assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    file.revoke("cleo").unwrap();
    assert_eq!(fs::read_to_string(&file.path).unwrap(), text);
    file.revoke("ann").unwrap();
    assert_eq!(fs::read_to_string(&file.path).unwrap(), format!("# Who may come in.\n\n{ben}"), "all keys of the name");
}

#[test]
fn lists_in_json_in_one_line_of_toml_and_behind_links_are_changed_as_well() {
    let digest = written_digest("k");
    let json = format!(r#"{{"keys": [{{"name": "ann", "sha256": "{digest}"}}]}}"#);
    let inline = format!("keys = [{{ name = \"ann\", sha256 = \"{digest}\" }}]");
    for text in [json.as_str(), inline.as_str()] {
        let (folder, file) = folder_with(Some(text));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file.path, &link).unwrap();
        let file = KeyFile::new(&link);
        let key = file.add("ben", OwnLimits::default(), now()).unwrap();
        assert_eq!(names(&file), ["ann", "ben"]);
        let written = fs::read_to_string(folder.path().join("keys.toml")).unwrap();
        assert_eq!(is_json(&written), text == json);
        assert_eq!(KeyList::parse(&written).unwrap().name_of(key.as_bytes()), Some("ben"));
        file.revoke("ann").unwrap();
        file.revoke("ben").unwrap();
        assert!(names(&file).is_empty() && fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let text = by_hand("ann", "k1");
    let (_folder, file) = folder_with(Some(&text));
    let add = |name: &str| file.add(name, OwnLimits::default(), now());
    assert!(matches!(add("ann"), Err(KeyFileError::Taken)));
    for name in ["", " ann", "a\nb", &"x".repeat(101)] {
        assert!(matches!(add(name), Err(KeyFileError::Name(_))), "{name:?}");
    }
    assert!(matches!(file.revoke("ben"), Err(KeyFileError::Unknown)));
    assert_eq!(fs::read_to_string(&file.path).unwrap(), text);

    let (_folder, wrong) = folder_with(Some("key = \"mp-hidden\""));
    for error in [wrong.list().unwrap_err(), wrong.revoke("ann").unwrap_err()] {
        assert!(matches!(&error, KeyFileError::Read(error) if error.kind() == io::ErrorKind::InvalidData), "{error:?}");
        assert!(!format!("{error:?}").contains("hidden"));
    }
    let (_folder, missing) = folder_with(None);
    assert!(matches!(missing.list(), Err(KeyFileError::Read(_))));
    assert!(matches!(missing.revoke("ann"), Err(KeyFileError::Unknown)));
    assert!(!missing.path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_added_and_revoked_in_whatever_order_the_list_holds_what_is_left(
        steps in proptest::collection::vec(("[a-c\"\\\\#\\[\u{e9}]{1,2}", any::<bool>()), 1..12),
    ) {
        let (_folder, file) = folder_with(None);
        let mut expected: Vec<String> = Vec::new();
        for (name, adds) in steps {
            let is_there = expected.contains(&name);
            if adds {
                prop_assert_eq!(file.add(&name, OwnLimits::default(), now()).is_ok(), !is_there);
                if !is_there {
                    expected.push(name);
                }
            } else {
                prop_assert_eq!(file.revoke(&name).is_ok(), is_there);
                expected.retain(|known| *known != name);
            }
            if file.path.exists() {
                prop_assert_eq!(names(&file), expected.clone());
            }
        }
    }
}
