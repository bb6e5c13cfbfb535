//! Tokens that are verified and those that are not, signed by every kind of key that a test can make.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair,
};
use serde_json::{Value, json};

use super::*;
use crate::config::{IdentityConfig, IdentityFrom};
use crate::secret::Secret;

const NOW: i64 = 1_780_000_000;
const SECRET: &str = "a secret of more than thirty-two bytes";

/// The modulus of an RSA key that was made for these tests and thrown away.
const RSA_MODULUS: &str = "\
    waNTJToYmc31B6S1_zbKFDzqiSKtZZ8GoGBzngj_79J2AwpVSnOIN5xJse6rI6ouP8WFs1MU76EGrLpj__4yeQI9AlBD_QlIGlWl\
    h6oRpQwlo9hDb3DlkIxr0gBAd_Tb0cUJ9Gd_xbziUKvbqk4FMS9ktlGrIskahSX5CnG8hZYFypoOKjRTRqBx3_kiraxFMSTkfRpd\
    Tcb9rnVUQmkhNmwc4-VbzkwszMGmw7FRIZGF_fPbg-rqbeWHWXlVb-3woLwbXBpOlfJ5Z2ICFE9wD_mbyu5bwiBpqVJogegF6y-B\
    T_OtYSnw7jBPIgTdkzuYrQ4HYGDE6nUp0BiXOqSsjw";
/// A token of ann's that it signed with RS256.
const RSA_TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUiLCJzdWIiOiJhbm4ifQ.QXVPpRNYRv99y1z8wmYa\
    8PHUlLtUr04LnumR77RldTmZmqUnuynvmJrumqJMJTukRwlehR81lBdgftAEPtVqPkYnNXu_ooVnbE9p5IJLGpyNqW6qT9_CGHg-\
    mZaQuRS2dO9xG56YAvVLQIuIlRFS-t0n552IUWjzMi6Kl80JtTXH3xJfk42kdjx_3WhhH0KdePgEqfdsJn9jnh-8qUAIgCgWqppA\
    0fPfhHuZ5ptlZUN0qMSLxfyhp2TgLuZz3Vovf1y0pF2QxszK1NV1TJdJvLjssltd_AE3CtiJhw7RYYdFoY62B9TjWMAZKnSal7cH\
    32cD6A6PkGpUayAYxMg_Og";
/// Its signature of the same claims with PS256.
const RSA_PSS_SIGNATURE: &str = "\
    XZCdvhIAASa-LFRhBsmetmSWT-Gs1kF-q7H_wI4FojK3IkYuVL_utSSRHVbyvlfbmfnkh89cNqL2bVBKGXh9eXuZgaS7RYkr3kp7\
    M93af4mqkM6kRwfmf_WpkHZwpeAJdExAY4GzRYmXpRwJr5vMG9rrlhaJNoVzrTMLQrKU6IYR2msFQWXsEKMxsYVt3ekHLKbpuW07\
    R8GUz4my3_oDtgzmAmNoDNaSU_I3d5GQBVi4MWMTT9Y0WaJOzCCBwzcWJsmrsZPAIMIIAD4EOYklCpoHtx85WQ4qNzIHin_59pFx\
    m0AZfmZJNGh5Flar9CzEuIpdaxjCRw1A4Js4yjyQRw";

/// Makes the signature of a message.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key that signs.
struct Signer {
    algorithm: &'static str,
    public: Vec<u8>,
    sign: Sign,
}

impl Signer {
    fn ed25519() -> Self {
        let key =
            Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap();
        let public = key.public_key().as_ref().to_vec();
        Self { algorithm: "EdDSA", public, sign: Box::new(move |message| key.sign(message).as_ref().to_vec()) }
    }

