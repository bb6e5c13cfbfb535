//! TLS in front of another server, with a certificate that is made when it is needed.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::listener::Listener;

/// A certificate that vouches for itself, and its key.
#[derive(Debug)]
pub struct Certificate {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// For a server at this address, until 2049.
    ///
    /// # Panics
    /// When the system has no random numbers.
    #[must_use]
    pub fn of(address: Ipv4Addr) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).expect("a key");
        let algorithm = der(SEQUENCE, &[&ECDSA_WITH_SHA256]);
        let common_name = der(SEQUENCE, &[&COMMON_NAME, &der(UTF8, &[b"mainpoint tests"])]);
        let name = der(SEQUENCE, &[&der(SET, &[&common_name])]);
        let validity = der(SEQUENCE, &[&der(UTC_TIME, &[b"240101000000Z"]), &der(UTC_TIME, &[b"491231235959Z"])]);
        let public = der(BITS, &[&[0], pair.public_key().as_ref()]);
        let public = der(SEQUENCE, &[&der(SEQUENCE, &[&EC_PUBLIC_KEY, &PRIME256V1]), &public]);
        let names = der(SEQUENCE, &[&der(IP_ADDRESS, &[&address.octets()])]);
        let extension = der(SEQUENCE, &[&SUBJECT_ALT_NAME, &der(OCTETS, &[&names])]);
        let extensions = der(EXTENSIONS, &[&der(SEQUENCE, &[&extension])]);
        let signed = der(
            SEQUENCE,
            &[
                &der(VERSION, &[&der(INTEGER, &[&[2]])]),
                &der(INTEGER, &[&[1]]),
                &algorithm,
                &name,
                &validity,
                &name,
                &public,
                &extensions,
            ],
        );
        let signature = pair.sign(&random, &signed).expect("a signature");
        let certificate = der(SEQUENCE, &[&signed, &algorithm, &der(BITS, &[&[0], signature.as_ref()])]);
        Self { certificate, key: key.as_ref().to_vec() }
    }

    /// Writes it into a folder as the only one that is trusted: the file for `SSL_CERT_FILE`.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn trusted_in(&self, folder: &Path) -> PathBuf {
        let path = folder.join("trusted.pem");
        let text = STANDARD.encode(&self.certificate);
        std::fs::write(&path, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"))
            .expect("the file is written");
        path
    }
}

/// Speaks TLS on a port of its own, and passes what is in it on to another port; it stops when dropped.
#[derive(Debug)]
pub struct TlsFront {
    listener: Listener,
}

impl TlsFront {
    /// Starts to listen on a free port of the loopback interface, before the server on the port `behind`. `protocol` is what is spoken
    /// inside, such as `h2`.
    ///
    /// # Panics
    /// When the machine has no free port, or TLS refuses the certificate.
    pub async fn start(certificate: &Certificate, protocol: &str, behind: u16) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certificate.key.clone()));
        let chain = vec![CertificateDer::from(certificate.certificate.clone())];
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions of TLS").with_no_client_auth();
        let mut config = config.with_single_cert(chain, key).expect("a certificate that can be used");
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = Listener::start(move |stream| pass_on(acceptor.clone(), stream, behind)).await;
        Self { listener }
    }

    /// The base URL for the proxy's configuration, with this host.
    #[must_use]
    pub fn base_url(&self, host: &str) -> String {
        format!("https://{host}:{}/v1", self.listener.port)
    }

    /// The same without TLS, which the server does not speak.
    #[must_use]
    pub fn plain_base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.listener.port)
    }
}

async fn pass_on(acceptor: TlsAcceptor, stream: TcpStream, behind: u16) {
    let Ok(mut near) = acceptor.accept(stream).await else { return };
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", behind)).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Within a certificate, by its place.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const IP_ADDRESS: u8 = 0x87;

/// Object identifiers, whole.
const ECDSA_WITH_SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const PRIME256V1: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: [u8; 5] = [6, 3, 0x55, 4, 3];
const SUBJECT_ALT_NAME: [u8; 5] = [6, 3, 0x55, 0x1d, 0x11];

/// A value with its tag and its length.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = u16::try_from(value.len()).expect("a short value").to_be_bytes();
    let length = match length {
        [0, short @ ..128] => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    };
    [vec![tag], length, value].concat()
}
