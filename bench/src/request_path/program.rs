//! The built program as this study runs it: in front of an upstream that always has something to say.
//!
//! It must not know what is measured, nor how a store is filled.

use std::path::Path;

use mainpoint_tests::{ProxyBuilder, ScriptedUpstream};

use crate::running::{Client, MODEL, NO_DEADLINE, program, talkative_upstream, with};

/// Whose memory is measured.
pub(super) const KEY: &str = "request-path";
/// What a conversation begins with.
pub(super) const SYSTEM: &str = "You are a friend who remembers.";
/// Most tokens of a forwarded prompt.
const BUDGET: u32 = 1200;

/// Has the program itself begin a store in `directory`, with one turn of the measured caller.
pub(super) async fn begin_store(overrides: &[(String, String)], directory: &Path) {
    let upstream = talkative_upstream().await;
    let proxy = builder(&upstream, overrides, directory).start().await;
    Client::new(MODEL, KEY, SYSTEM).say(&proxy, "Good morning!").await;
    proxy.everything_read().await;
    proxy.stop().await;
}

/// The whole scope is searched, and nothing is cut by a deadline.
pub(super) fn builder(upstream: &ScriptedUpstream, overrides: &[(String, String)], directory: &Path) -> ProxyBuilder {
    let directory = format!("{directory:?}");
    let ours = [("memory.recall", "\"caller\""), NO_DEADLINE, ("store.directory", &directory)];
    let builder = program(upstream, BUDGET, ours);
    with(builder, overrides.iter().map(|(key, value)| (key, value)))
}
