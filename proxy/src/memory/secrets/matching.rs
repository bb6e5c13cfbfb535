//! Finds secrets in a text.
//!
//! Two passes over the text find where anything can begin: one for the words of all rules at once, one for runs of letters and
//! digits. Only there rules are tried, and none looks further than its own pattern goes, so that a text takes time in proportion to
//! its length, whatever is in it. It must not know what secrets look like, nor what becomes of them.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::{Regex, RegexBuilder};

use super::RuleError;
use super::checksums::{card_at, iban_at};
use super::rules::{Anchor, Check, RULES, Rule, Secret};
use super::strength;
use crate::config::SecretKind;

/// Finds what the rules describe.
pub(super) struct Finder {
    /// The words of all rules.
    words: AhoCorasick,
    /// The rules of each word.
    of_words: Vec<Vec<usize>>,
    /// The rules that are tried at long runs.
    of_runs: Vec<usize>,
    rules: Vec<CompiledRule>,
}

struct CompiledRule {
    rule: &'static Rule,
    /// `None` where nothing has to stand before the secret.
    lead: Option<Regex>,
    /// `None` for a value.
    secret: Option<Regex>,
}

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its bytes.
    pub(super) range: Range<usize>,
    pub(super) kind: SecretKind,
    /// The number of its rule; the least one names what several find.
    pub(super) rank: usize,
}

impl Finder {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When one is wrong, which tests rule out.
    pub(super) fn new() -> Result<Self, RuleError> {
        let mut words = Words::default();
        let (mut of_runs, mut rules) = (Vec::new(), Vec::new());
        for (number, rule) in RULES.iter().enumerate() {
            rules.push(CompiledRule::new(rule)?);
            match rule.anchor {
                Anchor::Run => of_runs.push(number),
                Anchor::Word(listed) | Anchor::Start(listed) | Anchor::Part(listed) | Anchor::Before(_, listed) => {
                    words.add(listed, number)
                }
            }
        }
        let Words { listed, rules: of_words, .. } = words;
        let words =
            AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(listed)?;
        Ok(Self { words, of_words, of_runs, rules })
    }

    /// What is found, in no order; some of it may overlap.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut search = Search { finder: self, text, found: Vec::new(), tried: Vec::new() };
        search.words();
        search.runs();
        if !search.found.is_empty() {
            search.repeated();
        }
        search.found
    }
}

/// Words, each once, and the rules that each of them may begin.
#[derive(Default)]
struct Words {
    listed: Vec<&'static str>,
    rules: Vec<Vec<usize>>,
    places: HashMap<&'static str, usize>,
}

impl Words {
    fn add(&mut self, words: &'static [&'static str], rule: usize) {
        for word in words {
            let place = *self.places.entry(word).or_insert(self.listed.len());
            match self.rules.get_mut(place) {
                Some(rules) => rules.push(rule),
                None => {
                    self.listed.push(word);
                    self.rules.push(vec![rule]);
                }
            }
        }
    }
}

/// One look through a text.
struct Search<'s> {
    finder: &'s Finder,
    text: &'s [u8],
    found: Vec<Found>,
    /// Up to where each rule has looked.
    tried: Vec<usize>,
}

impl Search<'_> {
    /// Tries the rules of every word.
    fn words(&mut self) {
        let finder = self.finder;
        for hit in finder.words.find_overlapping_iter(self.text) {
            for number in finder.of_words.get(hit.pattern().as_usize()).into_iter().flatten() {
                let Some(compiled) = finder.rules.get(*number) else { continue };
                let start = match compiled.rule.anchor {
                    Anchor::Word(_) | Anchor::Start(_) if !begins_word(self.text, hit.start()) => continue,
                    Anchor::Start(_)
                        if self
                            .text
                            .get(..hit.start())
                            .is_some_and(|before| before.ends_with(b"-") || before.ends_with(b"_")) =>
                    {
                        continue;
                    }
                    Anchor::Before(back, _) => hit.start().saturating_sub(back),
                    _ => hit.start(),
                };
                self.attempt(*number, compiled, start);
            }
        }
    }

    /// Tries what begins with letters and digits.
    fn runs(&mut self) {
        let mut at = 0;
        while let Some(length) = self.text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_alphanumeric)) {
            let start = at + length;
            let rest = self.text.get(start..).unwrap_or_default();
            at = start + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            self.number(start, at);
            if at - start >= LONG_RUN {
                let finder = self.finder;
                for number in &finder.of_runs {
                    if let Some(compiled) = finder.rules.get(*number) {
                        self.attempt(*number, compiled, start);
                    }
                }
            }
        }
    }

    /// A card or a bank account whose first run of letters and digits is this.
    fn number(&mut self, start: usize, end: usize) {
        let (kind, found) = match self.text.get(start) {
            Some(first) if first.is_ascii_digit() && end - start >= 4 => {
                (SecretKind::PaymentCard, card_at(self.text, start))
            }
            Some(_) if end - start >= 4 => (SecretKind::Iban, iban_at(self.text, start)),
            _ => return,
        };
        if let Some(end) = found {
            self.found.push(Found { range: start..end, kind, rank: self.finder.rules.len() });
        }
    }

    /// Tries a rule from `start` on.
    fn attempt(&mut self, number: usize, compiled: &CompiledRule, start: usize) {
        if self.tried.is_empty() {
            self.tried = vec![0; self.finder.rules.len()];
        }
        let Some(tried) = self.tried.get_mut(number).filter(|tried| **tried <= start) else { return };
        let Some(secret) = compiled.secret(self.text, start) else { return };
        *tried = secret.end;
        if let Some(range) = passed(compiled.rule.check, self.text, secret) {
            *tried = range.end.max(*tried);
            self.found.push(Found { range, kind: compiled.rule.kind, rank: number });
        }
    }

    /// Finds again what was found by what stands before it: who says a password may say it twice.
    fn repeated(&mut self) {
        let bare = |found: &Found| {
            let rule = self.finder.rules.get(found.rank).map(|compiled| compiled.rule.check);
            let is_named = matches!(rule, Some(Check::Assigned | Check::Said | Check::InUrl | Check::Random));
            let value = self.text.get(found.range.clone()).filter(|value| REPEATED_LENGTHS.contains(&value.len()));
            value.filter(|_| is_named).map(|value| (value, found.kind, found.rank))
        };
        let secrets: Vec<_> = self.found.iter().filter_map(bare).take(MOST_REPEATED).collect();
        let mut again = AhoCorasick::builder();
        let Ok(again) = again.kind(Some(AhoCorasickKind::ContiguousNFA)).build(secrets.iter().map(|(value, ..)| value))
        else {
            return;
        };
        let repeated = again.find_iter(self.text).filter_map(|hit| {
            let (_, kind, rank) = secrets.get(hit.pattern().as_usize())?;
            Some(Found { range: hit.range(), kind: *kind, rank: *rank })
        });
        let repeated: Vec<Found> = repeated.collect();
        self.found.extend(repeated);
    }
}

