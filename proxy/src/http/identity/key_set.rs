//! The keys that tokens are verified with: public ones from a JWKS or in PEM, or one secret.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Keys, any of which may verify a token.
#[derive(Debug)]
pub(super) struct KeySet(Vec<VerificationKey>);

#[derive(Debug)]
struct VerificationKey {
    /// The name that tokens may call it by.
    id: Option<String>,
    key: DecodingKey,
    /// What it may be used with, all of one family.
    algorithms: Vec<Algorithm>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JWKS or keys in PEM. Keys of a kind that is not known here are passed over in a JWKS, as issuers add some.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let keys = if text.trim_start().starts_with('{') { from_jwks(text)? } else { from_pem(text)? };
        if keys.is_empty() {
            return Err("it holds no public key for signatures".to_owned());
        }
        Ok(Self(keys))
    }

    /// The one secret that tokens are signed with by HS256; `None` when it is empty.
    pub(super) fn of_secret(secret: &str) -> Option<Self> {
        let key = DecodingKey::from_secret(secret.as_bytes()).ok()?;
        Some(Self(vec![VerificationKey { id: None, key, algorithms: vec![Algorithm::HS256] }]))
    }

    /// What a token claims; `None` unless one of the keys has signed it.
    pub(super) fn claims(&self, token: &str) -> Option<Map<String, Value>> {
        let header = decode_header(token).ok()?;
        let is_named = |key: &&VerificationKey| key.id.is_some() && key.id == header.kid;
        let knows_name = self.0.iter().any(|key| is_named(&key));
        let fits = |key: &&VerificationKey| match knows_name {
            true => is_named(key),
            // Keys in PEM have no names, and some tokens do not name theirs.
            false => key.id.is_none() || header.kid.is_none(),
        };
        let mut fitting = self.0.iter().filter(fits).filter(|key| key.algorithms.contains(&header.alg));
        fitting.find_map(|key| key.claims(token, header.alg))
    }
}

impl VerificationKey {
    fn claims(&self, token: &str, algorithm: Algorithm) -> Option<Map<String, Value>> {
        let mut validation = Validation::new(algorithm);
        // Only the signature is looked at: tokens that are not verified here have the same rules for what they claim.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        decode(token, &self.key, &validation).ok().map(|token| token.claims)
    }
}

fn from_jwks(text: &str) -> Result<Vec<VerificationKey>, String> {
    let set: Jwks = serde_json::from_str(text).map_err(|error| format!("line {} is not as in a JWKS", error.line()))?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    Ok(keys.filter_map(|key| public_key(&key)).collect())
}

/// A key for signatures; `None` for any other.
fn public_key(jwk: &Jwk) -> Option<VerificationKey> {
    let algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms(),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        // Secrets among them: what is in a file that is meant for everybody is none.
        _ => return None,
    };
    let algorithms = match jwk.common.key_algorithm {
        None => algorithms.to_vec(),
        Some(only) => vec![Algorithm::try_from(only).ok().filter(|only| algorithms.contains(only))?],
    };
    let is_for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature)
        && jwk.common.key_operations.as_ref().is_none_or(|of| of.contains(&KeyOperations::Verify));
    let key = DecodingKey::from_jwk(jwk).ok().filter(|_| is_for_signatures)?;
    Some(VerificationKey { id: jwk.common.key_id.clone(), key, algorithms })
}

fn from_pem(text: &str) -> Result<Vec<VerificationKey>, String> {
    const BEGIN: &str = "-----BEGIN ";
    let wrong = |index: usize, reason: &str| format!("its key {} {reason}", index + 1);
    let mut keys = Vec::new();
    for (index, block) in text.split(BEGIN).skip(1).enumerate() {
        if !["PUBLIC KEY-----", "RSA PUBLIC KEY-----"].iter().any(|label| block.starts_with(label)) {
            return Err(wrong(index, "is no public key (BEGIN PUBLIC KEY)"));
        }
        let pem = format!("{BEGIN}{block}").into_bytes();
        let key = DecodingKey::from_rsa_pem(&pem)
            .or_else(|_| DecodingKey::from_ec_pem(&pem))
            .or_else(|_| DecodingKey::from_ed_pem(&pem))
            .map_err(|_| wrong(index, "is none of RSA, of the curves P-256 and P-384, or of Ed25519"))?;
        let algorithms = key.family().algorithms().to_vec();
        keys.push(VerificationKey { id: None, key, algorithms });
    }
    Ok(keys)
}
