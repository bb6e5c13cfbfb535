//! mainpoint: an OpenAI-compatible reverse proxy with a memory that reads attention.
//!
//! This crate is the only one that knows HTTP and the OpenAI wire format, and it holds the binary. It must not know llama.cpp
//! (that is `mainpoint_engine`) nor LanceDB (that is `mainpoint_store`).

#![forbid(unsafe_code)]
// The way of a request is many futures deep.
#![recursion_limit = "256"]

// Set-up: what a person types, writes down and downloads.
pub mod cli;
pub mod config;
pub mod exit;
pub mod models;
pub mod terminal;

// The wire: what a request passes on its way from socket to socket.
pub mod chat;
mod ending;
pub mod error;
pub mod memory;
pub mod server;
pub mod startup;
pub mod telemetry;
pub mod upstream;
