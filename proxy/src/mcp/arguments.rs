//! The arguments of a call, read one by one.

use std::ops::RangeInclusive;
use std::str::FromStr;

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::error::ProxyError;

/// The arguments of a call. One that is null counts as one that is not there.
#[derive(Debug)]
pub(super) struct Arguments<'a>(&'a JsonObject);

impl<'a> Arguments<'a> {
    /// Those of a call, which may have `known` ones only.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] for one that is not known.
    pub(super) fn new(arguments: &'a JsonObject, known: &[&str]) -> Result<Self, ProxyError> {
        match arguments.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, value)) => {
                let allowed = format!("no argument but {}", known.join(", "));
                Err(refused(name, Some(value), &allowed))
            }
            None => Ok(Self(arguments)),
        }
    }

    /// A text with at least one word.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] if it is missing or something else.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, ProxyError> {
        let value = self.get(name);
        let text = value.and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| refused(name, value, "text with at least one word"))
    }

    /// A whole number; `None` if it is missing.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] if it is out of range or something else.
    pub(super) fn number(&self, name: &str, range: &RangeInclusive<usize>) -> Result<Option<usize>, ProxyError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        let allowed = || format!("a whole number from {} to {}", range.start(), range.end());
        let number = number.filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| refused(name, Some(value), &allowed()))
    }

    /// The id of `what`; `None` if it is missing.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] if it is no id.
    pub(super) fn id<Id: FromStr>(&self, name: &str, what: &str) -> Result<Option<Id>, ProxyError> {
        self.parsed(name, &format!("the id of a {what}, 32 hexadecimal digits, as the other tools give it"))
    }

    /// Text in a form of its own; `None` if it is missing.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`], saying that `allowed` was expected, if it has another form.
    pub(super) fn parsed<T: FromStr>(&self, name: &str, allowed: &str) -> Result<Option<T>, ProxyError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        parsed.map(Some).ok_or_else(|| refused(name, Some(value), allowed))
    }

    /// What is set.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

/// What is wrong with a call that is none of the protocol; `tools` names those that there are.
pub(super) fn malformed(params: Option<&Value>, tools: &str) -> ProxyError {
    let allowed = "an object with the tool's \"name\" and its \"arguments\"";
    let Some(Value::Object(fields)) = params else {
        return refused("params", params, allowed);
    };
    match (fields.get("name"), fields.get("arguments")) {
        (Some(Value::String(_)), Some(Value::Object(_)) | None) => refused("params", params, allowed),
        (Some(Value::String(_)), arguments) => refused("arguments", arguments, "an object with the tool's arguments"),
        (name, _) => refused("name", name, &format!("one of {tools}")),
    }
}

/// An argument that cannot be used; without a value it is missing.
pub(super) fn refused(name: &str, value: Option<&Value>, allowed: &str) -> ProxyError {
    let value = value.map_or_else(|| "missing".to_owned(), shown);
    ProxyError::InvalidParameter { name: name.to_owned(), value, allowed: allowed.to_owned() }
}

/// Characters of a wrong value that a message shows.
const SHOWN: usize = 80;

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use mainpoint_store::TurnId;
    use rmcp::model::object;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_with_its_value_and_what_is_allowed() {
        let given = object(json!({"question": " ", "limit": 0, "turn": "7", "after": null}));
        let arguments = Arguments::new(&given, &["question", "limit", "turn", "after"]).unwrap();
        let said = |error: ProxyError| error.to_string();
        assert_eq!(
            said(arguments.text("question").unwrap_err()),
            "question = \" \"; expected text with at least one word."
        );
        assert_eq!(
            said(arguments.number("limit", &(1..=9)).unwrap_err()),
            "limit = 0; expected a whole number from 1 to 9."
        );
        let id = said(arguments.id::<TurnId>("turn", "turn").unwrap_err());
        assert!(id.starts_with("turn = \"7\"; expected the id of a turn, 32 hexadecimal digits"), "{id}");
        assert_eq!(arguments.number("after", &(1..=9)).unwrap(), None);
        let missing = object(json!({}));
        let missing = Arguments::new(&missing, &[]).unwrap();
        assert!(said(missing.text("question").unwrap_err()).starts_with("question = missing; expected"));
        let unknown = said(Arguments::new(&given, &["limit", "turn", "after"]).unwrap_err());
        assert_eq!(unknown, "question = \" \"; expected no argument but limit, turn, after.");
    }

    #[test]
    fn of_a_call_that_is_none_the_part_is_named_that_is_wrong() {
        for (params, said) in [
            (json!([]), "params = []; expected an object with"),
            (json!({"arguments": {}}), "name = missing; expected one of search, forget."),
            (json!({"name": 3}), "name = 3; expected one of search, forget."),
            (json!({"name": "search", "arguments": "x"}), "arguments = \"x\"; expected an object with the tool's"),
            (json!({"name": "search", "requestState": 3}), "params = {"),
        ] {
            let refused = malformed(Some(&params), "search, forget").to_string();
            assert!(refused.starts_with(said), "{params}: {refused}");
        }
        assert!(malformed(None, "search").to_string().starts_with("params = missing; expected"));
    }

    #[test]
    fn a_long_value_is_cut() {
        let shown = shown(&json!("é".repeat(200)));
        assert_eq!(shown.chars().count(), SHOWN + 1);
    }
}
