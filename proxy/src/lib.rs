//! mainpoint: an OpenAI-compatible reverse proxy with a memory that reads attention.
//!
//! This crate is the only one that knows HTTP and the OpenAI wire format, and it holds the binary.

#![forbid(unsafe_code)]
// The way of a request is many futures deep.
#![recursion_limit = "256"]

// Set-up: what a person types, writes down and downloads.
pub mod cli;
pub mod config;
pub mod exit;
pub mod models;
pub mod terminal;

// The way of a request, from the outside inwards: each may use what comes after it.
pub mod app;
mod conversation;
mod http;
mod mcp;
pub mod memory;
mod openai;
mod prompt;
mod server;
mod upstream;

// What all of them use.
mod deadline;
mod ending;
pub mod error;
mod rates;
mod reason;
pub mod room;
mod secret;
pub mod telemetry;

// What is tried with any bytes.
#[doc(hidden)]
pub mod fuzzing;
