//! Who sends a request: whoever has its credentials, or somebody whose name stays when credentials change, as a token, a gateway or a
//! key of this proxy says it.
//!
//! Only an unknown key of this proxy is an error; whoever cannot be told otherwise has no identity.

mod claims;
mod gateway;
mod key_file;
mod key_list;
mod key_set;
mod proxy_keys;
mod signatures;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use chrono::Utc;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Extensions, Uri};
use serde_json::{Map, Value};

use self::claims::ClaimRules;
use self::gateway::Gateway;
pub(crate) use self::key_file::{KeyFile, KeyFileError};
pub(crate) use self::key_list::KeyList;
use self::proxy_keys::ProxyKeys;
use self::token::TokenSource;
use super::{credentials, hosts};
use crate::config::{Config, IdentityConfig, IdentityFrom};
use crate::error::{ProxyError, StartError};

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Whoever sends the same credentials: those of its headers, and these of its query, which seldom has any.
    Credentials {
        /// Names and values, by the letters of the names.
        query: Vec<(String, String)>,
    },
    /// Somebody, whatever credentials come along.
    Named(Name),
}

impl Identity {
    /// Whoever sends the credentials of a request.
    pub(crate) fn of_credentials(uri: &Uri) -> Self {
        Self::Credentials { query: credentials::in_query(uri.query()) }
    }

    /// The name of somebody whom a source names by one text alone.
    pub(crate) fn only_name(&self, from: IdentityFrom) -> Option<&str> {
        match self {
            Self::Named(name) if name.from == from => match name.fields.as_slice() {
                [only] => std::str::from_utf8(only).ok(),
                _ => None,
            },
            Self::Named(_) | Self::Credentials { .. } => None,
        }
    }

    /// Whoever sends credentials in headers alone.
    pub(crate) const fn of_headers() -> Self {
        Self::Credentials { query: Vec::new() }
    }
}

/// The name of somebody. Names by different sources are different ones, whatever they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    from: IdentityFrom,
    fields: Vec<Vec<u8>>,
}

impl Name {
    /// A name that a source gives, in its own terms.
    pub(crate) fn new(from: IdentityFrom, fields: Vec<Vec<u8>>) -> Self {
        Self { from, fields }
    }

    /// What the name is by, and then what it says.
    pub(crate) fn parts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let from = self.from.label().as_bytes();
        (0..self.fields.len() + 1).map(move |index| match index.checked_sub(1) {
            None => from,
            Some(field) => self.fields.get(field).map_or(&[][..], Vec::as_slice),
        })
    }
}

/// The address that a connection came from, which its requests carry among their extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Finds out who sends requests, as the configuration says.
#[derive(Debug)]
pub(crate) struct Identities(Source);

#[derive(Debug)]
enum Source {
    Credentials,
    Token(Box<TokenSource>),
    Gateway(Gateway),
    ProxyKeys(ProxyKeys),
}

impl Identities {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// When one cannot be read or does not hold what it should.
    pub(crate) fn open(config: &Config) -> Result<Self, StartError> {
        Ok(Self(match config.identity.from {
            IdentityFrom::Credentials => Source::Credentials,
            IdentityFrom::Jwt => Source::Token(Box::new(TokenSource::open(config)?)),
            IdentityFrom::Header => Source::Gateway(Gateway::new(&config.identity)),
            IdentityFrom::ProxyKeys => Source::ProxyKeys(ProxyKeys::open(&config.identity)?),
        }))
    }

    /// Who sends the request with this head; `None` where that cannot be told.
    pub(crate) fn of(&self, headers: &HeaderMap, uri: &Uri, extensions: &Extensions) -> Option<Identity> {
        let name = match &self.0 {
            Source::Credentials => return Some(Identity::of_credentials(uri)),
            Source::Token(tokens) => tokens.name(headers, uri.query(), Utc::now().timestamp()),
            Source::Gateway(gateway) => gateway.name(headers, uri, extensions.get::<Peer>().map(|peer| peer.0)),
            Source::ProxyKeys(keys) => keys.name(headers).ok(),
        };
        name.map(Identity::Named)
    }

    /// Whether a request may be sent on.
    ///
    /// # Errors
    /// [`ProxyError::UnknownKey`] where callers need a key of this proxy and this one brings none.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), ProxyError> {
        match &self.0 {
            Source::ProxyKeys(keys) => keys.name(headers).map(drop),
            Source::Credentials | Source::Token(_) | Source::Gateway(_) => Ok(()),
        }
    }

    /// The keys of this proxy that are listed now, where callers need one.
    pub(crate) fn listed_keys(&self) -> Option<Arc<KeyList>> {
        match &self.0 {
            Source::ProxyKeys(keys) => Some(keys.listed()),
            Source::Credentials | Source::Token(_) | Source::Gateway(_) => None,
        }
    }

    /// Whether a request brings a key that says who its caller is. Any other key could be made up by the page that a browser sends the
    /// request for, beside what really tells.
    pub(crate) fn brings_key(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        match &self.0 {
            Source::Credentials => credentials::brings_key(headers) || !credentials::in_query(uri.query()).is_empty(),
            // A gateway may have added the token by itself; a key the page must bring.
            Source::Token(tokens) => {
                credentials::brings_key(headers) && tokens.name(headers, uri.query(), Utc::now().timestamp()).is_some()
            }
            Source::Gateway(_) => false,
            Source::ProxyKeys(keys) => keys.name(headers).is_ok(),
        }
    }

    /// The host that a request asks for, if a stranger may have given this name to this machine.
    pub(crate) fn foreign_host(&self, headers: &HeaderMap, uri: &Uri) -> Option<String> {
        match &self.0 {
            Source::Gateway(gateway) => gateway.foreign_host(headers, uri),
            Source::Credentials | Source::Token(_) | Source::ProxyKeys(_) => hosts::public_name(headers, uri),
        }
    }

    /// Whether a page is one of a gateway that says who callers are.
    pub(crate) fn is_own_page(&self, origin: &HeaderValue) -> bool {
        matches!(&self.0, Source::Gateway(gateway) if gateway.is_own_page(origin))
    }

    /// Whether names are believed because the upstream refuses those that are made up. Until it has answered nobody knows.
    pub(crate) fn are_on_trust(&self) -> bool {
        matches!(&self.0, Source::Token(tokens) if tokens.is_on_trust())
    }

    /// The header that only a gateway may set.
    pub(crate) fn gateway_header(&self) -> Option<&HeaderName> {
        match &self.0 {
            Source::Gateway(gateway) => Some(gateway.header()),
            Source::Credentials | Source::Token(_) | Source::ProxyKeys(_) => None,
        }
    }
}

