//! `DELETE /memory`: all of a memory, or what is older than a date.

use http::Response;

use super::Call;
use crate::error::ProxyError;
use crate::http::response::Body;
use crate::memory::{Forget, time};

/// Deletes.
pub(super) async fn delete(call: &Call<'_>) -> Result<Response<Body>, ProxyError> {
    let allowed =
        "a time in RFC 3339, such as 2026-05-08T13:56:00Z (a + is written %2B), in the years 0001 to 9999 of UTC";
    let before = call.query.parsed("before", allowed, time)?;
    let what = before.map_or(Forget::Everything, Forget::Before);
    call.delete(what).await
}
