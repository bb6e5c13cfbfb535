//! Why the memory does not apply to a request, which is then forwarded as it came.
//!
//! A request to which the memory applies has no reason, unless it is over its budget and turns that could leave have
//! not been read yet.

use crate::http::encoding::EncodingError;
use crate::openai::request::ParseError;

/// Why the memory does not apply to a request: the part behind `reason=` in `x-mainpoint`, and the label of
/// `mainpoint_passthrough_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// The configuration or the request's own header switches the memory off.
    ModeOff,
    /// It cannot be told whose memory the request could see.
    NoIdentity,
    /// A browser sends it for a page of another machine, and it brings no key.
    ForeignPage,
    /// It asks for a host under whose name nobody is believed about who callers are.
    ForeignHost,
    /// The path is none whose prompts are rewritten.
    OtherPath,
    /// The connection became a WebSocket, whose messages are passed on unread.
    WebSocket,
    /// The body is compressed in a way that cannot be undone here.
    UnknownEncoding,
    /// The body is not what its `Content-Encoding` says.
    BrokenEncoding,
    /// The body is larger than `server.max_body_bytes` once decompressed.
    DecompressedTooLarge,
    /// The memory has no room for what it would make of the body: `server.max_memory`.
    NoRoom,
    /// The body is not JSON.
    NotJson,
    /// The body holds no messages.
    NoMessages,
    /// The body is JSON, and what is needed of it has a shape that is not known here.
    UnknownShape,
    /// There are more messages than are looked at.
    TooManyMessages,
    /// The request continues a conversation that the upstream keeps.
    KeptUpstream,
    /// The prompt is over its budget, and turns that could leave it have not been read yet.
    UnreadTurns,
}

impl From<EncodingError> for Reason {
    fn from(error: EncodingError) -> Self {
        match error {
            EncodingError::Unknown => Self::UnknownEncoding,
            EncodingError::Broken => Self::BrokenEncoding,
            EncodingError::TooLarge => Self::DecompressedTooLarge,
            EncodingError::NoRoom => Self::NoRoom,
        }
    }
}

impl Reason {
    /// Why the memory does not apply to a request that cannot be parsed; `None` when that only took too long.
    pub(crate) fn of_unparsed(error: ParseError) -> Option<Self> {
        match error {
            ParseError::NotJson => Some(Self::NotJson),
            ParseError::NoMessages => Some(Self::NoMessages),
            ParseError::Shape => Some(Self::UnknownShape),
            ParseError::TooMany => Some(Self::TooManyMessages),
            ParseError::Elsewhere => Some(Self::KeptUpstream),
            ParseError::Deadline => None,
        }
    }
}

impl Reason {
    /// Every reason.
    pub(crate) const ALL: [Self; 16] = [
        Self::ModeOff,
        Self::NoIdentity,
        Self::ForeignPage,
        Self::ForeignHost,
        Self::OtherPath,
        Self::WebSocket,
        Self::UnknownEncoding,
        Self::BrokenEncoding,
        Self::DecompressedTooLarge,
        Self::NoRoom,
        Self::NotJson,
        Self::NoMessages,
        Self::UnknownShape,
        Self::TooManyMessages,
        Self::KeptUpstream,
        Self::UnreadTurns,
    ];

    /// The metric label.
    pub(crate) fn label(self) -> &'static str {
        // What comes before the label is the same for all, so that header values need not be put together.
        self.header().strip_prefix("passthrough; reason=").unwrap_or_default()
    }

    /// The value of `x-mainpoint`.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::ModeOff => "passthrough; reason=mode-off",
            Self::NoIdentity => "passthrough; reason=no-identity",
            Self::ForeignPage => "passthrough; reason=foreign-page",
            Self::ForeignHost => "passthrough; reason=foreign-host",
            Self::OtherPath => "passthrough; reason=other-path",
            Self::WebSocket => "passthrough; reason=websocket",
            Self::UnknownEncoding => "passthrough; reason=unknown-encoding",
            Self::BrokenEncoding => "passthrough; reason=broken-encoding",
            Self::DecompressedTooLarge => "passthrough; reason=decompressed-too-large",
            Self::NoRoom => "passthrough; reason=no-room",
            Self::NotJson => "passthrough; reason=not-json",
            Self::NoMessages => "passthrough; reason=no-messages",
            Self::UnknownShape => "passthrough; reason=unknown-shape",
            Self::TooManyMessages => "passthrough; reason=too-many-messages",
            Self::KeptUpstream => "passthrough; reason=kept-upstream",
            Self::UnreadTurns => "passthrough; reason=unread-turns",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_label_of_its_own_that_a_header_can_carry() {
        let labels: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        assert_eq!(labels.len(), Reason::ALL.len());
        for label in labels {
            assert!(!label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        }
    }
}
