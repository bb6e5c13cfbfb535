//! Secrets in what is said: finds them and puts masks in their place, so that they are neither stored nor read nor quoted.
//!
//! A mask says the kind and nothing more, `[secret: github]`, so that the turn can still be found by what was said of
//! the secret.

mod checksums;
mod commands;
mod compiled;
mod general;
mod languages;
mod masking;
mod matching;
mod places;
mod plausible;
mod programs;
mod rule;
mod rules;
mod services;
mod strength;
#[cfg(test)]
mod tests;

pub(crate) use masking::Masker;

/// The rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuleError {
    /// A pattern is none.
    #[error(transparent)]
    Pattern(#[from] regex::Error),
    /// The words are too many.
    #[error(transparent)]
    Words(#[from] aho_corasick::BuildError),
}
