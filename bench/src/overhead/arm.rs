//! The ways for a request to reach the upstream, and what they are called.

/// One way for a request to reach the upstream. In the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arm {
    /// No proxy.
    Direct,
    Nginx,
    /// mainpoint with its memory off.
    Mainpoint,
    /// mainpoint with its memory on.
    Memory,
    Portkey,
    LiteLlm,
    Headroom,
}

impl Arm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Mainpoint => "mainpoint",
            Self::Memory => "mainpoint-memory",
            Self::Portkey => "portkey",
            Self::LiteLlm => "litellm",
            Self::Headroom => "headroom",
        }
    }
}
