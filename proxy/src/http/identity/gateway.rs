//! The caller's name as a gateway in front says it, in a header that is believed of nobody else.
//!
//! A browser on a machine whose address is trusted is no gateway: a page whose name was made to lead here could send
//! the header, with any key besides. So the header is believed only in requests for hosts that no stranger has.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Uri;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use url::Url;

use super::Name;
use crate::config::{IdentityConfig, IdentityFrom};
use crate::http::credentials::only_line;
use crate::http::hosts;

/// The header, and where it is believed.
#[derive(Debug)]
pub(super) struct Gateway {
    header: HeaderName,
    /// The networks that it is believed from.
    trusted: Vec<IpNet>,
    /// The public names that it is believed under.
    hosts: Vec<String>,
    /// Whether the log says that it came under another name.
    has_warned: AtomicBool,
}

impl Gateway {
    /// As the configuration has it.
    pub(super) fn new(config: &IdentityConfig) -> Self {
        Self {
            header: config.header_name(),
            trusted: config.trusted_peers.clone(),
            hosts: config.trusted_hosts.clone(),
            has_warned: AtomicBool::new(false),
        }
    }

    /// The header.
    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The host that a request asks for, if that is a public name under which nobody is believed.
    pub(super) fn foreign_host(&self, headers: &HeaderMap, uri: &Uri) -> Option<String> {
        hosts::public_name(headers, uri).filter(|host| !self.hosts.contains(host))
    }

    /// Whether a page is one of the hosts under whose names the header is believed.
    pub(super) fn is_own_page(&self, origin: &HeaderValue) -> bool {
        let url = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
        let host = url.as_ref().and_then(Url::host_str).map(|host| host.trim_end_matches('.'));
        host.is_some_and(|host| self.hosts.iter().any(|own| own == host))
    }

    /// Whom the header names; `None` if it comes from somewhere else or under another name, is missing or empty, or came several times.
    pub(super) fn name(&self, headers: &HeaderMap, uri: &Uri, peer: Option<IpAddr>) -> Option<Name> {
        // A socket for both versions of IP shows IPv4 addresses within those of IPv6.
        let peer = peer?.to_canonical();
        if !self.trusted.iter().any(|network| network.contains(&peer)) {
            return None;
        }
        let name = only_line(headers, &self.header).ok().flatten()?;
        if let Some(host) = self.foreign_host(headers, uri) {
            if !self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    ?host,
                    "a request that names its caller asks for a host that identity.trusted_hosts does not list, so that it has no \
                     identity; if a gateway passes this name on, list it"
                );
            }
            return None;
        }
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
            assert_eq!(own.name(&headers, &Uri::default(), peer).is_some(), by_own, "{peer:?}");
            assert_eq!(other.name(&headers, &Uri::default(), peer).is_some(), by_other, "{peer:?}");
        }
        assert_eq!(own.name(&headers, &Uri::default(), None), None);
    }

    #[test]
    fn a_name_is_its_bytes_and_none_or_several_are_nobody() {
        let (gateway, peer) = (gateway(&[]), Some(IpAddr::from([127, 0, 0, 1])));
        let name = |names| gateway.name(&headers(names), &Uri::default(), peer);
        assert_eq!(name(&[]), None);
        assert_eq!(name(&[b""]), None);
        assert_eq!(name(&[b"ann", b"ann"]), None);
        assert_ne!(name(&[b"\xff"]).unwrap(), name(&[b"\xfe"]).unwrap());
        assert_eq!(name(&[b"ann"]).unwrap(), name(&[b"ann"]).unwrap());
    }

    #[test]
    fn a_name_is_believed_under_hosts_that_no_stranger_has_and_under_those_that_are_listed() {
        let mut config = Config::defaults().identity;
        config.from = IdentityFrom::Header;
        config.trusted_hosts = vec!["chat.example.com".to_owned()];
        let (own, listed) = (gateway(&[]), Gateway::new(&config));
        let peer = Some(IpAddr::from([127, 0, 0, 1]));
        for (host, by_own, by_listed) in [
            ("127.0.0.1:8787", true, true),
            ("mainpoint:8787", true, true),
            ("chat.example.com", false, true),
            ("Chat.Example.com.:443", false, true),
            ("evil.chat.example.com", false, false),
            ("evil.example:8787", false, false),
            ("a\"b.evil.example:8787", false, false),
        ] {
            let mut headers = headers(&[b"ann"]);
            headers.insert("host", HeaderValue::from_static(host));
            headers.insert("authorization", HeaderValue::from_static("Bearer any"));
            for (gateway, believed) in [(&own, by_own), (&listed, by_listed)] {
                assert_eq!(gateway.name(&headers, &Uri::default(), peer).is_some(), believed, "{host}");
            }
        }
        for (origin, is_own) in [
            ("https://chat.example.com", true),
            ("https://CHAT.example.com:8443", true),
            ("https://evil.example", false),
            ("null", false),
        ] {
            assert_eq!(listed.is_own_page(&HeaderValue::from_static(origin)), is_own, "{origin}");
        }
    }
}
