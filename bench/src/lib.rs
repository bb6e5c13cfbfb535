//! Benchmarks that state their question, method and baseline.
//!
//! This crate is responsible for measuring the product with its own parts: it reads data files,
//! runs engine, store and the started program, and reports. Nothing of the product may know it.

#![forbid(unsafe_code)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "tests fail loudly"))]

pub mod answers;
mod cache;
mod content_words;
mod data;
pub mod demo;
mod error;
mod filled;
pub mod handles;
pub mod ingest;
pub mod kills;
mod locate;
mod memory_block;
pub mod memory_dead;
pub mod overhead;
mod product;
mod progress;
pub mod prompt_prices;
mod ranking;
pub mod reader_speed;
pub mod recall;
pub mod reliability;
mod report;
pub mod request_path;
mod running;
pub mod sessions;
pub mod soak;
mod stats;
pub mod storm;

pub use error::BenchError;
use error::Failing;
