//! What a rule is: where it is tried, what it takes for a secret, and what has to be true of that.

use super::commands::Argument;
use crate::config::SecretKind;

/// How one shape of secret is recognised. Patterns are of bytes, not of characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) kind: SecretKind,
    pub(super) anchor: Anchor,
    /// What has to stand before the secret, from the anchor on.
    pub(super) lead: &'static str,
    pub(super) secret: Secret,
    pub(super) check: Check,
}

/// Where a rule is tried.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    /// From each of these words on, in capital letters or not, if no letter or digit stands before it.
    Word(&'static [&'static str]),
    /// The same, if no hyphen or underscore stands before it either.
    Start(&'static [&'static str]),
    /// From each of these words on, wherever it stands.
    Part(&'static [&'static str]),
    /// From so many bytes before each of these words on.
    Before(usize, &'static [&'static str]),
    /// From each run of letters and digits on that is as long as only few words are.
    Run,
}

/// What of a text is the secret.
#[derive(Debug, Clone, Copy)]
pub(super) enum Secret {
    /// What this matches right behind the lead.
    Next(&'static str),
    /// The first run of letters, digits and `_-+/` that this matches as a whole and that begins so many bytes behind the lead at most.
    Near(usize, &'static str),
    /// The value behind the lead, in quotes or without.
    Value,
    /// What a command takes as its password behind the lead, in one of these ways.
    Argument(&'static [Argument]),
}

/// What has to be true of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Its shape says it all.
    Shape,
    /// It looks random.
    Random,
    /// It is a whole key, and not only where one would stand.
    Block,
    /// No longer run of its letters goes on before or behind it, and no digest of a package stands here.
    NoDigest,
    /// It is what stands before the host in a URL, with the sign behind it, and not where a password would stand.
    InUrl,
    /// It was assigned to something that is called a secret.
    Assigned,
    /// It was said to be one in a sentence, in which many words may stand there.
    Said,
    /// It was told with a verb or a colon, or is an option's word, where few other words stand.
    Told,
    /// It was told behind a user's name and a sign between them, and is neither named itself nor an address.
    Paired,
    /// It stands where a program takes a password.
    Typed,
    /// It is a list of codes, which have digits.
    Codes,
    /// It is words that were drawn, and no sentence.
    Words,
    /// It is words that a wallet draws, up to what does not belong to them.
    Seed,
    /// It is a name and a password in Base64.
    Encoded,
}

/// A secret that begins with one of these words.
pub(super) const fn prefix(kind: SecretKind, words: &'static [&'static str], pattern: &'static str) -> Rule {
    at(kind, Anchor::Word(words), pattern)
}

/// A secret with this anchor.
pub(super) const fn at(kind: SecretKind, anchor: Anchor, pattern: &'static str) -> Rule {
    Rule { kind, anchor, lead: "", secret: Secret::Next(pattern), check: Check::Shape }
}

/// A secret behind something else.
pub(super) const fn behind(kind: SecretKind, anchor: Anchor, lead: &'static str, secret: Secret) -> Rule {
    Rule { kind, anchor, lead, secret, check: Check::Shape }
}

impl Rule {
    pub(super) const fn checked(self, check: Check) -> Self {
        Self { check, ..self }
    }
}
