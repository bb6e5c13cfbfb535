//! The parameters of a request's query.

use std::ops::RangeInclusive;

use http::Request;
use url::form_urlencoded;

use crate::error::ProxyError;
use crate::http::credentials;

/// Parameters by their names, each once.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Those of a request, which may have `known` ones only, and keys, which say who asks.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`] for one that is not known, or is there twice.
    pub(super) fn of<B>(request: &Request<B>, known: &'static [&'static str]) -> Result<Self, ProxyError> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            if credentials::is_key_in_query(&name) {
                continue;
            }
            let Some(known) = known.iter().copied().find(|known| *known == name) else {
                let allowed = match known {
                    [] => "no parameter in the query".to_owned(),
                    known => format!("no parameter but {} in the query", known.join(", ")),
                };
                return Err(ProxyError::InvalidParameter { name: name.into_owned(), value: shown(&value), allowed });
            };
            if query.get(known).is_some() {
                let allowed = "the parameter once".to_owned();
                return Err(ProxyError::InvalidParameter { name: known.to_owned(), value: shown(&value), allowed });
            }
            query.0.push((known, value.into_owned()));
        }
        Ok(query)
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter as `parse` reads it; `None` where it is not set.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`], saying that `allowed` was expected.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ProxyError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let refused =
            || ProxyError::InvalidParameter { name: name.to_owned(), value: shown(value), allowed: allowed.to_owned() };
        parse(value).map(Some).ok_or_else(refused)
    }

    /// A number within these bounds; `None` where it is not set.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`].
    pub(super) fn number(
        &self,
        name: &'static str,
        bounds: RangeInclusive<usize>,
    ) -> Result<Option<usize>, ProxyError> {
        let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.parsed(name, &allowed, |value| value.parse().ok().filter(|number| bounds.contains(number)))
    }

    /// How many things a page may have at most.
    ///
    /// # Errors
    /// [`ProxyError::InvalidParameter`].
    pub(super) fn limit(&self) -> Result<usize, ProxyError> {
        Ok(self.number("limit", 1..=MOST)?.unwrap_or(USUAL))
    }
}

const MOST: usize = 1000;
const USUAL: usize = 100;

/// A value as a message shows it.
pub(super) fn shown(value: &str) -> String {
    let cut: String = value.chars().take(SHOWN).collect();
    if cut.len() < value.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}

const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Result<Query, String> {
        let request = Request::builder().uri(format!("/x?{text}")).body(()).unwrap();
        Query::of(&request, &["limit", "after"]).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_known_or_said_twice_is_refused_by_name() {
        let found = query("after=a%20b&limit=3").unwrap();
        assert_eq!((found.get("after"), found.limit().unwrap()), (Some("a b"), 3));
        assert_eq!(query("").unwrap().limit().unwrap(), USUAL);
        let refused = query("limt=3").unwrap_err();
        assert_eq!(refused, "limt = \"3\"; expected no parameter but limit, after in the query.");
        assert_eq!(query("limit=3&limit=4").unwrap_err(), "limit = \"4\"; expected the parameter once.");
        for limit in ["0", "1001", "-1", "x", ""] {
            let refused = query(&format!("limit={limit}")).unwrap().limit().unwrap_err().to_string();
            assert_eq!(refused, format!("limit = {limit:?}; expected a whole number from 1 to 1000."));
        }
    }

    #[test]
    fn keys_are_no_parameters() {
        assert_eq!(query("api-key=a&limit=3&key=b&token=c").unwrap().0, [("limit", "3".to_owned())]);
        for other in ["pageToken", "page_token", "session_key"] {
            let refused = query(&format!("{other}=p")).unwrap_err();
            assert_eq!(refused, format!("{other} = \"p\"; expected no parameter but limit, after in the query."));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_or_refused(text in "[a-z0-9%&=+;]{0,40}") {
            if let Ok(found) = query(&text) {
                prop_assert!(found.0.len() <= 2);
            }
        }
    }
}
