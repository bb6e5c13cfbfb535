//! What the API has: paths, methods and parameters.

use http::{Method, Request};

use crate::error::ProxyError;

/// Something that the API has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Conversations,
    Conversation,
    Turns,
    Turn,
    /// What was said around a turn.
    Around,
    Search,
    /// What a memory is about.
    Topics,
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
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) what: What,
    /// As the document writes it: `{id}` stands for any one segment.
    path: &'static str,
    /// Methods besides HEAD, which goes with GET.
    methods: &'static str,
    /// Names of parameters.
    pub(super) parameters: &'static [&'static str],
}

/// What lies at a path.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) endpoint: &'static Endpoint,
    /// What stands for `{id}`; empty where nothing does.
    pub(super) id: &'a str,
}

const fn endpoint(
    what: What,
    path: &'static str,
    methods: &'static str,
    parameters: &'static [&'static str],
) -> Endpoint {
    Endpoint { what, path, methods, parameters }
}

/// Everything that there is.
static ALL: [Endpoint; 13] = [
    endpoint(What::Conversations, "/conversations", "GET", &["limit", "after", "scope"]),
    endpoint(What::Conversation, "/conversations/{id}", "DELETE", &["scope"]),
    endpoint(What::Turns, "/turns", "GET", &["conversation", "limit", "after", "scope"]),
    endpoint(What::Turn, "/turns/{id}", "GET, DELETE", &["scope"]),
    endpoint(What::Around, "/turns/{id}/around", "GET", &["before", "after", "conversation", "scope"]),
    endpoint(What::Search, "/search", "POST", &["scope"]),
    endpoint(What::Topics, "/topics", "GET", &["topics", "nearest", "scope"]),
    endpoint(What::Whole, "/memory", "DELETE", &["before", "scope"]),
    endpoint(What::Export, "/export", "GET", &["scope"]),
    endpoint(What::Import, "/import", "POST", &["scope"]),
    endpoint(What::Stats, "/stats", "GET", &["scope"]),
    endpoint(What::Scopes, "/scopes", "GET", &[]),
    endpoint(What::Document, "/openapi.json", "GET", &[]),
];

/// What lies at a path below the API's base.
pub(super) fn find(path: &str) -> Option<Found<'_>> {
    ALL.iter().find_map(|endpoint| endpoint.id_in(path).map(|id| Found { endpoint, id }))
}

impl Endpoint {
    /// What stands for `{id}` in a path, or nothing where this has none; `None` if it is another path.
    fn id_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (mut written, mut id) = (path.split('/'), "");
        for segment in self.path.split('/') {
            let found = written.next()?;
            match segment {
                "{id}" if !found.is_empty() => id = found,
                segment if segment == found => {}
                _ => return None,
            }
        }
        written.next().is_none().then_some(id)
    }

    /// Whether it takes the request's method.
    ///
    /// # Errors
    /// [`ProxyError::MethodNotAllowed`], naming those that it takes.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), ProxyError> {
        let method = request.method();
        let asked = if *method == Method::HEAD { "GET" } else { method.as_str() };
        if self.methods.split(", ").any(|allowed| allowed == asked) {
            return Ok(());
        }
        Err(ProxyError::MethodNotAllowed {
            method: method.to_string(),
            path: request.uri().path().to_owned(),
            allowed: self.methods,
        })
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
        for endpoint in &ALL {
            let path = endpoint.path.replace("{id}", "abc");
            let found = find(&path).unwrap();
            assert_eq!(found.endpoint.what, endpoint.what);
            assert_eq!(found.id, if endpoint.path.contains("{id}") { "abc" } else { "" });
        }
        for path in ["", "/", "/turns/", "/turns/a/b", "/conversations/a/", "/nothing", "turns", "/scopes/a"] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_method_is_taken_or_refused_with_those_that_are() {
        let check = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            find(path).unwrap().endpoint.check(&request).map_err(|error| error.to_string())
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
            .flat_map(|endpoint| {
                let names: BTreeSet<&str> = endpoint.parameters.iter().copied().collect();
                let names = names.into_iter().collect::<Vec<_>>().join(" ");
                let methods = endpoint.methods.split(", ");
                methods.map(move |method| (endpoint.path.to_owned(), method.to_owned(), names.clone()))
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
