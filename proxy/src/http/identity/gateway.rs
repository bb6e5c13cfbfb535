//! The caller's name as a gateway in front says it, in a header that is believed of nobody else.
//!
//! It must not know how the gateway found out.

use std::net::IpAddr;

use http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::Name;
use crate::config::{IdentityConfig, IdentityFrom};
use crate::http::credentials::only_line;

/// The header, and the networks that it is believed from.
#[derive(Debug)]
pub(super) struct Gateway {
    header: HeaderName,
    trusted: Vec<IpNet>,
}

impl Gateway {
    /// As the configuration has it.
    pub(super) fn new(config: &IdentityConfig) -> Self {
        Self { header: config.header_name(), trusted: config.trusted_peers.clone() }
    }

    /// The header.
    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Whom the header names; `None` if it comes from somewhere else, is missing or empty, or came several times.
    pub(super) fn name(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<Name> {
        // A socket for both versions of IP shows IPv4 addresses within those of IPv6.
        let peer = peer?.to_canonical();
        if !self.trusted.iter().any(|network| network.contains(&peer)) {
            return None;
        }
        let name = only_line(headers, &self.header).ok().flatten()?;
        Some(Name::new(IdentityFrom::Header, vec![name.to_vec()]))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use http::header::HeaderValue;

    use super::*;
    use crate::config::Config;

    fn headers(names: &[&'static [u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append("x-authenticated-user", HeaderValue::from_bytes(name).unwrap());
        }
        headers
    }

    fn gateway(networks: &[&str]) -> Gateway {
        let mut config = Config::defaults().identity;
        config.from = IdentityFrom::Header;
        if !networks.is_empty() {
            config.trusted_peers = networks.iter().map(|network| network.parse().unwrap()).collect();
        }
        Gateway::new(&config)
    }

    #[test]
    fn a_name_is_believed_from_trusted_addresses_alone() {
        let (own, headers) = (gateway(&[]), headers(&[b"ann"]));
        let other = gateway(&["10.1.0.0/16", "fd00::/8"]);
        for (peer, by_own, by_other) in [
            ("127.0.0.1", true, false),
            ("127.9.9.9", true, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:10.1.2.3", false, true),
            ("10.1.255.255", false, true),
            ("10.2.0.0", false, false),
            ("fd12::1", false, true),
            ("fe80::1", false, false),
        ] {
            let peer = Some(peer.parse().unwrap());
            assert_eq!(own.name(&headers, peer).is_some(), by_own, "{peer:?}");
            assert_eq!(other.name(&headers, peer).is_some(), by_other, "{peer:?}");
        }
        assert_eq!(own.name(&headers, None), None);
    }

    #[test]
    fn a_name_is_its_bytes_and_none_or_several_are_nobody() {
        let (gateway, peer) = (gateway(&[]), Some(IpAddr::from([127, 0, 0, 1])));
        let name = |names| gateway.name(&headers(names), peer);
        assert_eq!(name(&[]), None);
        assert_eq!(name(&[b""]), None);
        assert_eq!(name(&[b"ann", b"ann"]), None);
        assert_ne!(name(&[b"\xff"]).unwrap(), name(&[b"\xfe"]).unwrap());
        assert_eq!(name(&[b"ann"]).unwrap(), name(&[b"ann"]).unwrap());
    }
}
