//! Whether requests that are forwarded would come back: `upstream.url` names the address that the proxy itself listens on.
//!
//! A name is looked up only where the ports are the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use url::{Host, Url};

use crate::config::Config;
use crate::error::StartError;

/// Makes sure that the upstream is somebody else. Sends nothing but a look-up of the upstream's name.
///
/// # Errors
/// [`StartError::OwnAddress`].
pub async fn check_upstream(config: &Config) -> Result<(), StartError> {
    let listen = config.server.listen;
    let Some(url) = config.upstream.url.as_ref().filter(|url| url.port_or_known_default() == Some(listen.port()))
    else {
        return Ok(());
    };
    let hosts = addresses_of(url, listen.port()).await;
    if all_reach(listen.ip(), &hosts, is_of_this_machine) {
        return Err(StartError::OwnAddress { url: url.to_string(), listen });
    }
    Ok(())
}

/// The addresses of the URL's host. One that is not known now is nobody's.
async fn addresses_of(url: &Url, port: u16) -> Vec<IpAddr> {
    let name = match url.host() {
        Some(Host::Ipv4(address)) => return vec![address.into()],
        Some(Host::Ipv6(address)) => return vec![address.into()],
        // A dot at the end of a name only says that it is whole; files of known hosts have none.
        Some(Host::Domain(name)) => name.strip_suffix('.').unwrap_or(name),
        None => return Vec::new(),
    };
    match tokio::time::timeout(LOOKING_UP, tokio::net::lookup_host((name, port))).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        _ => Vec::new(),
    }
}

/// Whether what is sent to a name with these addresses comes to a socket that listens at `listen`, the ports being the same. A name
/// may have other machines' addresses beside this one's, and then the upstream is somebody else as well. One that has loopback
/// addresses only, as `localhost` has one of each family, is this machine by whichever of them.
fn all_reach(listen: IpAddr, hosts: &[IpAddr], is_own: impl Fn(IpAddr) -> bool) -> bool {
    let hosts: Vec<IpAddr> = hosts.iter().copied().map(destination).collect();
    let mut reached = hosts.iter().filter(|host| reaches(listen, **host, &is_own));
    if hosts.iter().all(IpAddr::is_loopback) {
        return reached.next().is_some();
    }
    reached.count() == hosts.len()
}

/// Where what is sent to an address goes: sent to none in particular, it comes to this machine.
fn destination(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// Whether what goes to `host` comes to a socket that listens at `listen`, the ports being the same.
fn reaches(listen: IpAddr, host: IpAddr, is_own: impl Fn(IpAddr) -> bool) -> bool {
    // A socket for every IPv6 address takes IPv4 as well.
    let takes_all = listen.is_unspecified() && (listen.is_ipv6() || host.is_ipv4());
    listen == host || (takes_all && (host.is_loopback() || is_own(host)))
}

/// Whether this machine has the address: what it sends there comes from there as well. Nothing is sent. That a socket can be bound
/// to an address would not say so where the system allows other machines' addresses (`ip_nonlocal_bind`).
fn is_of_this_machine(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, DISCARD))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}

/// A port for what nobody reads.
const DISCARD: u16 = 9;

/// How long looking up a name may take.
const LOOKING_UP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_comes_back_to_the_same_socket_is_the_proxys_own() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "0.0.0.0", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::1", false),
            ("127.0.0.1", "10.0.0.1", false),
            ("0.0.0.0", "127.0.0.2", true),
            ("0.0.0.0", "0.0.0.0", true),
            ("0.0.0.0", "10.0.0.1", true),
            ("0.0.0.0", "10.0.0.2", false),
            ("0.0.0.0", "::1", false),
            ("::", "::1", true),
            ("::", "127.0.0.1", true),
            ("::", "10.0.0.1", true),
            ("::1", "::", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "0.0.0.0", false),
            ("10.0.0.1", "127.0.0.1", false),
        ];
        let is_own = |host| host == address("10.0.0.1");
        for (listen, host, expected) in cases {
            assert_eq!(all_reach(address(listen), &[address(host)], is_own), expected, "{host} at {listen}");
        }
    }

    #[test]
    fn a_name_is_the_proxys_own_where_all_its_addresses_are_or_where_it_is_loopback() {
        let cases: [(&str, &[&str], bool); 8] = [
            ("127.0.0.1", &["::1", "127.0.0.1"], true),
            ("::1", &["::1", "127.0.0.1"], true),
            ("127.0.0.1", &["127.0.1.1"], false),
            ("0.0.0.0", &["10.0.0.1", "10.0.0.2"], false),
            ("0.0.0.0", &["10.0.0.1", "127.0.1.1"], true),
            ("127.0.0.1", &["127.0.0.1", "10.0.0.2"], false),
            ("10.0.0.1", &["10.0.0.1"], true),
            ("0.0.0.0", &[], false),
        ];
        let is_own = |host| host == address("10.0.0.1");
        for (listen, hosts, expected) in cases {
            let hosts: Vec<IpAddr> = hosts.iter().copied().map(address).collect();
            assert_eq!(all_reach(address(listen), &hosts, is_own), expected, "{hosts:?} at {listen}");
        }
    }

    #[test]
    fn this_machine_has_its_loopback_address_and_none_that_is_kept_for_documentation() {
        assert!(is_of_this_machine(Ipv4Addr::LOCALHOST.into()));
        for other in ["198.51.100.7", "203.0.113.7", "2001:db8::1"] {
            assert!(!is_of_this_machine(address(other)), "{other}");
        }
    }

    #[tokio::test]
    async fn an_upstream_at_the_own_address_is_refused_with_the_key_the_value_and_what_is_allowed() {
        let check = async |listen: &str, url: &str| {
            let mut config = Config::parse(&format!("[upstream]\nurl = \"{url}\"\n")).unwrap();
            config.server.listen = listen.parse().unwrap();
            check_upstream(&config).await
        };
        for (listen, url) in [
            ("127.0.0.1:8787", "http://127.0.0.1:8787/v1"),
            ("127.0.0.1:8787", "http://localhost:8787/v1"),
            ("127.0.0.1:8787", "http://localhost.:8787/v1"),
            ("127.0.0.1:80", "http://localhost/other"),
            ("[::1]:443", "https://[::1]/v1"),
            ("0.0.0.0:8787", "http://[::ffff:7f00:1]:8787/v1"),
        ] {
            let error = check(listen, url).await.unwrap_err();
            assert_eq!(error.exit_status().code(), 78);
            let said = error.to_string();
            assert!(said.starts_with(&format!("upstream.url = \"{url}\" ")), "{said}");
            assert!(said.contains(listen) && said.contains("expected"), "{said}");
        }
        for (listen, url) in [
            ("127.0.0.1:8787", "http://127.0.0.1:8788/v1"),
            ("127.0.0.1:0", "http://127.0.0.1:8787/v1"),
            ("127.0.0.1:8787", "embedded"),
        ] {
            assert!(check(listen, url).await.is_ok(), "{url} at {listen}");
        }
    }
}
