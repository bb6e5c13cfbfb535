//! Finds secrets in a text.
//!
//! Two passes over the text find where anything can begin: one for the words of all rules at once, one for runs of
//! letters and digits. Only there rules are tried, and none looks further than its own pattern goes, so that a text
//! takes time in proportion to its length, whatever is in it.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::RuleError;
use super::checksums::{card_at, iban_at};
use super::compiled::{CompiledRule, begins_word};
use super::rule::{Anchor, Check, Secret};
use super::rules;
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
        for (number, rule) in rules::all().enumerate() {
            rules.push(CompiledRule::new(rule)?);
            match rule.anchor {
                Anchor::Run => of_runs.push(number),
                Anchor::Word(listed) | Anchor::Start(listed) | Anchor::Part(listed) | Anchor::Before(_, listed) => {
                    words.add(listed, number);
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
                let Some(start) = start_of(compiled.rule.anchor, self.text, hit.start()) else { continue };
                self.attempt(*number, compiled, start);
            }
        }
    }

    /// Tries what begins with letters and digits.
    fn runs(&mut self) {
        let mut at = 0;
        while let Some(length) = self.text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_alphanumeric)) {
            let mut start = at + length;
            let rest = self.text.get(start..).unwrap_or_default();
            at = start + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let escapes = matches!(self.text.get(..=start), Some([.., b'\\', b'n' | b'r' | b't']));
            start += usize::from(escapes);
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
        let mut next = compiled.secret(self.text, start);
        while let Some(secret) = next.take() {
            *tried = secret.end;
            match compiled.passed(self.text, secret.clone()) {
                Some(range) => {
                    *tried = range.end.max(*tried);
                    next = compiled.further(self.text, *tried);
                    self.found.push(Found { range, kind: compiled.rule.kind, rank: number });
                }
                // The next name may stand within what this one does not name. A value is short, so that little is read twice.
                None if matches!(compiled.rule.secret, Secret::Value) => *tried = secret.start,
                None => {}
            }
        }
    }

    /// Finds again what was found by what stands before it: who says a password may say it twice.
    fn repeated(&mut self) {
        let bare = |found: &Found| {
            let rule = self.finder.rules.get(found.rank).map(|compiled| compiled.rule.check);
            // A word that was typed into a command may mean something else where it is said again.
            let has_digits = |value: &&[u8]| rule != Some(Check::Typed) || value.iter().any(u8::is_ascii_digit);
            let is_named = rule.is_some_and(|rule| NAMED.contains(&rule));
            let value = self.text.get(found.range.clone()).filter(|value| REPEATED_LENGTHS.contains(&value.len()));
            value.filter(|_| is_named).filter(has_digits).map(|value| (value, found.kind, found.rank))
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
/// What is checked so was found by what stands before it.
const NAMED: [Check; 7] =
    [Check::Assigned, Check::Said, Check::InUrl, Check::Random, Check::Told, Check::Paired, Check::Typed];
/// Secrets that are looked for again.
const MOST_REPEATED: usize = 64;
const REPEATED_LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;

/// Where a rule with this anchor begins whose word stands at `at`, if it does.
fn start_of(anchor: Anchor, text: &[u8], at: usize) -> Option<usize> {
    let before = text.get(..at).unwrap_or_default();
    match anchor {
        Anchor::Word(_) => begins_word(before).then_some(at),
        Anchor::Start(_) => (begins_word(before) && !matches!(before.last(), Some(b'-' | b'_'))).then_some(at),
        Anchor::Before(back, _) => at.checked_sub(back),
        Anchor::Part(_) | Anchor::Run => Some(at),
    }
}
