//! What the API has: paths, methods and parameters.
//!
//! It must not know what any of it does.

use http::{Method, Request};

use crate::error::ProxyError;

/// Something that the API has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Conversations,
    /// The conversation with this id.
    Conversation(String),
    Turns,
    /// The turn with this id.
    Turn(String),
    Search,
    /// All of a memory.
    Whole,
    Export,
    Import,
    Stats,
    /// Every memory that there is.
    Scopes,
    Document,
}

/// A path with its methods and the parameters of its query.
pub(super) struct Described {
    /// As the document writes it.
    pub(super) path: &'static str,
    /// Methods besides HEAD, which goes with GET.
    pub(super) methods: &'static str,
    /// Names of parameters.
    pub(super) parameters: &'static [&'static str],
}

const fn described(path: &'static str, methods: &'static str, parameters: &'static [&'static str]) -> Described {
    Described { path, methods, parameters }
}

/// Everything that there is. `{id}` stands for any one segment.
pub(super) const ALL: [Described; 11] = [
    described("/conversations", "GET", &["limit", "after", "scope"]),
    described("/conversations/{id}", "DELETE", &["scope"]),
    described("/turns", "GET", &["conversation", "limit", "after", "scope"]),
    described("/turns/{id}", "GET, DELETE", &["scope"]),
    described("/search", "POST", &["scope"]),
    described("/memory", "DELETE", &["before", "scope"]),
    described("/export", "GET", &["scope"]),
    described("/import", "POST", &["scope"]),
    described("/stats", "GET", &["scope"]),
    described("/scopes", "GET", &[]),
    described("/openapi.json", "GET", &[]),
];

impl Endpoint {
    /// What lies at a path below the API's base.
    pub(super) fn find(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let found = match (segments.next()?, segments.next()) {
            ("conversations", None) => Self::Conversations,
            ("conversations", Some(id)) if !id.is_empty() => Self::Conversation(id.to_owned()),
            ("turns", None) => Self::Turns,
            ("turns", Some(id)) if !id.is_empty() => Self::Turn(id.to_owned()),
            ("search", None) => Self::Search,
            ("memory", None) => Self::Whole,
            ("export", None) => Self::Export,
            ("import", None) => Self::Import,
            ("stats", None) => Self::Stats,
            ("scopes", None) => Self::Scopes,
            ("openapi.json", None) => Self::Document,
            _ => return None,
        };
        segments.next().is_none().then_some(found)
    }

    /// Whether it takes the request's method.
    ///
    /// # Errors
    /// [`ProxyError::MethodNotAllowed`], naming those that it takes.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), ProxyError> {
        let allowed = self.described().methods;
        let method = request.method();
        let asked = if *method == Method::HEAD { "GET" } else { method.as_str() };
        if allowed.split(", ").any(|allowed| allowed == asked) {
            return Ok(());
        }
        Err(ProxyError::MethodNotAllowed { method: method.to_string(), path: request.uri().path().to_owned(), allowed })
    }

    /// The names of its parameters.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        self.described().parameters
    }

    fn described(&self) -> &'static Described {
        let [conversations, conversation, turns, turn, search, whole, export, import, stats, scopes, document] = &ALL;
        match self {
            Self::Conversations => conversations,
            Self::Conversation(_) => conversation,
            Self::Turns => turns,
            Self::Turn(_) => turn,
            Self::Search => search,
            Self::Whole => whole,
            Self::Export => export,
            Self::Import => import,
            Self::Stats => stats,
            Self::Scopes => scopes,
            Self::Document => document,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::server::api::{BASE, DOCUMENT};

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn every_path_is_found_by_what_describes_it_and_nothing_else_is() {
        for described in &ALL {
            let found = Endpoint::find(&described.path.replace("{id}", "abc")).unwrap();
            assert_eq!(found.described().path, described.path);
        }
        for path in ["", "/", "/turns/", "/turns/a/b", "/conversations/a/", "/nothing", "turns", "/scopes/a"] {
            assert_eq!(Endpoint::find(path), None, "{path}");
        }
    }

    #[test]
    fn a_method_is_taken_or_refused_with_those_that_are() {
        let check = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            Endpoint::find(path).unwrap().check(&request).map_err(|error| error.to_string())
        };
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            assert_eq!(check(method, "/turns/a"), Ok(()));
        }
        let refused = check(Method::POST, "/turns/a").unwrap_err();
        assert!(refused.contains("Not allowed to POST on /turns/a; use GET, DELETE"), "{refused}");
        assert!(check(Method::HEAD, "/search").is_err());
    }

    #[test]
    fn the_document_describes_every_path_method_and_parameter_and_no_other() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["servers"][0]["url"], BASE);
        let written: BTreeSet<(String, String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                operations.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters").map(
                    move |(method, operation)| {
                        let parameters = operation["parameters"].as_array().into_iter().flatten();
                        let names: BTreeSet<&str> = parameters.filter_map(name_in_query).collect();
                        (path.clone(), method.to_uppercase(), names.into_iter().collect::<Vec<_>>().join(" "))
                    },
                )
            })
            .collect();
        let known: BTreeSet<(String, String, String)> = ALL
            .iter()
            .flat_map(|described| {
                let names: BTreeSet<&str> = described.parameters.iter().copied().collect();
                let names = names.into_iter().collect::<Vec<_>>().join(" ");
                let methods = described.methods.split(", ");
                methods.map(move |method| (described.path.to_owned(), method.to_owned(), names.clone()))
            })
            .collect();
        assert_eq!(written, known);
    }

    /// The name of a parameter in the query; shared ones are referred to by it.
    fn name_in_query(parameter: &Value) -> Option<&str> {
        match parameter["$ref"].as_str() {
            Some(reference) => reference.strip_prefix("#/components/parameters/").filter(|name| *name != "id"),
            None => parameter["name"].as_str().filter(|_| parameter["in"] == "query"),
        }
    }

    #[test]
    fn everything_that_the_document_refers_to_is_there_and_every_operation_says_what_it_answers() {
        let document = document();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 20);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for operations in document["paths"].as_object().unwrap().values() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(
                    operation["operationId"].is_string() && operation["summary"].is_string(),
                    "{method} {operation}"
                );
                assert!(operation["responses"]["200"].is_object(), "{method} {operation}");
                assert!(operation["responses"]["default"].is_object(), "{method} {operation}");
            }
        }
    }

    fn collect(value: &Value, references: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, references));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
            _ => {}
        }
    }
}
