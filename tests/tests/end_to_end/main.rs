//! End-to-end tests: the built binary, real models, a real store and real sockets.
//!
//! One binary for all of them, so that it is linked once. The tests know the product only as its users do.

#![expect(clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod abstention;
mod agent_loop;
mod append_only;
mod bad_configuration;
mod bad_requests;
mod byte_identity;
mod command_line;
mod dependency_fence;
mod embedded_upstream;
mod faults;
mod import;
mod isolation;
mod memory_story;
mod message_shapes;
mod modes;
mod openai_python;
mod openai_responses;
mod recorded_traffic;
mod relaying;
mod reranking;
mod responses_api;
mod tool_calls;
mod upstream_trouble;
