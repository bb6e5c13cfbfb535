//! Support for the end-to-end tests: a scripted upstream, a started proxy, a conversation and the clients that use them.
//!
//! It knows the product only from outside, as a user does: its command line, its files and what travels over its sockets.
//! It must not use the product's own crates, or a test could agree with a defect.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "a broken test set-up must stop the test with a message")]

pub mod answer;
pub mod binary;
pub mod calls;
pub mod certificates;
pub mod checkout;
pub mod compression;
pub mod conversation;
pub mod crowd;
pub mod deadline;
pub mod difference;
pub mod disk;
pub mod example;
pub mod faulty_upstream;
pub mod forwarded;
pub mod http_server;
pub mod languages;
mod listener;
pub mod metrics;
pub mod models;
pub mod prompt;
pub mod prompt_cache;
pub mod proxy;
pub mod python;
pub mod raw_http2;
pub mod raw_upstream;
pub mod recorded;
pub mod reply;
pub mod sse;
pub mod strict;
pub mod tls;
pub mod tokens;
pub mod upstream;
pub mod usage;
pub mod websocket;
pub mod wire;

pub use answer::Answer;
pub use conversation::Conversation;
pub use crowd::Crowd;
pub use deadline::{wait_until, within};
pub use disk::SmallDisk;
pub use prompt_cache::PromptCache;
pub use proxy::{ProxyBuilder, StartedProxy};
pub use reply::{Gate, Reply};
pub use upstream::{RecordedRequest, ScriptedUpstream};
