//! The embedded upstream: a small instruct model answers chat completions in this process.
//!
//! It is meant for trying mainpoint out.

mod field;
mod generation;
mod request;
#[cfg(test)]
mod request_tests;
mod wire;

use bytes::Bytes;
use chrono::Utc;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use mainpoint_engine::{Engine, EngineError};
use serde_json::{Value, json};
use uuid::Uuid;

use self::request::EmbeddedRequest;
use self::wire::Answer;
use super::{Call, CallBody};
use crate::error::ProxyError;
use crate::http::arriving::unreadable;
use crate::http::encoding::EncodingError;
use crate::http::response::{Body, json_response};
use crate::http::{encoding, paths};
use crate::room::{self, Room};

/// The chat model as an OpenAI-compatible server.
pub(crate) struct Embedded {
    engine: Engine,
    /// The name that `GET /models` shows; any name is accepted in requests.
    model: String,
    base_path: String,
    max_body_bytes: usize,
    room: Room,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Embedded").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Answers with the chat model of `engine`, shown as `model`.
    pub(crate) fn new(engine: Engine, model: String, server: &crate::config::ServerConfig, room: &Room) -> Self {
        let (base_path, max_body_bytes) = (server.base_path.clone(), server.max_body_bytes);
        Self { engine, model, base_path, max_body_bytes, room: room.clone() }
    }

    /// Answers `POST /chat/completions`, `GET /models` and `GET /models/{name}`.
    ///
    /// # Errors
    /// When the request is not one of these, asks for what the model cannot do, or is longer than its window; or when the model
    /// cannot answer.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Body>, ProxyError> {
        let path = paths::decoded_path(&call.path);
        match (&call.method, path.as_str()) {
            (&Method::POST, "/chat/completions") => {
                let body = self.whole(call.body).await?;
                let body = encoding::decompressed(&call.headers, &body, self.max_body_bytes, &self.room).await;
                let body = body.map_err(|reason| self.refusal(reason))?;
                let _held = self.room.try_take(room::for_reading(&body)).ok_or(ProxyError::NoRoom)?;
                self.complete(&body).await
            }
            (&Method::GET | &Method::HEAD, "/models") => {
                let list = json!({"object": "list", "data": [self.model_object()]});
                Ok(json_response(StatusCode::OK, &list))
            }
            (&Method::GET | &Method::HEAD, path) if path.starts_with("/models/") => {
                let asked = path.trim_start_matches("/models/");
                if asked != self.model {
                    let asked = asked.chars().take(LONGEST_SHOWN).collect();
                    return Err(ProxyError::ModelNotFound { asked, model: self.model.clone() });
                }
                Ok(json_response(StatusCode::OK, &self.model_object()))
            }
            (method, path) => Err(ProxyError::NotEmbedded {
                method: method.to_string(),
                path: format!("{}{}", self.base_path, path.chars().take(LONGEST_SHOWN).collect::<String>()),
                base_path: self.base_path.clone(),
            }),
        }
    }

    async fn complete(&self, body: &[u8]) -> Result<Response<Body>, ProxyError> {
        let asked = EmbeddedRequest::parse(body)?;
        let pieces = self.engine.generate(asked.generate).await.map_err(|error| match error {
            EngineError::PromptTooLong { tokens, most, window } => ProxyError::PromptTooLong { tokens, most, window },
            source => ProxyError::Embedded { source },
        })?;
        let model = asked.model.filter(|model| !model.is_empty()).unwrap_or_else(|| self.model.clone());
        let answer =
            Answer { id: format!("chatcmpl-{}", Uuid::new_v4().simple()), created: Utc::now().timestamp(), model };
        if asked.streams {
            Ok(generation::streamed(answer, pieces, asked.wants_usage))
        } else {
            generation::whole(&answer, pieces).await
        }
    }

    async fn whole(&self, body: CallBody) -> Result<Bytes, ProxyError> {
        match body {
            CallBody::Whole(bytes) => Ok(bytes),
            CallBody::Stream(body) => {
                let collected = Limited::new(body, self.max_body_bytes).collect().await;
                Ok(collected.map_err(unreadable)?.to_bytes())
            }
        }
    }

    fn refusal(&self, error: EncodingError) -> ProxyError {
        match error {
            EncodingError::Unknown => ProxyError::UnsupportedEncoding,
            EncodingError::NoRoom => ProxyError::NoRoom,
            EncodingError::TooLarge => ProxyError::BodyTooLarge { limit: self.max_body_bytes },
            _ => ProxyError::InvalidRequest {
                message: "The request body is not what its Content-Encoding says.".to_owned(),
                param: None,
            },
        }
    }

    fn model_object(&self) -> Value {
        json!({"id": self.model, "object": "model", "created": 0, "owned_by": "mainpoint"})
    }
}

/// Characters of a path that a refusal shows.
const LONGEST_SHOWN: usize = 80;
