//! TLS on the listening socket: the certificate, which is read again when it is renewed, and what a handshake begins with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys, ServerConfig as Settings};

use crate::config::ServerConfig;
use crate::error::StartError;
use crate::http::reloaded::{self, Reloaded, wrong};

/// What every client is shown, whatever name it asks for.
#[derive(Debug)]
struct Certificate(Reloaded<CertifiedKey, StartError, 2>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.latest())
    }
}

/// What carries out handshakes; `None` where no certificate is configured.
///
/// # Errors
/// [`StartError::File`] when the certificate or its key cannot be used.
pub(crate) fn acceptor(config: &ServerConfig) -> Result<Option<TlsAcceptor>, StartError> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else {
        return Ok(None);
    };
    let files = [certificate.clone(), key.clone()];
    let certificate = Certificate(Reloaded::open("the certificate and its key", files, load)?);
    let settings = Settings::builder_with_provider(Arc::new(ring::default_provider()));
    let settings = settings.with_safe_default_protocol_versions();
    let settings =
        settings.map_err(|error| StartError::Process { operation: "set up TLS", source: io::Error::other(error) })?;
    let mut settings = settings.with_no_client_auth().with_cert_resolver(Arc::new(certificate));
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(settings))))
}

/// Whether the client begins a handshake, and not a request without TLS. Waits for its first byte, which is left to be read.
///
/// # Errors
/// When the connection ends before.
pub(super) async fn is_begun(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first == [HANDSHAKE]),
    }
}

/// The kind of the record that every handshake begins with (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

fn load([certificate, key]: &[PathBuf; 2]) -> Result<CertifiedKey, StartError> {
    let of_certificate = |source| StartError::File {
        key: "server.tls_certificate",
        path: certificate.clone(),
        source,
        expected: "a certificate in PEM, and behind it those that lead to its issuer",
    };
    let of_key = |source| StartError::File {
        key: "server.tls_key",
        path: key.clone(),
        source,
        expected: "the private key of server.tls_certificate in PEM, without a password",
    };
    let chain = chain(certificate).map_err(of_certificate)?;
    let signing = ring::default_provider().key_provider.load_private_key(private(key).map_err(of_key)?);
    let signing = signing.map_err(|_| of_key(wrong("its private key is of no kind that can be used")))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => {
            Err(of_key(wrong(format!("its key does not fit the certificate in {}", certificate.display()))))
        }
        Err(error) => Err(of_certificate(wrong(format!("its first certificate cannot be read ({error})")))),
    }
}

fn chain(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let bytes = reloaded::bytes(path)?;
    let chain = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| wrong("it is no proper PEM"))?;
    if chain.is_empty() { Err(wrong("there is no certificate in it")) } else { Ok(chain) }
}

/// What is wrong with the file is said without anything that is in it.
fn private(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&reloaded::bytes(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => wrong("there is no private key in it"),
        _ => wrong("it is no proper PEM"),
    })
}
