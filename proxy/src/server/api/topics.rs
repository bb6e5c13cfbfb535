//! `GET /topics`: what a memory is about.

use http::{Response, StatusCode};

use super::Call;
use super::query::Query;
use crate::error::ProxyError;
use crate::http::response::{Body, serialized};
use crate::memory::TopicsWanted;

/// The topics of a memory, those with most turns first.
pub(super) async fn list(call: &Call<'_>) -> Result<Response<Body>, ProxyError> {
    let topics = call.memory().topics(call.scope, wanted(call.query)?).await?;
    Ok(serialized(StatusCode::OK, &topics))
}

fn wanted(query: &Query) -> Result<TopicsWanted, ProxyError> {
    let topics = query.number("topics", 1..=TopicsWanted::MOST_TOPICS)?;
    let nearest = query.number("nearest", 0..=TopicsWanted::MOST_NEAREST)?;
    Ok(TopicsWanted { topics, nearest: nearest.unwrap_or(TopicsWanted::USUAL_NEAREST) })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use http::Request;

    use super::*;

    fn asked(query: &str) -> Result<(Option<usize>, usize), String> {
        let request = Request::builder().uri(format!("/topics?{query}")).body(()).unwrap();
        let query = Query::of(&request, &["topics", "nearest", "scope"]).unwrap();
        wanted(&query).map(|wanted| (wanted.topics, wanted.nearest)).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_taken_within_their_bounds_and_said_where_they_are_not() {
        assert_eq!(asked(""), Ok((None, 3)));
        assert_eq!(asked("topics=100&nearest=0"), Ok((Some(100), 0)));
        for topics in ["0", "101", "-1", "some", ""] {
            let said = format!("topics = {topics:?}; expected a whole number from 1 to 100.");
            assert_eq!(asked(&format!("topics={topics}")), Err(said));
        }
        assert_eq!(asked("nearest=21"), Err("nearest = \"21\"; expected a whole number from 0 to 20.".to_owned()));
    }
}
