//! End-to-end tests: the built binary, real models, a real store and real sockets.
//!
//! One binary for all of them, so that it is linked once. The tests know the product only as its users do.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod abstention;
mod acknowledged;
mod agent_loop;
mod append_only;
mod attachments;
mod bad_configuration;
mod bad_requests;
mod browsers;
mod byte_identity;
mod callers;
mod chats_apart;
mod client_behaviours;
mod clocks;
mod colliding_calls;
mod command_line;
mod compressed_bodies;
mod connections;
mod dependency_fence;
mod embedded_upstream;
mod examples;
mod fault_matrix;
mod faults;
mod field_reports;
mod foreign_store;
mod identity;
mod import;
mod isolation;
mod languages;
mod large_requests;
mod last_answer;
mod long_results;
mod mcp;
mod memory_api;
mod memory_commands;
mod memory_story;
mod memory_topics;
mod message_shapes;
mod modes;
mod odd_messages;
mod odd_texts;
mod openai_python;
mod openai_responses;
mod openapi;
mod operator;
mod own_headers;
mod own_words;
mod pasted_lines;
mod quotes;
mod recall_tool;
mod recorded_traffic;
mod refused_requests;
mod relaying;
mod responses_api;
mod said_again;
mod scopes;
mod scripted_chats;
mod secrets;
mod security_document;
mod shared;
mod small_windows;
mod spellings;
mod start_check;
mod stopping;
mod storage_trouble;
mod templates;
mod token_factors;
mod tool_calls;
mod upstream_connections;
mod upstream_trouble;
mod websockets;
mod whole_scope;