/// Whoever is called so, without any request: for tokens `given` has CLAIM=VALUE for each claim that counts, else one name.
///
/// # Errors
/// What is wrong with what was given, and what is expected.
pub(crate) fn named(config: &IdentityConfig, given: &[String]) -> Result<Identity, String> {
    let name = match (config.from, given) {
        (IdentityFrom::Credentials, _) => {
            return Err("identity.from is \"credentials\", which knows no names".to_owned());
        }
        (IdentityFrom::Jwt, given) => {
            let pairs: Option<Vec<(&str, &str)>> = given.iter().map(|pair| pair.split_once('=')).collect();
            let pairs = pairs.unwrap_or_default().into_iter();
            let claims: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), value.into())).collect();
            let fits = claims.len() == given.len() && given.len() == config.claims.len();
            let fields = ClaimRules::new(config).fields(&claims).filter(|_| fits);
            fields.map(|fields| Name::new(IdentityFrom::Jwt, fields)).ok_or_else(|| {
                let claims: Vec<String> = config.claims.iter().map(|claim| format!("--identity {claim}=…")).collect();
                format!("expected a value for each claim of identity.claims: {}", claims.join(" "))
            })?
        }
        (from, [name]) if !name.is_empty() => Name::new(from, vec![name.clone().into_bytes()]),
        _ => return Err("expected one name".to_owned()),
    };
    Ok(Identity::Named(name))
}

/// The token of `Bearer …`; `None` for anything else.
fn bearer(line: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = line.split_at_checked(b"bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn config(from: IdentityFrom) -> IdentityConfig {
        let mut config = Config::defaults().identity;
        config.from = from;
        config
    }

    #[test]
    fn a_name_that_is_given_is_that_of_the_requests_that_carry_it() {
        let given = |from, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            named(&config(from), &names)
        };
        let rules = ClaimRules::new(&config(IdentityFrom::Jwt));
        let claims = serde_json::json!({"sub": "ann", "iss": "https://a=b", "exp": 10, "more": [1]});
        let of_token = rules.name(claims.as_object().unwrap(), 0).unwrap();
        let by_hand = given(IdentityFrom::Jwt, &["sub=ann", "iss=https://a=b"]).unwrap();
        assert_eq!(by_hand, Identity::Named(of_token));

        let mut headers = HeaderMap::new();
        headers.insert("x-authenticated-user", "ann".parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(Peer("127.0.0.1".parse().unwrap()));
        let mut whole = Config::defaults();
        whole.identity = config(IdentityFrom::Header);
        let of_header = Identities::open(&whole).unwrap().of(&headers, &Uri::from_static("/"), &extensions).unwrap();
        assert_eq!(given(IdentityFrom::Header, &["ann"]).unwrap(), of_header);
        assert_ne!(given(IdentityFrom::ProxyKeys, &["ann"]).unwrap(), of_header, "another source is another name");

        for (from, names) in [
            (IdentityFrom::Credentials, &["ann"][..]),
            (IdentityFrom::Header, &[]),
            (IdentityFrom::Header, &["ann", "ben"]),
            (IdentityFrom::ProxyKeys, &[""]),
            (IdentityFrom::Jwt, &["sub=ann"]),
            (IdentityFrom::Jwt, &["sub=ann", "iss"]),
            (IdentityFrom::Jwt, &["sub=ann", "sub=ben"]),
            (IdentityFrom::Jwt, &["sub=ann", "iss=a", "aud=b"]),
            (IdentityFrom::Jwt, &["sub=ann", "iss="]),
        ] {
            assert!(given(from, names).is_err(), "{from:?} {names:?}");
        }
    }

    #[test]
    fn the_parts_of_a_name_are_its_source_and_its_fields() {
        let name = Name::new(IdentityFrom::Jwt, vec![b"sub".to_vec(), b"ann".to_vec()]);
        assert_eq!(name.parts().collect::<Vec<_>>(), [&b"jwt"[..], b"sub", b"ann"]);
        assert_eq!(name.parts().len(), 3);
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_letters_of_its_scheme() {
        for (line, token) in [
            ("Bearer a", Some("a")),
            ("bearer  a.b", Some("a.b")),
            ("BEARER a ", Some("a")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic a", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(bearer(line.as_bytes()), token.map(str::as_bytes), "{line:?}");
        }
    }
}
