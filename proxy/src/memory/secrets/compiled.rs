//! A rule at work: what it takes for a secret from a place on, and whether that is one.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::rule::{Check, Rule, Secret};
use super::{commands, plausible, strength};
use crate::config::SecretKind;

/// A rule that can be tried.
pub(super) struct CompiledRule {
    pub(super) rule: &'static Rule,
    /// `None` where nothing has to stand before the secret.
    lead: Option<Regex>,
    /// `None` for a value.
    secret: Option<Regex>,
}

impl CompiledRule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// When a pattern is none.
    pub(super) fn new(rule: &'static Rule) -> Result<Self, regex::Error> {
        let pattern = |pattern: String| RegexBuilder::new(&pattern).unicode(false).build();
        let lead = (!rule.lead.is_empty()).then(|| pattern(format!("^(?:{})", rule.lead))).transpose()?;
        let secret = match rule.secret {
            Secret::Next(secret) => Some(pattern(format!("^(?:{secret})"))?),
            Secret::Near(_, secret) => Some(pattern(format!("^(?:{secret})$"))?),
            Secret::Value | Secret::Argument(_) => None,
        };
        Ok(Self { rule, lead, secret })
    }

    /// What the rule takes for a secret from `start` on.
    pub(super) fn secret(&self, text: &[u8], start: usize) -> Option<Range<usize>> {
        let rest = text.get(start..)?;
        // A lead is short: nothing far behind its beginning is looked at.
        let rest = rest.get(..rest.len().min(LONGEST_LEAD))?;
        let start = start + self.lead.as_ref().map_or(Some(0), |lead| lead.find(rest).map(|lead| lead.end()))?;
        let rest = text.get(start..)?;
        match (self.rule.secret, &self.secret) {
            (Secret::Next(_), Some(secret)) => secret.find(rest).map(|secret| start..start + secret.end()),
            (Secret::Near(most, _), Some(secret)) => {
                let near = rest.get(..rest.len().min(most + LONGEST_KEY + 1))?;
                let mut runs = runs(near).take_while(|run| run.start <= most && run.len() <= LONGEST_KEY);
                let run = runs.find(|run| near.get(run.clone()).is_some_and(|run| secret.is_match(run)))?;
                Some(start + run.start..start + run.end)
            }
            (Secret::Argument(arguments), _) => Some(commands::password(text, start, arguments)),
            _ => strength::value(text, start),
        }
    }

    /// What the same command takes for a further secret behind one that ends at `end`.
    pub(super) fn further(&self, text: &[u8], end: usize) -> Option<Range<usize>> {
        match self.rule.secret {
            Secret::Argument(arguments) => commands::further(text, end, arguments),
            _ => None,
        }
    }

    /// What of that is a secret, if it is one.
    pub(super) fn passed(&self, text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
        let value = text.get(range.clone())?;
        let within = |part: Range<usize>| range.start + part.start..range.start + part.end;
        let is_address = || {
            let trimmed = value.get(strength::trimmed(value)).unwrap_or_default();
            self.rule.kind == SecretKind::Credential && plausible::is_address(trimmed)
        };
        let is_passed = match self.rule.check {
            Check::Shape => true,
            Check::Random => strength::is_random(value),
            Check::Block => value.len() >= SHORTEST_BLOCK,
            Check::NoDigest => {
                let (before, after) = (text.get(..range.start)?, text.get(range.end..)?);
                let is_joined = |byte: Option<&u8>| byte.is_some_and(|byte| b"+/=".contains(byte));
                let ends = after.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()) && !is_joined(after.first());
                ends && begins_word(before) && !is_joined(before.last()) && !before.ends_with(b"sha512-")
            }
            Check::InUrl => {
                let value = value.split_last()?.1;
                return strength::is_url_password(value).then(|| within(0..value.len()));
            }
            // Credentials are listed with the names of those whose they are.
            Check::Assigned | Check::Said if is_address() => false,
            Check::Assigned => return strength::assigned(value).map(|part| extended(text, within(part))),
            Check::Said => return strength::said(value).map(|part| extended(text, within(part))),
            Check::Told => return plausible::told(value).map(|part| extended(text, within(part))),
            Check::Paired => {
                let before = text.get(..range.start)?;
                return plausible::paired(before, value).map(|part| extended(text, within(part)));
            }
            Check::Typed => return plausible::typed(value).map(|part| closed(text, extended(text, within(part)))),
            Check::Codes => return plausible::codes(value).map(within),
            Check::Seed => return plausible::seed(value).map(within),
            Check::Words => plausible::is_drawn_words(value),
            Check::Encoded => plausible::is_basic(value),
        };
        // A sentence may end here.
        let end = value.iter().rev().take_while(|byte| **byte == b'.').count();
        is_passed.then(|| range.start..range.end - end)
    }
}

/// Runs of the letters of which keys are made, none of which is looked at beyond the length of keys.
fn runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/".contains(byte);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.iter().position(belongs)?;
        at = start + text.get(start..)?.iter().take(LONGEST_KEY + 1).take_while(|byte| belongs(byte)).count();
        Some(start..at)
    })
}

/// Bytes that are looked at for what stands before a secret.
const LONGEST_LEAD: usize = 2_048;

/// Bytes of the longest key that is found by what stands near it.
const LONGEST_KEY: usize = 64;

/// All of a secret of which only the beginning was looked at.
fn extended(text: &[u8], range: Range<usize>) -> Range<usize> {
    let rest = text.get(range.end..).unwrap_or_default();
    let more =
        if range.len() < strength::JUDGED { 0 } else { rest.iter().take_while(|byte| strength::belongs(byte)).count() };
    range.start..range.end + more
}

/// All of a secret in quotes of which only the first word was looked at.
fn closed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let quote = range.start.checked_sub(1).and_then(|at| text.get(at)).filter(|byte| b"\"'".contains(byte));
    let rest = text.get(range.end..).unwrap_or_default();
    let line = || rest.iter().take(strength::JUDGED).take_while(|byte| !b"\r\n".contains(byte));
    let more = quote.filter(|_| rest.first() == Some(&b' ')).and_then(|quote| line().position(|byte| byte == quote));
    range.start..range.end + more.unwrap_or(0)
}

/// Bytes of the shortest private key with its marks.
const SHORTEST_BLOCK: usize = 90;

/// Whether a text does not end in a letter or digit. An escape such as \n or %20 does not count as one.
pub(super) fn begins_word(before: &[u8]) -> bool {
    match before {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., last] => !last.is_ascii_alphanumeric(),
        [] => true,
    }
}
