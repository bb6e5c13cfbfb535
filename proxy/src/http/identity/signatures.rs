//! How signatures of tokens are verified: by ring, with the algorithms that it has.
//!
//! Nothing is ever signed here.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{self, ErrorKind, new_error};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::{hmac, signature};

/// Has tokens of this process verified by ring.
pub(super) fn provide() {
    // An error means that they are already.
    let _ = RING.install_default();
}

static RING: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    // They are asked only by what makes JWKs of keys, which nothing does here.
    key_utils: KeyUtils::new_unimplemented(),
};

fn no_signer(_: &Algorithm, _: &EncodingKey) -> errors::Result<Box<dyn JwtSigner>> {
    Err(new_error(ErrorKind::UnsupportedAlgorithm))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> errors::Result<Box<dyn JwtVerifier>> {
    if key.family() != algorithm.family() {
        return Err(new_error(ErrorKind::InvalidAlgorithm));
    }
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.clone() }))
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let signed = Signed { key: self.key.kind(), message, signature };
        match self.algorithm {
            Algorithm::HS256 => signed.by_secret(hmac::HMAC_SHA256),
            Algorithm::RS256 => signed.by_rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => signed.by_rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => signed.by_rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => signed.by_rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => signed.by_rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => signed.by_rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => signed.by_point(&signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => signed.by_point(&signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => signed.by_point(&signature::ED25519),
            _ => Err(Error::new()),
        }
    }
}

/// A message with its signature, and the key that is to fit both.
struct Signed<'a> {
    key: &'a DecodingKeyKind,
    message: &'a [u8],
    signature: &'a [u8],
}

impl Signed<'_> {
    fn by_secret(&self, algorithm: hmac::Algorithm) -> Result<(), Error> {
        match self.key {
            DecodingKeyKind::SecretOrDer(secret) => {
                let key = hmac::Key::new(algorithm, secret);
                hmac::verify(&key, self.message, self.signature).map_err(|_| Error::new())
            }
            DecodingKeyKind::RsaModulusExponent { .. } => Err(Error::new()),
        }
    }

    fn by_rsa(&self, algorithm: &'static signature::RsaParameters) -> Result<(), Error> {
        let verified = match self.key {
            DecodingKeyKind::SecretOrDer(der) => {
                signature::UnparsedPublicKey::new(algorithm, der).verify(self.message, self.signature)
            }
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let components = signature::RsaPublicKeyComponents { n: without_zeros(n), e: without_zeros(e) };
                components.verify(algorithm, self.message, self.signature)
            }
        };
        verified.map_err(|_| Error::new())
    }

    /// With a point of a curve as the key.
    fn by_point(&self, algorithm: &'static dyn signature::VerificationAlgorithm) -> Result<(), Error> {
        match self.key {
            DecodingKeyKind::SecretOrDer(point) => {
                let key = signature::UnparsedPublicKey::new(algorithm, point);
                key.verify(self.message, self.signature).map_err(|_| Error::new())
            }
            DecodingKeyKind::RsaModulusExponent { .. } => Err(Error::new()),
        }
    }
}

/// A number in its shortest form, which ring insists on and some issuers do not.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
