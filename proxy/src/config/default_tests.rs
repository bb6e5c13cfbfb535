//! Every default is in its range, and the shipped file says what the defaults are, whichever of its keys are left out.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::tests::{EMPTY, refusal};
use super::*;

const SHIPPED: &str = include_str!("../../../config.toml");

/// Section, key and default of every key whose value is a whole number.
fn whole_numbers() -> Vec<(String, String, i64)> {
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    let sections = shipped.iter().map(|(name, keys)| (name, keys.as_table().unwrap()));
    let keys = sections.flat_map(|(name, keys)| keys.iter().map(move |(key, value)| (name, key, value.as_integer())));
    keys.filter_map(|(section, key, value)| Some((section.clone(), key.clone(), value?))).collect()
}

#[test]
fn a_refusal_names_a_range_that_holds_the_default() {
    assert!(whole_numbers().len() > 20);
    for (section, key, default) in whole_numbers() {
        let error = refusal(&format!("[{section}]\n{key} = {}", i64::MIN));
        let range = error.rsplit_once("a whole number from ").and_then(|(_, range)| range.split_once(" to "));
        let (least, most) = range.unwrap();
        let least = if error.contains("expected 0, ") { "0" } else { least };
        let range = least.parse::<i64>().unwrap()..=most.parse().unwrap();
        assert!(range.contains(&default), "{section}.{key} = {default} is not in {range:?}");
    }
}

#[test]
fn a_flag_is_not_lost_in_a_section_that_is_none() {
    let overrides = Overrides { listen: Some("127.0.0.1:0".to_owned()), ..Overrides::default() };
    for section in ["[]", "3"] {
        let error = Config::read(&format!("server = {section}"), None, &overrides, EMPTY).unwrap_err().to_string();
        assert_eq!(error, format!("line 1: server = {section}: expected a section of its own, in square brackets"));
    }
}

proptest! {
    #[test]
    fn any_part_of_the_shipped_file_says_what_the_defaults_are(kept in vec(any::<bool>(), SHIPPED.lines().count())) {
        let lines = SHIPPED.lines().zip(kept).filter(|(line, kept)| *kept || line.starts_with('['));
        let part: Vec<&str> = lines.map(|(line, _)| line).collect();
        prop_assert_eq!(Config::parse(&part.join("\n")).unwrap(), Config::defaults());
    }

    #[test]
    fn a_whole_number_is_taken_or_refused_with_its_key_and_value(
        (section, key, _) in select(whole_numbers()),
        value in prop_oneof![-10..10_i64, -100_000..100_000_000_i64, any::<i64>()],
    ) {
        if let Err(error) = Config::parse(&format!("[{section}]\n{key} = {value}")) {
            let expected = format!("line 2: {section}.{key} = {value}: expected ");
            prop_assert!(error.to_string().starts_with(&expected), "{}", error);
        }
    }
}
