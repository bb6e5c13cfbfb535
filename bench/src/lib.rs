//! Benchmarks that state their question, method and baseline.
//!
//! This crate is responsible for measuring the product with its own parts: it reads data files,
//! runs engine, store and the started program, and reports. Nothing of the product may know it.

pub mod bootstrap;
pub mod cache;
pub mod demo;
mod error;
pub mod handles;
pub mod ingest;
pub mod kills;
pub mod locate;
pub mod metrics;
pub mod overhead;
mod picture;
pub mod product;
pub mod progress;
pub mod prompt_prices;
pub mod ranking;
pub mod reader_speed;
pub mod recall;
pub mod recorded;
mod report;
pub mod request_path;
pub mod running;
mod store_settings;
pub mod words;

pub use error::BenchError;
