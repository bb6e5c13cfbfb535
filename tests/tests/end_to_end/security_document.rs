//! `SECURITY.md` names a test for everything that it says is stopped, and each of them is there.

use std::collections::BTreeSet;
use std::fs;

use mainpoint_tests::checkout;

use crate::dependency_fence::sources;

#[test]
fn every_row_of_the_table_of_threats_names_tests_and_each_of_them_is_there() {
    let document = fs::read_to_string(checkout::root().join("SECURITY.md")).expect("SECURITY.md");
    let tests = every_test();
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let shown_by = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows it: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name:?}, which should show: {row}");
        }
    }
}

/// The names of all functions that are tests, in any crate.
fn every_test() -> BTreeSet<String> {
    let folders = ["engine/src", "store/src", "store/tests", "proxy/src", "tests/src", "tests/tests"];
    let mut found = BTreeSet::new();
    for file in folders.iter().flat_map(|folder| sources(&checkout::root().join(folder))) {
        let text = fs::read_to_string(&file).expect("a source file");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some(name) = name.and_then(|rest| rest.split(['(', '<']).next()).filter(|_| is_test) {
                found.insert(name.to_owned());
            }
            is_test = line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || (is_test && (line.starts_with("#[") || line.starts_with("//")));
        }
    }
    found
}
