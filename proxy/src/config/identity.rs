//! The section `[identity]`: its keys, defaults, what is allowed, and which keys go together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use http::header::AUTHORIZATION;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserializer;

use super::checked::{Seconds, parsed, section, variable};
use super::{MemoryConfig, UpstreamConfig};
use crate::secret::Secret;

section! {
    /// Whose memory a request may see.
    pub struct IdentityConfig {
        /// What says who a caller is.
        #[serde(deserialize_with = "source")]
        from: IdentityFrom = IdentityFrom::Credentials,
        /// Header that holds the token or the name; see [`IdentityConfig::header_name`].
        #[serde(deserialize_with = "header")]
        header: Option<HeaderName> = None,
        /// The only issuer whose tokens count; `None` for every one whose signatures verify.
        #[serde(deserialize_with = "text")]
        issuer: Option<String> = None,
        /// The audience that a token must be for; `None` for any.
        #[serde(deserialize_with = "text")]
        audience: Option<String> = None,
        /// Names of the claims that together make the identity, at least one.
        #[serde(deserialize_with = "claims")]
        claims: Vec<String> = vec!["iss".to_owned(), "sub".to_owned()],
        /// How far clocks may differ when a token's times are looked at.
        #[serde(rename = "leeway_seconds", with = "Seconds::<0, 3600>")]
        leeway: Duration = Duration::from_secs(60),
        /// File of the public keys that tokens are verified with: a JWKS, or keys in PEM.
        jwks_file: Option<PathBuf> = None,
        /// Secret that HS256 tokens are verified with. The file names the environment variable that holds it.
        #[serde(rename = "secret_env", deserialize_with = "variable")]
        secret: Option<Secret> = None,
        /// Whether tokens are not verified here, because the upstream refuses those that are forged.
        verified_upstream: bool = false,
        /// The networks of the gateways that may say who a caller is.
        #[serde(deserialize_with = "peers")]
        trusted_peers: Vec<IpNet> = LOOPBACK.to_vec(),
        /// The public names, in small letters, that these gateways pass on as the host that a request asks for.
        #[serde(deserialize_with = "hosts")]
        trusted_hosts: Vec<String> = Vec::new(),
        /// File of the keys that callers of this proxy have.
        keys_file: Option<PathBuf> = None,
    }
}

/// What says who a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityFrom {
    /// All of its credentials together.
    Credentials,
    /// Claims of the token that it sends.
    Jwt,
    /// A header that a gateway in front sets.
    Header,
    /// A key of this proxy's own.
    ProxyKeys,
}

impl IdentityFrom {
    /// What it may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"credentials\", \"jwt\", \"header\" or \"proxy-keys\"";

    fn parse(text: &str) -> Option<Self> {
        [Self::Credentials, Self::Jwt, Self::Header, Self::ProxyKeys].into_iter().find(|from| from.label() == text)
    }

    /// As it is written.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Jwt => "jwt",
            Self::Header => "header",
            Self::ProxyKeys => "proxy-keys",
        }
    }
}

/// A key of the configuration that does not fit the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// The key's full path.
    pub(super) key: &'static str,
    /// What would fit.
    pub(super) allowed: String,
}

impl IdentityConfig {
    /// The header that holds the token or the name: `authorization` for tokens unless configured, else `x-authenticated-user`.
    #[must_use]
    pub fn header_name(&self) -> HeaderName {
        match (&self.header, self.from) {
            (Some(header), _) => header.clone(),
            (None, IdentityFrom::Header) => HeaderName::from_static("x-authenticated-user"),
            (None, _) => AUTHORIZATION,
        }
    }

    /// The first key that does not fit the others, if one does not.
    pub(super) fn misfit(&self, upstream: &UpstreamConfig, memory: &MemoryConfig) -> Option<Misfit> {
        self.left_over().or_else(|| match self.from {
            IdentityFrom::Credentials => None,
            IdentityFrom::Jwt => {
                self.verification().or_else(|| self.on_trust(upstream)).or_else(|| self.shared(memory))
            }
            IdentityFrom::Header => self.gateway().or_else(|| self.shared(memory)),
            IdentityFrom::ProxyKeys => self.keys(upstream),
        })
    }

