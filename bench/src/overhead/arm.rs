//! The ways for a request to reach the upstream, and what they are called.
//!
//! It must not know how they are started.

/// One way for a request to reach the upstream. In the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arm {
    Direct,
    Nginx,
    Mainpoint,
    Memory,
    Portkey,
    LiteLlm,
    Headroom,
}

impl Arm {
    /// The name in results and of log files.
    pub(super) fn name(self) -> &'static str {
        self.names().0
    }

    /// The name in tables.
    pub(super) fn title(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Direct => ("direct", "no proxy"),
            Self::Nginx => ("nginx", "nginx"),
            Self::Mainpoint => ("mainpoint", "mainpoint, memory off"),
            Self::Memory => ("mainpoint-memory", "mainpoint, memory on"),
            Self::Portkey => ("portkey", "Portkey gateway"),
            Self::LiteLlm => ("litellm", "LiteLLM proxy"),
            Self::Headroom => ("headroom", "Headroom"),
        }
    }
}
