//! Checks which headers tell callers and their users apart.
//!
//! It must not know which headers always count.

use http::HeaderName;

use super::{Checked, Validation, quoted};
use crate::config::MemoryConfig;

impl Validation<'_> {
    /// Takes over the header that names a user, and the further headers that are credentials.
    pub(super) fn callers(
        &self,
        (user, credentials): (Option<String>, Option<Vec<String>>),
        memory: &mut MemoryConfig,
    ) -> Checked<()> {
        if let Some(text) = user {
            memory.user_header = HeaderName::from_bytes(text.as_bytes())
                .map_err(|_| self.refuse("memory.user_header", &quoted(&text), "the name of an HTTP header"))?;
            if NEEDED_UPSTREAM.contains(&memory.user_header.as_str()) {
                let allowed = "a header of its own, since it is not sent on: not one that the upstream needs";
                return Err(self.refuse("memory.user_header", &quoted(&text), allowed));
            }
        }
        let Some(names) = credentials else { return Ok(()) };
        let headers: Result<Vec<HeaderName>, _> =
            names.iter().map(|name| HeaderName::from_bytes(name.as_bytes())).collect();
        let headers = headers.ok().filter(|headers| !headers.contains(&memory.user_header));
        memory.credential_headers = headers.ok_or_else(|| {
            let allowed = format!(
                "a list of names of HTTP headers such as [\"x-team-key\"], without {} (memory.user_header)",
                memory.user_header
            );
            self.refuse("memory.credential_headers", &format!("{names:?}"), &allowed)
        })?;
        Ok(())
    }
}

/// Headers that a request needs on its way; a user's header ends here.
const NEEDED_UPSTREAM: [&str; 14] = [
    "accept",
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];
