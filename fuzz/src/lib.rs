//! What is read from outside, tried with bytes that nobody would send: by libFuzzer for as long as one likes (`make bench-fuzz`), and
//! for a moment by every run of the tests.

#![forbid(unsafe_code)]

pub mod mutations;
pub mod seeds;
#[cfg(test)]
mod tests;

/// A name, and what is tried under it. It panics where something is not as it must be.
pub type Target = (&'static str, fn(&[u8]));

/// All that can be tried.
pub fn targets() -> impl Iterator<Item = Target> {
    mainpoint::fuzzing::TARGETS.into_iter().chain(mainpoint_engine::fuzzing::TARGETS)
}

/// What is tried under `name`.
#[must_use]
pub fn target(name: &str) -> Option<fn(&[u8])> {
    targets().find(|(known, _)| *known == name).map(|(_, attempt)| attempt)
}
