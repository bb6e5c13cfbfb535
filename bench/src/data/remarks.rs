//! Small talk: ten remarks in each of ten languages, on which nothing that was said before bears.
//!
//! It must not know who is to be silent.

use std::collections::BTreeMap;

use crate::BenchError;

const REMARKS: &str = include_str!("../../data/small-talk.json");

/// The remarks by the code of their language.
pub(crate) fn remarks() -> Result<BTreeMap<String, Vec<String>>, BenchError> {
    serde_json::from_str(REMARKS).map_err(|error| BenchError::data("small-talk.json", error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_a_hundred_remarks_in_ten_languages() -> Result<(), BenchError> {
        let remarks = remarks()?;
        assert_eq!(remarks.len(), 10);
        let texts: BTreeSet<&String> = remarks.values().flatten().collect();
        assert_eq!(texts.len(), 100);
        Ok(())
    }
}
