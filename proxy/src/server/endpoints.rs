//! mainpoint's own endpoints: health, readiness, metrics, receipts and, when the configuration allows it, faults.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::readiness::Readiness;
use super::{Shared, operator};
use crate::conversation::scope::Sender;
use crate::error::ProxyError;
use crate::http::RequestBody;
use crate::http::arriving::unreadable;
use crate::http::response::{Body, json_response, response};
use crate::memory::MemoryPart;
use crate::telemetry;

/// Whether a request for `path` asks about the process's health; those are answered when every permit is taken.
pub(crate) fn is_vital(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// `GET /healthz`: the process listens.
pub(crate) fn health(request: &Request<RequestBody>) -> Result<Response<Body>, ProxyError> {
    reading(request)?;
    Ok(response(StatusCode::OK, TEXT, "ok"))
}

/// `GET /readyz`: 200 when every part is alive and does its work, else 503; the body names each part, and why one does not.
pub(crate) fn ready(shared: &Shared, request: &Request<RequestBody>) -> Result<Response<Body>, ProxyError> {
    reading(request)?;
    let mode = shared.config.memory.mode;
    let readiness = match (shared.memory(), shared.planner.trouble()) {
        (Some(memory), _) => {
            Readiness { dead: memory.dead_parts(), troubles: memory.store_troubles(), is_warm: memory.is_warm() }
        }
        (None, Some(trouble)) => Readiness { dead: Vec::new(), troubles: vec![trouble], is_warm: true },
        (None, None) => {
            return Ok(json_response(StatusCode::OK, &json!({"status": "ready", "parts": {}, "memory": "off"})));
        }
    };
    Ok(json_response(readiness.status(), &readiness.describe(mode)))
}

/// `GET /metrics`: Prometheus text, for the operator.
pub(crate) fn metrics(shared: &Shared, request: &Request<RequestBody>) -> Result<Response<Body>, ProxyError> {
    reading(request)?;
    operator::ensure_operator(&shared.config.server, request.headers())?;
    telemetry::metrics::held(shared.room.held());
    if let Some(memory) = shared.memory() {
        telemetry::metrics::engine(&memory.engine_status());
        telemetry::metrics::store(&memory.store_status(), &memory.store_troubles());
    } else if let Some(trouble) = shared.planner.trouble() {
        telemetry::metrics::store_troubles(&[trouble]);
    }
    Ok(response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", shared.metrics.render()))
}

/// `GET /mainpoint/receipts/{id}`: what was done to a request, for whoever sent it.
pub(crate) fn receipt(shared: &Shared, id: &str, request: &Request<RequestBody>) -> Result<Response<Body>, ProxyError> {
    reading(request)?;
    let missing = || ProxyError::NoReceipt { id: id.to_owned() };
    let planner = shared.planner.get().ok_or_else(missing)?;
    let (headers, uri) = (request.headers(), request.uri());
    let key = match shared.scope_on_trust(headers, uri) {
        Some(scope) => scope,
        None => {
            let identity = shared.identities.of(headers, uri, request.extensions()).ok_or_else(missing)?;
            planner.preparer.key_scope(Sender { headers, identity: &identity }).map_err(|_| missing())?
        }
    };
    let id: Uuid = id.parse().map_err(|_| missing())?;
    let receipt = shared.receipts.get(id, &key).ok_or_else(missing)?;
    let value = serde_json::to_value(receipt).map_err(|_| missing())?;
    Ok(json_response(StatusCode::OK, &value))
}

/// `POST /mainpoint/faults` with `{"stop": "reader" | "questions" | "store"}`: really stops that part, for the operator.
pub(crate) async fn faults(shared: &Arc<Shared>, request: Request<RequestBody>) -> Result<Response<Body>, ProxyError> {
    if request.method() != Method::POST {
        return Err(not_allowed(&request, "POST"));
    }
    operator::ensure_operator(&shared.config.server, request.headers())?;
    let body = Limited::new(request.into_body(), FAULT_BYTES).collect().await.map_err(unreadable)?.to_bytes();
    let fault: Fault = serde_json::from_slice(&body).map_err(|error| ProxyError::InvalidRequest {
        message: format!("{error}; the body must be {{\"stop\": \"reader\" | \"questions\" | \"store\"}}"),
        param: Some("stop"),
    })?;
    let Some(memory) = shared.memory() else {
        return Err(ProxyError::InvalidRequest {
            message: "memory.mode is off, so no part is running".to_owned(),
            param: Some("stop"),
        });
    };
    tracing::warn!(part = fault.stop.name(), "stopping a part because a fault was asked for");
    memory.stop(fault.stop).await;
    Ok(json_response(StatusCode::OK, &json!({"stopped": fault.stop.name()})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    stop: MemoryPart,
}

const TEXT: &str = "text/plain; charset=utf-8";
const FAULT_BYTES: usize = 4096;

fn reading(request: &Request<RequestBody>) -> Result<(), ProxyError> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(not_allowed(request, "GET")),
    }
}

fn not_allowed(request: &Request<RequestBody>, allowed: &'static str) -> ProxyError {
    ProxyError::MethodNotAllowed {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        allowed,
    }
}
