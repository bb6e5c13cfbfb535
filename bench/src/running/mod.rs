//! The running proxy and those around it: the built program, a service that it forwards to, and a client, and what
//! processes use.
//!
//! Benchmarks that run programs share it. It must not know what is measured.

pub mod blocks;
pub mod client;
pub mod program;
pub mod upstream;
pub(crate) mod usage;
