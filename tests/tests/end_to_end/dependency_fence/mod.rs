//! The direction of the dependencies: who may know llama.cpp, the database, and HTTP, and which folder may know which.
//!
//! It looks at manifests and sources only, and starts nothing.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};
use mainpoint_tests::checkout;

use imports::Imports;

/// What each folder of `proxy/src` on the way of a request may know, besides the errors and reasons that everybody names.
const WALLS: &[(&str, &[&str])] = &[
    (
        "server",
        &[
            "mcp",
            "upstream",
            "prompt",
            "conversation",
            "memory",
            "openai",
            "http",
            "config",
            "telemetry",
            "deadline",
            "ending",
            "rates",
            "room",
        ],
    ),
    ("mcp", &["memory"]),
    ("upstream", &["openai", "http", "config", "telemetry", "secret", "room"]),
    ("prompt", &["conversation", "memory", "openai", "config", "telemetry", "deadline", "room"]),
    ("conversation", &["openai", "http", "deadline"]),
    ("memory", &["config", "rates", "telemetry", "room"]),
    ("openai", &["deadline"]),
    ("http", &["config", "telemetry", "room"]),
];
/// What all of them may know.
const COMMON: [&str; 2] = ["error", "reason"];

#[test]
fn only_the_engine_depends_on_llama_cpp() {
    fence(&["llama-cpp-2", "llama-cpp-sys-2"], &["mainpoint-engine"]);
}

#[test]
fn only_the_store_depends_on_the_database_and_arrow() {
    let metadata = metadata();
    let direct = direct_dependencies(&metadata);
    let names = direct.iter().map(|(_, name)| name.as_str());
    let arrow: Vec<&str> = names.filter(|name| name.starts_with("arrow") || name.starts_with("lance")).collect();
    assert!(arrow.contains(&"lancedb"), "the fence must see the database: {arrow:?}");
    fence(&[&arrow[..], &["redb"]].concat(), &["mainpoint-store"]);
}

#[test]
fn only_the_proxy_and_the_tests_speak_http() {
    fence(&["hyper", "hyper-util", "reqwest"], &["mainpoint", "mainpoint-bench", "mainpoint-tests"]);
    let direct = direct_dependencies(&metadata());
    for library in ["hyper", "http", "http-body", "reqwest", "url"] {
        for below in ["mainpoint-engine", "mainpoint-store"] {
            assert!(!direct.contains(&(below.to_owned(), library.to_owned())), "{below} knows {library}");
        }
    }
}

#[test]
fn dependencies_go_from_the_tests_over_the_proxy_to_engine_and_store_and_never_back() {
    let direct = direct_dependencies(&metadata());
    let own = |package: &str| {
        let of_package = direct.iter().filter(|(from, to)| from == package && to.starts_with("mainpoint"));
        of_package.map(|(_, to)| to.as_str()).collect::<BTreeSet<_>>()
    };
    assert!(own("mainpoint-engine").is_empty(), "{:?}", own("mainpoint-engine"));
    assert!(own("mainpoint-store").is_empty(), "{:?}", own("mainpoint-store"));
    assert_eq!(own("mainpoint"), BTreeSet::from(["mainpoint-engine", "mainpoint-store"]));
    assert!(own("mainpoint-tests").is_empty(), "the tests know the product from outside only");
}

#[test]
fn within_the_proxy_arrows_go_from_the_server_to_the_prompt_and_from_there_to_what_it_is_made_of() {
    let imports = Imports::new(&checkout::root().join("proxy/src"));
    let arrows = imports.between_folders();
    for (from, allowed) in WALLS {
        let found = arrows.get(*from).unwrap_or_else(|| panic!("proxy/src has no {from}"));
        let foreign: Vec<&String> =
            found.iter().filter(|to| !allowed.contains(&to.as_str()) && !COMMON.contains(&to.as_str())).collect();
        assert!(foreign.is_empty(), "proxy/src/{from} knows {foreign:?}; it may know {allowed:?}");
    }
}

#[test]
fn no_two_folders_and_no_two_files_of_a_crate_import_each_other() {
    let mut files = Vec::new();
    for package in ["proxy", "engine", "store", "bench"] {
        let imports = Imports::new(&checkout::root().join(package).join("src"));
        let folders = imports.between_folders();
        assert!(folders.len() > 5, "only {folders:?} were seen in {package}");
        let circles = imports.circles_of_folders();
        assert!(circles.is_empty(), "folders of {package} import each other: {circles:?}");
        files.extend(imports.circles());
    }
    assert!(files.is_empty(), "files import each other: {files:?}");
}

#[test]
fn unsafe_code_stays_in_the_engines_one_module() {
    let root = checkout::root();
    let home = root.join("engine/src/ffi");
    let mut seen = 0;
    let mut elsewhere = Vec::new();
    for package in ["proxy", "engine", "store", "tests", "bench", "fuzz"] {
        for file in sources(&root.join(package)) {
            let text = fs::read_to_string(&file).expect("a source file");
            seen += 1;
            let lines = text.lines().filter(|line| uses_unsafe(line)).count();
            if lines > 0 && !file.starts_with(&home) {
                elsewhere.push((file, lines));
            }
        }
    }
    assert!(seen > 50, "only {seen} source files were seen");
    assert!(elsewhere.is_empty(), "unsafe code outside of engine/src/ffi: {elsewhere:?}");
    for crate_root in [
        "proxy/src/lib.rs",
        "proxy/src/main.rs",
        "store/src/lib.rs",
        "bench/src/lib.rs",
        "bench/src/main.rs",
        "fuzz/src/lib.rs",
        "tests/src/lib.rs",
        "tests/tests/end_to_end/main.rs",
    ] {
        let text = fs::read_to_string(root.join(crate_root)).expect("the root of a crate");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{crate_root} may not hold any");
    }
}

/// Only `owners` may depend on `libraries` directly, and each library is used by one of them.
fn fence(libraries: &[&str], owners: &[&str]) {
    let direct = direct_dependencies(&metadata());
    for library in libraries {
        let users: Vec<&str> =
            direct.iter().filter(|(_, name)| name == library).map(|(user, _)| user.as_str()).collect();
        assert!(!users.is_empty(), "nobody depends on {library}: the fence guards nothing");
        for user in users {
            assert!(owners.contains(&user), "{user} depends on {library}; only {owners:?} may");
        }
    }
}

/// Pairs of a member of the workspace and what its manifest names, for the build, for tests and as build dependency.
fn direct_dependencies(metadata: &Metadata) -> BTreeSet<(String, String)> {
    let members = metadata.workspace_packages();
    assert_eq!(members.len(), 6, "proxy, engine, store, tests, bench and fuzz");
    let pairs = members.iter().flat_map(|package| {
        package.dependencies.iter().map(|dependency| (package.name.to_string(), dependency.name.clone()))
    });
    pairs.collect()
}

fn metadata() -> Metadata {
    let manifest = checkout::root().join("Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).no_deps().other_options(["--locked".to_owned(), "--offline".to_owned()]);
    command.exec().expect("the workspace's metadata")
}

/// Every file of Rust below a folder.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").flatten().map(|entry| entry.path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Whether a line of code, comments aside, has the keyword.
fn uses_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let mut words =
        code.split(|character: char| !(character.is_alphanumeric() || character == '_' || character == '"'));
    words.any(|word| word == concat!("un", "safe"))
}
