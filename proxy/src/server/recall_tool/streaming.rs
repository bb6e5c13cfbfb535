//! A streamed answer whose calls of our tool are answered on the way: the client sees one stream.
//!
//! Dropping the body ends whatever is going on.

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::tool_loop::ToolLoop;
use crate::error::ProxyError;
use crate::http::response::{Body, BodyError};
use crate::openai::recall_tool::{Asked, StreamedAnswer};
use crate::openai::request::Surface;
use crate::server::observed::ReplyKind;

/// `body`, which is the first answer of `tool_loop`, and those that follow.
pub(super) fn going_on(tool_loop: ToolLoop, body: Body) -> Body {
    let going_on = GoingOn { tool_loop, body, answer: StreamedAnswer::default(), is_over: false };
    let frames = stream::unfold(going_on, |mut going_on| async move {
        let next = going_on.next().await?;
        Some((next.map(Frame::data), going_on))
    });
    StreamBody::new(frames).boxed_unsync()
}

struct GoingOn {
    tool_loop: ToolLoop,
    /// The present answer.
    body: Body,
    answer: StreamedAnswer,
    /// Nothing more comes.
    is_over: bool,
}

impl GoingOn {
    /// What passes on next.
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            if self.is_over {
                return None;
            }
            let passing = match self.read().await {
                Ok(passing) => passing,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            };
            if !passing.is_empty() {
                return Some(Ok(passing));
            }
        }
    }

    /// Reads what comes next, or asks for the next answer; what passes on of it may be nothing.
    async fn read(&mut self) -> Result<Bytes, BodyError> {
        if self.answer.is_done()
            && let Some(asked) = self.answer.take_question()
        {
            self.go_on(asked).await?;
        }
        match self.body.frame().await.transpose()? {
            Some(frame) => Ok(frame.into_data().map(|data| self.answer.push(&data)).unwrap_or_default()),
            None => {
                let passing = self.answer.finish();
                match self.answer.take_question() {
                    Some(asked) => self.go_on(asked).await?,
                    None => self.is_over = true,
                }
                Ok(passing)
            }
        }
    }

    /// Answers what was asked, so that another answer comes.
    async fn go_on(&mut self, asked: Asked) -> Result<(), BodyError> {
        let response = self.tool_loop.go_on(asked).await?;
        let kind = ReplyKind::of(Surface::ChatCompletions, response.headers());
        if !(response.status().is_success() && matches!(kind, ReplyKind::Events(_))) {
            tracing::warn!(status = response.status().as_u16(), "the upstream did not go on with its stream");
            return Err(ProxyError::UpstreamBroken.into());
        }
        if self.tool_loop.is_last() {
            self.answer.expect_last();
        }
        self.body = response.into_body();
        Ok(())
    }
}
