//! All rules in order.
//!
//! Where two rules find the same bytes the first one names the kind.

use super::general::GENERAL;
use super::languages::LANGUAGES;
use super::places::PLACES;
use super::programs::PROGRAMS;
use super::rule::Rule;
use super::services::SERVICES;

/// All rules, special ones before general ones.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    SERVICES.iter().chain(GENERAL).chain(PROGRAMS).chain(PLACES).chain(LANGUAGES)
}