    /// A key that means nothing here was meant for something that does not happen.
    fn left_over(&self) -> Option<Misfit> {
        use IdentityFrom::{Header, Jwt, ProxyKeys};
        let written: [(bool, &'static str, &[IdentityFrom]); 8] = [
            (self.header.is_some(), "identity.header", &[Jwt, Header]),
            (self.issuer.is_some(), "identity.issuer", &[Jwt]),
            (self.audience.is_some(), "identity.audience", &[Jwt]),
            (self.jwks_file.is_some(), "identity.jwks_file", &[Jwt]),
            (self.secret.is_some(), "identity.secret_env", &[Jwt]),
            (self.verified_upstream, "identity.verified_upstream", &[Jwt]),
            (!self.trusted_hosts.is_empty(), "identity.trusted_hosts", &[Header]),
            (self.keys_file.is_some(), "identity.keys_file", &[ProxyKeys]),
        ];
        let (_, key, of) = written.into_iter().find(|(there, _, of)| *there && !of.contains(&self.from))?;
        let of: Vec<String> = of.iter().map(|from| format!("{:?}", from.label())).collect();
        let (of, now) = (of.join(" or "), self.from.label());
        Some(misfit(key, format!("no such key unless identity.from is {of}; it is {now:?}")))
    }

    /// Tokens are verified in one way.
    fn verification(&self) -> Option<Misfit> {
        let ways = [
            (self.jwks_file.is_some(), "identity.jwks_file"),
            (self.secret.is_some(), "identity.secret_env"),
            (self.verified_upstream, "identity.verified_upstream"),
        ];
        let mut ways = ways.into_iter().filter(|(there, _)| *there);
        match (ways.next(), ways.next()) {
            (Some(_), None) => None,
            (None, _) => Some(misfit(
                "identity.from",
                "beside it what tokens are verified with: identity.jwks_file, identity.secret_env or \
                 identity.verified_upstream = true",
            )),
            (Some((_, first)), Some((_, second))) => {
                Some(misfit(second, format!("one way of verifying tokens only; {first} is another")))
            }
        }
    }

    /// Where the upstream is to refuse forged tokens, the token must be what it goes by.
    fn on_trust(&self, upstream: &UpstreamConfig) -> Option<Misfit> {
        let allowed = match upstream {
            _ if !self.verified_upstream => return None,
            UpstreamConfig { url: None, .. } => "false with upstream.url = \"embedded\", which verifies nothing",
            UpstreamConfig { api_key: Some(_), .. } => {
                "false with upstream.api_key_env, whose key the upstream would go by instead of the token"
            }
            _ if self.header_name().as_str().starts_with("x-mainpoint") => {
                "false with an identity.header that begins with x-mainpoint, since such headers are not sent on"
            }
            _ => return None,
        };
        Some(misfit("identity.verified_upstream", allowed))
    }

    /// Whoever sets a gateway's header is not the caller, and nobody else needs it.
    fn gateway(&self) -> Option<Misfit> {
        let needed = super::memory::NEEDED_UPSTREAM.contains(&self.header_name().as_str());
        needed.then(|| {
            misfit("identity.header", "a header of its own, since it is not sent on: not one that the upstream needs")
        })
    }

    /// What says who somebody is cannot divide that one's memory, too.
    fn shared(&self, memory: &MemoryConfig) -> Option<Misfit> {
        let header = self.header_name();
        let taken = [(&memory.user_header, "memory.user_header"), (&memory.project_header, "memory.project_header")];
        let (_, by) = taken.into_iter().find(|(name, _)| **name == header)?;
        Some(misfit("identity.header", format!("another header than {by}")))
    }

    fn keys(&self, upstream: &UpstreamConfig) -> Option<Misfit> {
        let lacking = match (&self.keys_file, &upstream.url, &upstream.api_key) {
            (None, _, _) => "identity.keys_file beside it: the file of the keys",
            (_, Some(_), None) => {
                "upstream.api_key_env besides: the key that is sent on in place of a caller's key of this proxy"
            }
            _ => return None,
        };
        Some(misfit("identity.from", lacking))
    }
}

/// This machine.
const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
];

fn misfit(key: &'static str, allowed: impl Into<String>) -> Misfit {
    Misfit { key, allowed: allowed.into() }
}

fn source<'de, D: Deserializer<'de>>(input: D) -> Result<IdentityFrom, D::Error> {
    parsed(input, |text: &String| IdentityFrom::parse(text).ok_or(IdentityFrom::ALLOWED))
}

fn header<'de, D: Deserializer<'de>>(input: D) -> Result<Option<HeaderName>, D::Error> {
    parsed(input, |text: &String| {
        let name = HeaderName::from_bytes(text.as_bytes());
        name.map(Some).map_err(|_| "the name of an HTTP header")
    })
}

fn text<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    parsed(
        input,
        |text: &String| if text.is_empty() { Err("a text that is not empty") } else { Ok(Some(text.clone())) },
    )
}

/// Sorted, so that the order in which they are written makes no other identity.
fn claims<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    parsed(input, |names: &Vec<String>| {
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let allowed = !sorted.is_empty() && sorted.len() == names.len() && !sorted.iter().any(String::is_empty);
        allowed.then_some(sorted).ok_or("a list of names of claims, each once, such as [\"iss\", \"sub\"]")
    })
}

fn peers<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<IpNet>, D::Error> {
    parsed(input, |texts: &Vec<String>| {
        let network = |text: &String| {
            let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse::<IpNet>().ok().or_else(address)
        };
        let networks: Option<Vec<IpNet>> = texts.iter().map(network).collect();
        networks
            .filter(|networks| !networks.is_empty())
            .ok_or("a list, not empty, of addresses or networks such as [\"127.0.0.0/8\", \"10.0.0.7\", \"fd00::/8\"]")
    })
}

fn hosts<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    parsed(input, |names: &Vec<String>| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let host = |name: &String| {
            let host = name.trim_end_matches('.').to_ascii_lowercase();
            (!host.is_empty() && host.chars().all(legal)).then_some(host)
        };
        let hosts: Option<Vec<String>> = names.iter().map(host).collect();
        hosts.ok_or("a list of names of hosts, without scheme and port, such as [\"chat.example.com\"]")
    })
}
