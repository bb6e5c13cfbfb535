//! Why an upstream gave no answer: what the client is told, and whether the request may be sent again.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy;

use super::heard::Heard;
use super::movement::Silence;
use crate::error::ProxyError;
use crate::http::arriving::{ArrivalError, causes, unreadable};
use crate::http::response::BodyError;
use crate::telemetry::metrics;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request or its connection failed.
    Broken {
        /// What the client library said.
        error: legacy::Error,
        /// Whether the connection had been kept alive after an earlier request.
        was_kept: bool,
        /// How long it took.
        after: Duration,
    },
    /// Nothing moved for too long.
    Silent(Silence),
    /// The upstream began to speak another protocol, which nobody had asked for.
    Switched,
}

impl Failure {
    /// Whether the request cannot have been read: the upstream says so, or it closed a connection that had been kept alive, as if
    /// it had done so before the request was there: at once, and without a byte of an answer.
    pub(super) fn may_be_repeated(&self) -> bool {
        match self {
            Self::Broken { error, was_kept, after } => {
                let closed = *was_kept && *after < AT_ONCE && is_closed_connection(error) && !Heard::before(error);
                !is_the_clients(error) && (closed || is_refused(error))
            }
            Self::Silent(_) | Self::Switched => false,
        }
    }

    /// Counts the failure. The client is told its kind; the address stays in the log.
    pub(super) fn told(self) -> ProxyError {
        let error = match self {
            Self::Silent(silence) => {
                metrics::upstream_failure("silent");
                return ProxyError::UpstreamTimeout { source: Box::new(silence) };
            }
            Self::Broken { error, .. } if is_the_clients(&error) => return unreadable(Box::new(error)),
            Self::Broken { error, .. } => error,
            Self::Switched => return unreachable("malformed", "its answer is not valid HTTP", SWITCHED.into()),
        };
        let (kind, reason) = if error.is_connect() && is_timeout(&error) {
            ("connect_timeout", "connecting took too long")
        } else if error.is_connect() && is_untrusted(&error) {
            ("tls", "no encrypted connection to whom it should be could be made")
        } else if error.is_connect() {
            ("connect", "the connection was refused or could not be made")
        } else if is_malformed(&error) {
            ("malformed", "its answer is not valid HTTP")
        } else {
            ("no_answer", "the connection broke before an answer came")
        };
        unreachable(kind, reason, error.into())
    }
}

const SWITCHED: &str = "it began to speak another protocol";

fn unreachable(kind: &'static str, reason: &str, source: BodyError) -> ProxyError {
    metrics::upstream_failure(kind);
    ProxyError::UpstreamUnreachable { reason: reason.to_owned(), source }
}

/// An upstream that takes longer than this before it closes the connection has read the request.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Whether the request's body did not come from the client.
fn is_the_clients(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(<dyn Error + 'static>::is::<ArrivalError>)
}

/// Whether the other side closed the connection, and not something on our own.
fn is_closed_connection(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        }
        cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::NotConnected
            )
        })
    })
}

/// Whether an upstream that speaks HTTP/2 says that it did nothing with the request: it refused the stream, or is going away in good
/// order. The error's type is not within reach, its text is.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let said = cause.to_string();
        REFUSALS.iter().any(|refusal| said.starts_with(refusal))
    })
}

const REFUSALS: [&str; 2] =
    ["stream error received: refused stream before processing", "connection error received: not a result of an error"];

/// Whether what came cannot be read as an answer, or its head is larger than can be taken.
fn is_malformed(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref().is_some_and(hyper::Error::is_parse))
}

/// Whether TLS failed: the certificate is not trusted or another one's, or what came is no TLS. Errors of input and output hide one
/// another.
fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        let mut hidden = std::iter::successors(Some(error), |error| error.get_ref()?.downcast_ref());
        hidden.any(|error| error.kind() == io::ErrorKind::InvalidData)
    })
}

/// Whether connecting took too long.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref().is_some_and(reqwest::Error::is_timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("around it")]
    struct Around(#[source] io::Error);

    #[test]
    fn only_a_connection_that_the_other_side_closed_counts_as_closed() {
        for (kind, expected) in [
            (io::ErrorKind::ConnectionReset, true),
            (io::ErrorKind::BrokenPipe, true),
            (io::ErrorKind::UnexpectedEof, true),
            (io::ErrorKind::ConnectionRefused, false),
            (io::ErrorKind::TimedOut, false),
            (io::ErrorKind::InvalidData, false),
        ] {
            assert_eq!(is_closed_connection(&Around(kind.into())), expected, "{kind}");
        }
    }

    #[test]
    fn a_failure_of_tls_is_found_behind_other_errors() {
        let hidden = |kind| Around(io::Error::other(io::Error::new(kind, "said")));
        assert!(is_untrusted(&hidden(io::ErrorKind::InvalidData)));
        assert!(!is_untrusted(&hidden(io::ErrorKind::UnexpectedEof)));
    }
}
