//! A place in a request's JSON: what stands there, and a refusal that names the key, the value and what is allowed.

use serde_json::Value;

use crate::error::ProxyError;

/// What a request has at one key.
#[derive(Debug)]
pub(super) struct Field<'request> {
    /// As messages show it, such as `messages[1].role`.
    path: String,
    value: Option<&'request Value>,
}

impl<'request> Field<'request> {
    /// A key of the body itself.
    pub(super) fn of(body: &'request Value, key: &str) -> Self {
        Self { path: key.to_owned(), value: body.get(key) }
    }

    /// A key of the object that stands here.
    pub(super) fn inside(&self, key: &str) -> Self {
        Self { path: format!("{}.{key}", self.path), value: self.value.and_then(|value| value.get(key)) }
    }

    /// What the list holds that stands here; `None` if it is none.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let items = self.value?.as_array()?.iter().enumerate();
        Some(items.map(|(index, value)| Self { path: format!("{}[{index}]", self.path), value: Some(value) }).collect())
    }

    /// The value; `None` for null, too.
    pub(super) fn given(&self) -> Option<&'request Value> {
        self.value.filter(|value| !value.is_null())
    }

    /// What `read` makes of the value; `None` where there is none.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] where `read` makes nothing of it.
    pub(super) fn read<T>(
        &self,
        allowed: &str,
        read: impl FnOnce(&'request Value) -> Option<T>,
    ) -> Result<Option<T>, ProxyError> {
        match self.given() {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.refused(allowed)),
        }
    }

    /// The refusal of what stands here.
    pub(super) fn refused(&self, allowed: &str) -> ProxyError {
        ProxyError::InvalidParameter {
            name: self.path.clone(),
            value: self.value.map_or_else(|| "missing".to_owned(), shown),
            allowed: allowed.to_owned(),
        }
    }
}

/// JSON as a message shows it: at most so many characters of it.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_names_the_whole_path_the_value_and_what_is_allowed() {
        let body = json!({"messages": [{}, {"role": 7}], "n": null});
        let messages = Field::of(&body, "messages").items().unwrap();
        let refused = |field: &Field<'_>| field.refused("a string").to_string();
        assert_eq!(refused(&messages[1].inside("role")), "messages[1].role = 7; expected a string.");
        assert_eq!(refused(&messages[0].inside("role")), "messages[0].role = missing; expected a string.");
        assert_eq!(refused(&Field::of(&body, "n")), "n = null; expected a string.");
        assert_eq!(messages[1].inside("role").refused("a string").param(), Some("messages[1].role"));
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let body = json!({"n": null});
        assert_eq!(Field::of(&body, "n").read("a number", Value::as_u64).unwrap(), None);
        assert_eq!(Field::of(&body, "m").read("a number", Value::as_u64).unwrap(), None);
        assert!(Field::of(&body, "n").items().is_none());
    }

    proptest! {
        #[test]
        fn what_is_shown_of_a_value_is_short_and_its_beginning(text in ".{0,200}") {
            let whole = json!([text]);
            let (whole, shown) = (whole.to_string(), shown(&whole));
            prop_assert!(shown.chars().count() <= SHOWN + 1);
            prop_assert!(shown == whole || shown.strip_suffix('…').is_some_and(|cut| whole.starts_with(cut)));
        }
    }
}