    fn ecdsa(algorithm: &'static str, curve: &'static EcdsaSigningAlgorithm) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random).unwrap();
        let public = key.public_key().as_ref().to_vec();
        let sign = move |message: &[u8]| key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
        Self { algorithm, public, sign: Box::new(sign) }
    }

    fn secret(secret: &'static str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let sign = move |message: &[u8]| hmac::sign(&key, message).as_ref().to_vec();
        Self { algorithm: "HS256", public: Vec::new(), sign: Box::new(sign) }
    }

    fn jwk(&self, id: &str) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let half = self.public.len() / 2;
        match self.algorithm {
            "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(&self.public)}),
            curve => json!({
                "kty": "EC", "crv": if curve == "ES256" { "P-256" } else { "P-384" }, "kid": id, "use": "sig",
                "x": encoded(&self.public[1..=half]), "y": encoded(&self.public[half + 1..]),
            }),
        }
    }

    /// The public key of an Ed25519 pair in PEM; its beginning is the same for all of them (RFC 8410, section 4).
    fn pem(&self) -> String {
        let begin = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = [&begin[..], &self.public].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn token(&self, id: Option<&str>, claims: &Value) -> String {
        let header = match id {
            Some(id) => json!({"alg": self.algorithm, "typ": "JWT", "kid": id}),
            None => json!({"alg": self.algorithm}),
        };
        self.token_with(&header, claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature = URL_SAFE_NO_PAD.encode((self.sign)(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn source(change: impl FnOnce(&mut IdentityConfig)) -> TokenSource {
    let mut config = Config::defaults();
    config.identity.from = IdentityFrom::Jwt;
    change(&mut config.identity);
    TokenSource::open(&config).unwrap()
}

/// A source with these keys, and the file that keeps them.
fn with_file(text: &str) -> (TokenSource, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path: PathBuf = file.path().to_owned();
    (source(|config| config.jwks_file = Some(path)), file)
}

fn jwks(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

fn bearing(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

fn name(source: &TokenSource, token: &str) -> Option<Name> {
    source.name(&bearing(token), None, NOW)
}

fn ann() -> Value {
    json!({"iss": "https://login.example", "sub": "ann", "exp": NOW + 300})
}

#[test]
fn a_token_of_each_kind_of_key_counts_and_one_that_another_key_signed_does_not() {
    let secret = source(|config| config.secret = Some(Secret::new(SECRET.to_owned())));
    assert!(name(&secret, &Signer::secret(SECRET).token(None, &ann())).is_some());
    assert_eq!(name(&secret, &Signer::secret("another secret of over thirty-two bytes").token(None, &ann())), None);

    let make: [fn() -> Signer; 3] = [
        Signer::ed25519,
        || Signer::ecdsa("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        || Signer::ecdsa("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING),
    ];
    for make in make {
        let (own, other) = (make(), make());
        let (source, _file) = with_file(&jwks(&[own.jwk("a")]));
        for id in [Some("a"), None] {
            assert!(name(&source, &own.token(id, &ann())).is_some(), "{} {id:?}", own.algorithm);
            assert_eq!(name(&source, &other.token(id, &ann())), None, "{} {id:?}", own.algorithm);
        }
        assert_eq!(name(&source, &own.token(Some("b"), &ann())), None, "a key of another name");
        assert_eq!(name(&secret, &own.token(None, &ann())), None);
    }
}

#[test]
fn keys_are_told_by_their_names_and_those_in_pem_have_none() {
    let signers = [Signer::ed25519(), Signer::ed25519(), Signer::ed25519()];
    let (source, _file) = with_file(&jwks(&[signers[0].jwk("a"), json!({"kty": "new"}), signers[1].jwk("b")]));
    for (signer, id, counts) in
        [(0, Some("a"), true), (1, Some("b"), true), (0, Some("b"), false), (1, None, true), (2, None, false)]
    {
        assert_eq!(name(&source, &signers[signer].token(id, &ann())).is_some(), counts, "{signer} {id:?}");
    }
    let (source, _file) = with_file(&format!("{}{}", signers[0].pem(), signers[1].pem()));
    for (signer, id, counts) in [(0, Some("x"), true), (1, None, true), (2, Some("x"), false)] {
        assert_eq!(name(&source, &signers[signer].token(id, &ann())).is_some(), counts, "{signer} {id:?}");
    }
}

#[test]
fn a_signature_by_rsa_counts_in_either_form() {
    let der = rsa_der(&URL_SAFE_NO_PAD.decode(RSA_MODULUS).unwrap());
    let pem = format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", STANDARD.encode(der));
    let key = json!({"kty": "RSA", "e": "AQAB", "n": RSA_MODULUS});
    let padded = [&[0], &URL_SAFE_NO_PAD.decode(RSA_MODULUS).unwrap()[..]].concat();
    let zero_first = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(padded)});
    let claims = RSA_TOKEN.split('.').nth(1).unwrap();
    let pss = format!("{}.{claims}.{RSA_PSS_SIGNATURE}", URL_SAFE_NO_PAD.encode(r#"{"alg":"PS256"}"#));
    for text in [jwks(std::slice::from_ref(&key)), jwks(&[zero_first]), pem] {
        let (source, _file) = with_file(&text);
        assert!(name(&source, RSA_TOKEN).is_some(), "{text}");
        assert!(name(&source, &pss).is_some(), "{text}");
        let forged = Signer::secret(SECRET).token_with(&json!({"alg": "RS256"}), &ann());
        assert_eq!(name(&source, &forged), None, "{text}");
    }
    let mut only_pss = key;
    only_pss["alg"] = json!("PS256");
    let (source, _file) = with_file(&jwks(&[only_pss]));
    assert_eq!((name(&source, RSA_TOKEN), name(&source, &pss).is_some()), (None, true));
}

/// The DER of an RSA key of 2048 bits with the exponent 65537 (RFC 8017, appendix A.1.1).
fn rsa_der(modulus: &[u8]) -> Vec<u8> {
    let begin = [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00];
    [&begin[..], modulus, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat()
}

#[test]
fn no_token_makes_its_key_another_kind_of_key() {
    let signer = Signer::ed25519();
    let (source, _file) = with_file(&jwks(&[signer.jwk("a")]));
    // The public key as a secret, an empty signature, and no algorithm at all.
    let public: &'static str = Box::leak(URL_SAFE_NO_PAD.encode(&signer.public).into_boxed_str());
    assert_eq!(name(&source, &Signer::secret(public).token(Some("a"), &ann())), None);
    for algorithm in ["none", "None", "HS256", "RS256", "ES256"] {
        let header = json!({"alg": algorithm, "kid": "a"});
        let token = signer.token_with(&header, &ann());
        assert_eq!(name(&source, &token), None, "{algorithm}");
        let (message, _) = token.rsplit_once('.').unwrap();
        assert_eq!(name(&source, &format!("{message}.")), None, "{algorithm}");
    }
    // A key that the token brings itself.
    let forger = Signer::ed25519();
    let header = json!({"alg": "EdDSA", "kid": "a", "jwk": forger.jwk("a")});
    assert_eq!(name(&source, &forger.token_with(&header, &ann())), None);
}

#[test]
fn a_file_without_keys_for_signatures_is_refused() {
    let signer = Signer::ed25519();
    let mut encryption = signer.jwk("a");
    encryption["use"] = json!("enc");
    let mut other = signer.jwk("a");
    other["alg"] = json!("ES256");
    let private = signer.pem().replace("PUBLIC", "PRIVATE");
    for text in [
        String::new(),
        "{}".to_owned(),
        jwks(&[]),
        jwks(&[encryption, other, json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"})]),
        private,
        "-----BEGIN PUBLIC KEY-----\nbm8ga2V5\n-----END PUBLIC KEY-----\n".to_owned(),
    ] {
        assert!(KeySet::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn a_refreshed_token_names_the_same_an_expired_one_nobody_and_another_subject_another() {
    let signer = Signer::ed25519();
    let (source, _file) = with_file(&jwks(&[signer.jwk("a")]));
    let of = |claims: Value| name(&source, &signer.token(Some("a"), &claims));
    let own = of(ann()).unwrap();
    let refreshed = json!({"iss": "https://login.example", "sub": "ann", "exp": NOW + 900, "jti": "2"});
    assert_eq!(of(refreshed).unwrap(), own);
    assert_ne!(of(json!({"iss": "https://login.example", "sub": "ben"})).unwrap(), own);
    assert_ne!(of(json!({"iss": "https://other.example", "sub": "ann"})).unwrap(), own);
    assert_eq!(of(json!({"iss": "https://login.example", "sub": "ann", "exp": NOW - 61})), None);
    assert_eq!(of(json!({"sub": "ann"})), None);
}

#[test]
fn a_token_comes_once_in_its_own_header() {
    let signer = Signer::secret(SECRET);
    let token = signer.token(None, &ann());
    let own = source(|config| config.secret = Some(Secret::new(SECRET.to_owned())));
    let other = source(|config| {
        config.secret = Some(Secret::new(SECRET.to_owned()));
        config.header = Some(HeaderName::from_static("x-token"));
    });
    let count = |source: &TokenSource, lines: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        source.name(&headers, None, NOW).is_some()
    };
    let with_scheme = format!("Bearer {token}");
    assert!(count(&own, &[("authorization", &with_scheme)]));
    assert!(!count(&own, &[("authorization", &token)]));
    assert!(!count(&own, &[("x-token", &token)]));
    assert!(!count(&own, &[("authorization", &with_scheme), ("authorization", &with_scheme)]));
    for value in [&token, &with_scheme] {
        assert!(count(&other, &[("x-token", value), ("authorization", "Bearer sk-a")]));
    }
}

#[test]
fn on_trust_a_token_counts_alone_and_not_beside_another_key() {
    let source = source(|config| config.verified_upstream = true);
    assert!(source.is_on_trust());
    let mut headers = bearing(&Signer::secret("whatever").token(None, &ann()));
    assert!(source.name(&headers, None, NOW).is_some());
    assert!(source.name(&headers, Some("api-version=1"), NOW).is_some());
    assert_eq!(source.name(&headers, Some("subscription-key=1"), NOW), None);
    assert_eq!(source.name(&headers, None, NOW + 400), None, "it has expired");
    headers.insert("openai-project", "p".parse().unwrap());
    assert!(source.name(&headers, None, NOW).is_some());
    headers.insert("api-key", "sk-own".parse().unwrap());
    assert_eq!(source.name(&headers, None, NOW), None);
    assert_eq!(name(&source, "sk-a"), None);
}

proptest! {
    #[test]
    fn no_text_that_is_no_token_names_anybody(text in "[ -~]{0,40}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,20}", 0..5)) {
        let source = source(|config| config.secret = Some(Secret::new(SECRET.to_owned())));
        for token in [text, parts.join(".")] {
            prop_assert_eq!(name(&source, &token), None);
        }
    }

    #[test]
    fn no_change_of_a_token_names_anybody_else(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let source = source(|config| config.secret = Some(Secret::new(SECRET.to_owned())));
        let token = Signer::secret(SECRET).token(None, &ann());
        let own = name(&source, &token).unwrap();
        let mut changed = token.into_bytes();
        let at = at.index(changed.len());
        changed[at] = b' ' + to % 95;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(name(&source, &changed).is_none_or(|name| name == own));
    }
}
