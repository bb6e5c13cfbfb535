//! Certificates of one issuer for `localhost` and 127.0.0.1, where a proxy finds them, and clients that trust them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::wire;

/// The issuer's certificate, in PEM.
pub const ISSUER: &str = include_str!("../data/tls/issuer.pem");
/// A certificate.
pub const FIRST: Certificate =
    Certificate { chain: include_str!("../data/tls/first.pem"), key: include_str!("../data/tls/first.key") };
/// The one that it is renewed with.
pub const SECOND: Certificate =
    Certificate { chain: include_str!("../data/tls/second.pem"), key: include_str!("../data/tls/second.key") };

/// A certificate and its private key, in PEM. They protect nothing.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub chain: &'static str,
    /// Its key.
    pub key: &'static str,
}

impl Certificate {
    /// Writes both into a folder.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn install(&self, folder: &Path) {
        let [chain, key] = files(folder);
        std::fs::write(chain, self.chain).expect("the certificate is written");
        std::fs::write(key, self.key).expect("the key is written");
    }

    /// Whether it is the one that `stream`'s server has shown.
    ///
    /// # Panics
    /// When it is no certificate.
    #[must_use]
    pub fn is_shown(&self, stream: &TlsStream<TcpStream>) -> bool {
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        shown == Some(&CertificateDer::from_pem_slice(self.chain.as_bytes()).expect("a certificate"))
    }
}

/// The files of the certificate and of its key in a folder.
#[must_use]
pub fn files(folder: &Path) -> [PathBuf; 2] {
    ["certificate.pem", "key.pem"].map(|name| folder.join(name))
}

/// A client that changes nothing and trusts the issuer.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn client() -> reqwest::Client {
    let issuer = reqwest::Certificate::from_pem(ISSUER.as_bytes()).expect("a certificate");
    wire::builder().add_root_certificate(issuer).build().expect("a client")
}

/// A connection to `authority` that trusts the issuer and can speak HTTP/1.1.
///
/// # Panics
/// When there is none.
pub async fn connect(authority: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ISSUER.as_bytes()).expect("a certificate")).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions of TLS");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(authority).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
}
