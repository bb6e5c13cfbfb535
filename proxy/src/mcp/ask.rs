//! What a tool asks of a memory, and how the memory's API is asked for the same.

use chrono::SecondsFormat;
use http::Method;
use mainpoint_store::{ConversationId, TurnId};
use serde_json::{Value, json};

use crate::memory::{ConversationCursor, Forget, TopicsWanted, Window};

/// A question to a memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The turns that bear on a question.
    Search {
        /// The question.
        question: String,
        /// Most turns.
        limit: usize,
    },
    /// A turn, and what was said around it.
    Around {
        /// The turn.
        turn: TurnId,
        /// The conversation to read in; `None` for the first that the turn stands in.
        conversation: Option<ConversationId>,
        /// How much of it.
        window: Window,
    },
    /// A page of conversations.
    Conversations {
        /// Where the page before ended.
        after: Option<ConversationCursor>,
        /// Most conversations.
        limit: usize,
    },
    /// What the memory is about.
    Topics(TopicsWanted),
    /// To forget something.
    Forget(Forget),
}

/// A request to the memory's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiRequest {
    /// The method.
    pub(crate) method: Method,
    /// The path below the API's base, beginning with a slash.
    pub(crate) path: String,
    /// The parameters of the query.
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// The body, if there is one.
    pub(crate) body: Option<Value>,
}

impl ApiRequest {
    /// A request without parameters.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), parameters: Vec::new(), body: None }
    }

    /// The same with a parameter, if it is set.
    pub(crate) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.parameters.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

impl Ask {
    /// The same as a request to the API.
    pub(crate) fn request(&self) -> ApiRequest {
        match self {
            Self::Search { question, limit } => {
                let body = json!({"question": question, "limit": limit});
                ApiRequest { body: Some(body), ..ApiRequest::new(Method::POST, "/search") }
            }
            Self::Around { turn, conversation, window } => {
                ApiRequest::new(Method::GET, format!("/turns/{turn}/around"))
                    .with("before", Some(window.before))
                    .with("after", Some(window.after))
                    .with("conversation", *conversation)
            }
            Self::Conversations { after, limit } => {
                ApiRequest::new(Method::GET, "/conversations").with("limit", Some(limit)).with("after", *after)
            }
            Self::Topics(TopicsWanted { topics, nearest }) => {
                ApiRequest::new(Method::GET, "/topics").with("topics", *topics).with("nearest", Some(nearest))
            }
            Self::Forget(Forget::Turn(id)) => ApiRequest::new(Method::DELETE, format!("/turns/{id}")),
            Self::Forget(Forget::Conversation(id)) => ApiRequest::new(Method::DELETE, format!("/conversations/{id}")),
            Self::Forget(Forget::Before(time)) => {
                let time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
                ApiRequest::new(Method::DELETE, "/memory").with("before", Some(time))
            }
            Self::Forget(Forget::Everything) => ApiRequest::new(Method::DELETE, "/memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::turns_for_tests::{conversation, id};

    #[test]
    fn what_is_asked_becomes_a_request_to_the_api() {
        let search = Ask::Search { question: "Where?".to_owned(), limit: 3 }.request();
        assert_eq!((search.method, search.path.as_str()), (Method::POST, "/search"));
        assert_eq!(search.body, Some(json!({"question": "Where?", "limit": 3})));

        let window = Window { before: 2, after: 0 };
        let around = Ask::Around { turn: id(1), conversation: Some(conversation(2)), window }.request();
        assert_eq!(around.path, format!("/turns/{}/around", id(1)));
        let parameters =
            [("before", "2".to_owned()), ("after", "0".to_owned()), ("conversation", conversation(2).to_string())];
        assert_eq!(around.parameters, parameters);

        let first = Ask::Conversations { after: None, limit: 9 }.request();
        assert_eq!(first.parameters, [("limit", "9".to_owned())]);
        let topics = Ask::Topics(TopicsWanted { topics: None, nearest: 2 }).request();
        assert_eq!(topics.parameters, [("nearest", "2".to_owned())]);
        let forgotten = Ask::Forget(Forget::Conversation(conversation(2))).request();
        assert_eq!((forgotten.method, forgotten.path), (Method::DELETE, format!("/conversations/{}", conversation(2))));
        assert!(Ask::Forget(Forget::Everything).request().parameters.is_empty());
    }
}