/// A long run of letters and digits: few words are as long.
const LONG_RUN: usize = 24;
/// Secrets that are looked for again.
const MOST_REPEATED: usize = 64;
const REPEATED_LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;

impl CompiledRule {
    fn new(rule: &'static Rule) -> Result<Self, regex::Error> {
        let pattern = |pattern: String| RegexBuilder::new(&pattern).unicode(false).build();
        let lead = (!rule.lead.is_empty()).then(|| pattern(format!("^(?:{})", rule.lead))).transpose()?;
        let secret = match rule.secret {
            Secret::Next(secret) => Some(pattern(format!("^(?:{secret})"))?),
            Secret::Near(_, secret) => Some(pattern(format!("^(?:{secret})$"))?),
            Secret::Value => None,
        };
        Ok(Self { rule, lead, secret })
    }

    /// What the rule takes for a secret from `start` on.
    fn secret(&self, text: &[u8], start: usize) -> Option<Range<usize>> {
        let rest = text.get(start..)?;
        let start = start + self.lead.as_ref().map_or(Some(0), |lead| lead.find(rest).map(|lead| lead.end()))?;
        let rest = text.get(start..)?;
        match (self.rule.secret, &self.secret) {
            (Secret::Next(_), Some(secret)) => secret.find(rest).map(|secret| start..start + secret.end()),
            (Secret::Near(most, _), Some(secret)) => {
                let run = runs(rest).take_while(|run| run.start <= most).find(|run| {
                    run.len() <= LONGEST_KEY && rest.get(run.clone()).is_some_and(|run| secret.is_match(run))
                })?;
                Some(start + run.start..start + run.end)
            }
            _ => strength::value(text, start),
        }
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

/// Bytes of the longest key that is found by what stands near it.
const LONGEST_KEY: usize = 64;

/// What of a match is a secret, if it is one.
fn passed(check: Check, text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let value = text.get(range.clone())?;
    let within = |part: Range<usize>| range.start + part.start..range.start + part.end;
    let is_passed = match check {
        Check::Shape => true,
        Check::Random => strength::is_random(value),
        Check::Block => value.len() >= SHORTEST_BLOCK,
        Check::NoDigest => {
            let (before, after) = (text.get(..range.start)?, text.get(range.end..)?);
            let goes_on =
                |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
            !goes_on(before.last()) && !goes_on(after.first()) && !before.ends_with(b"sha512-")
        }
        Check::InUrl => {
            let value = value.split_last()?.1;
            return strength::is_url_password(value).then(|| within(0..value.len()));
        }
        Check::Assigned => return strength::assigned(value).map(|part| extended(text, within(part))),
        Check::Said => return strength::said(value).map(|part| extended(text, within(part))),
    };
    // A sentence may end here.
    let end = value.iter().rev().take_while(|byte| **byte == b'.').count();
    is_passed.then(|| range.start..range.end - end)
}

/// All of a secret of which only the beginning was looked at.
fn extended(text: &[u8], range: Range<usize>) -> Range<usize> {
    let rest = text.get(range.end..).unwrap_or_default();
    let more =
        if range.len() < strength::JUDGED { 0 } else { rest.iter().take_while(|byte| strength::belongs(byte)).count() };
    range.start..range.end + more
}

/// Bytes of the shortest private key with its marks.
const SHORTEST_BLOCK: usize = 90;

/// Whether no letter or digit stands before `at`. An escape such as \n or %20 does not count as one.
fn begins_word(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    match before {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => true,
        [.., last] => !last.is_ascii_alphanumeric(),
        [] => true,
    }
}
