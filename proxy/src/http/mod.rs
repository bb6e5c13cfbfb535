//! HTTP as such: bodies, headers, paths, who a caller is, and the answers that mainpoint writes itself.
//!
//! A leaf: it must not know routes, memories or what a chat is.

pub(crate) mod alarm;
pub(crate) mod arriving;
pub(crate) mod body;
pub(crate) mod credentials;
pub(crate) mod encoding;
pub(crate) mod headers;
pub(crate) mod hosts;
pub(crate) mod identity;
pub(crate) mod paths;
pub(crate) mod reloaded;
pub(crate) mod response;
pub(crate) mod tapped;
pub(crate) mod through;

pub(crate) use arriving::RequestBody;
