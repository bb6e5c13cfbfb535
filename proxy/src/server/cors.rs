//! What pages of other origins may do: those of `server.allowed_origins`, and all with the embedded upstream, as said here; others with a
//! remote upstream as that one says.
//!
//! A page may use a memory whose key it brings along. The memory of callers whom no key tells is open to pages of this
//! machine, and of the hosts of a gateway that tells, since any page that somebody visits could ask for it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use tower::{Layer, Service};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use url::Url;

use super::Shared;
use crate::config::ServerConfig;
use crate::http::headers::OwnHeaders;
use crate::http::identity::Identities;
use crate::http::response::Body;
use crate::http::{credentials, headers};
use crate::upstream::Upstream;
use crate::upstream::remote::target::is_loopback;

/// A request that a browser sent for a page: its head, which the answer depends on.
#[derive(Debug, Clone)]
pub(crate) struct CorsRequest(Request<()>);

impl CorsRequest {
    /// The page that a request was sent for, if one was, and if what it may do with this upstream is said here.
    pub(crate) fn new<B>(request: &Request<B>, shared: &Shared) -> Option<Self> {
        let origin = request.headers().get(ORIGIN)?;
        let said_here = match &shared.upstream {
            Upstream::Embedded(_) => true,
            Upstream::Remote(_) => shared.config.server.allows(origin),
        };
        said_here.then(|| {
            let mut head = Request::new(());
            *head.method_mut() = request.method().clone();
            *head.headers_mut() = request.headers().clone();
            Self(head)
        })
    }

    /// Whether the browser only asks what the page may do.
    pub(crate) fn asks(&self) -> bool {
        self.0.method() == Method::OPTIONS && self.0.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Says in `response` what the page may do, in place of what the upstream says of that. An answer to [`Self::asks`] says nothing
    /// else.
    pub(crate) async fn permit(self, mut response: Response<Body>, server: &ServerConfig) -> Response<Body> {
        for name in SAID_BY_UPSTREAMS {
            response.headers_mut().remove(name);
        }
        let listed = self.0.headers().get(ORIGIN).filter(|origin| server.allows(origin)).cloned();
        let is_allowed = move |origin: &HeaderValue, head: &Parts| listed.as_ref() == Some(origin) || may(origin, head);
        let rules = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(is_allowed))
            .allow_methods(AllowMethods::mirror_request())
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(headers::TOLD.clone())
            .max_age(KNOWN_FOR);
        let answered = rules.layer(Given(Some(response))).call(self.0).await;
        answered.unwrap_or_else(|never| match never {})
    }
}

/// Whether a browser asks if a page may send a header of this name.
pub(crate) fn asks_for<B>(request: &Request<B>, header: &HeaderName) -> bool {
    let mut listed = headers::listed(request.headers(), &ACCESS_CONTROL_REQUEST_HEADERS);
    request.method() == Method::OPTIONS && listed.any(|name| name.eq_ignore_ascii_case(header.as_str()))
}

/// Why a request may not use a memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unwelcome {
    /// A browser sent it for a page of another machine, which brings no key.
    Page,
    /// It has no key and asks for this host, by a name that a page of another machine may have. A browser says no origin where such
    /// a page reads from the name that it has itself.
    Host(String),
}

/// Why a request may not use a memory at all, if it may not. One that a browser sent for a page of another machine must bring a
/// key, since the browser sends it before anybody has said what the page may do.
pub(crate) fn unwelcome<B>(request: &Request<B>, identities: &Identities, server: &ServerConfig) -> Option<Unwelcome> {
    if comes_from_elsewhere(request.headers(), request.uri(), identities, server) {
        return Some(Unwelcome::Page);
    }
    let (headers, uri) = (request.headers(), request.uri());
    let host = identities.foreign_host(headers, uri).filter(|_| !identities.brings_key(headers, uri));
    host.map(Unwelcome::Host)
}

/// Whether a browser sends a request for a page of another machine that is not listed, without a key.
pub(crate) fn comes_from_elsewhere(
    headers: &HeaderMap,
    uri: &Uri,
    identities: &Identities,
    server: &ServerConfig,
) -> bool {
    let is_foreign =
        |origin: &HeaderValue| !is_local(origin) && !server.allows(origin) && !identities.is_own_page(origin);
    headers.get(ORIGIN).is_some_and(is_foreign) && !identities.brings_key(headers, uri)
}

/// The headers of mainpoint's own that a page wants to send, taken out of what its browser asks the upstream.
#[derive(Debug, Default)]
pub(crate) struct AskedHeaders(Vec<String>);

impl AskedHeaders {
    /// Takes them out.
    pub(crate) fn strip_from(request_headers: &mut HeaderMap, own: &OwnHeaders) -> Self {
        let listed = request_headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let Some(names) = listed.map(|value| value.to_str().ok()).collect::<Option<Vec<_>>>() else {
            return Self::default();
        };
        let names = names.join(",");
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let (own, others): (Vec<&str>, Vec<&str>) = names.partition(|name| own.hold(name));
        if own.is_empty() {
            return Self::default();
        }
        let own = Self(own.into_iter().map(str::to_ascii_lowercase).collect());
        match HeaderValue::from_str(&others.join(", ")) {
            Ok(value) if !value.is_empty() => request_headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, value),
            _ => request_headers.remove(ACCESS_CONTROL_REQUEST_HEADERS),
        };
        own
    }

    /// Allows and exposes mainpoint's own headers where the upstream allows the origin.
    pub(crate) fn add(self, response_headers: &mut HeaderMap) {
        if !response_headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if let (false, Ok(value)) = (self.0.is_empty(), HeaderValue::from_str(&self.0.join(", "))) {
            response_headers.append(ACCESS_CONTROL_ALLOW_HEADERS, value);
        }
        let told: Vec<&str> = headers::TOLD.iter().map(HeaderName::as_str).collect();
        if let Ok(value) = HeaderValue::from_str(&told.join(", ")) {
            response_headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, value);
        }
    }
}

/// What a remote upstream may have said of pages, which is not passed on where it is said here.
const SAID_BY_UPSTREAMS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// How long a browser may rely on what it was told.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// Whether a page of `origin` may send a request with this head, or, where a browser only asks, the request it asks about.
fn may(origin: &HeaderValue, head: &Parts) -> bool {
    let mut listed = headers::listed(&head.headers, &ACCESS_CONTROL_REQUEST_HEADERS);
    let brings_a_key = credentials::brings_key(&head.headers) || listed.any(credentials::is_key);
    brings_a_key || is_local(origin)
}

/// Whether an origin is this machine.
fn is_local(origin: &HeaderValue) -> bool {
    origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()).is_some_and(|url| is_loopback(&url))
}

/// A service that has its answer already.
struct Given(Option<Response<Body>>);

impl Service<Request<()>> for Given {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(self.0.take().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::config::{Config, IdentityFrom};

    fn allowed(origin: &'static str, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::new(());
        for (name, value) in pairs {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        may(&HeaderValue::from_static(origin), &request.into_parts().0)
    }

    #[test]
    fn a_page_needs_a_key_unless_it_is_of_this_machine() {
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "http://app.localhost"] {
            assert!(allowed(origin, &[]), "{origin}");
        }
        for origin in ["https://app.example", "null", "http://localhost.evil.example", "file://"] {
            assert!(!allowed(origin, &[]), "{origin}");
            assert!(allowed(origin, &[("authorization", "Bearer a")]), "{origin}");
            let asked = [("access-control-request-headers", "content-type, Authorization")];
            assert!(allowed(origin, &asked), "{origin}");
        }
    }

    #[test]
    fn the_upstream_is_not_asked_about_headers_that_it_never_gets() {
        let mut asked = HeaderMap::new();
        let list = "authorization,x-mainpoint-mode, X-Tenant,content-type";
        asked.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static(list));
        let mut config = Config::defaults();
        config.memory.user_header = HeaderName::from_static("x-tenant");
        let wanted = AskedHeaders::strip_from(&mut asked, &OwnHeaders::new(&config));
        assert_eq!(asked.get(ACCESS_CONTROL_REQUEST_HEADERS).unwrap(), "authorization, content-type");
        let mut refused = HeaderMap::new();
        AskedHeaders(wanted.0.clone()).add(&mut refused);
        assert!(refused.is_empty(), "an origin that is not allowed is told nothing");
        let mut answer = HeaderMap::new();
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        wanted.add(&mut answer);
        assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_HEADERS).unwrap(), "x-mainpoint-mode, x-tenant");
        let exposed = answer.get(ACCESS_CONTROL_EXPOSE_HEADERS).unwrap().to_str().unwrap();
        assert!(exposed.contains("x-mainpoint-tokens-in"), "{exposed}");
    }

    #[test]
    fn a_page_that_wants_to_send_a_gateways_header_is_noticed() {
        let header = HeaderName::from_static("x-authenticated-user");
        for (method, listed, expected) in [
            (Method::OPTIONS, "content-type, X-Authenticated-User", true),
            (Method::OPTIONS, "content-type", false),
            (Method::POST, "x-authenticated-user", false),
        ] {
            let mut request = Request::new(());
            *request.method_mut() = method;
            request.headers_mut().insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static(listed));
            assert_eq!(asks_for(&request, &header), expected, "{listed}");
        }
    }

    fn identities(from: IdentityFrom) -> Identities {
        let mut config = Config::defaults();
        config.identity.from = from;
        Identities::open(&config).unwrap()
    }

    /// Why a request with these headers is not welcome where callers are told by their credentials.
    fn why_not(headers: &[(&'static str, &'static str)]) -> Option<Unwelcome> {
        why_not_by(&identities(IdentityFrom::Credentials), headers)
    }

    fn why_not_by(identities: &Identities, headers: &[(&'static str, &'static str)]) -> Option<Unwelcome> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        unwelcome(&request, identities, &Config::defaults().server)
    }

    #[test]
    fn a_foreign_page_without_a_key_is_not_welcome_before_it_has_asked() {
        for headers in [
            &[][..],
            &[("origin", "http://localhost:3000")],
            &[("origin", "https://app.example"), ("authorization", "Bearer a")],
        ] {
            assert_eq!(why_not(headers), None, "{headers:?}");
        }
        for origin in ["https://app.example", "null"] {
            assert_eq!(why_not(&[("origin", origin)]), Some(Unwelcome::Page), "{origin}");
        }
    }

    #[test]
    fn the_name_of_a_page_that_leads_to_this_machine_is_not_welcome_without_a_key() {
        for host in ["127.0.0.1:8787", "[::1]:8787", "192.168.0.7", "localhost:8787", "mainpoint:8787", "a.localhost"] {
            assert_eq!(why_not(&[("host", host)]), None, "{host}");
        }
        for (host, said) in [("app.example:8787", "app.example"), ("app.example.", "app.example")] {
            assert_eq!(why_not(&[("host", host)]), Some(Unwelcome::Host(said.to_owned())));
            assert_eq!(why_not(&[("host", host), ("authorization", "Bearer a")]), None);
        }
    }

    #[test]
    fn where_a_gateway_says_who_somebody_is_no_key_excuses_a_strange_page_or_host() {
        let mut config = Config::defaults();
        config.identity.from = IdentityFrom::Header;
        config.identity.trusted_hosts = vec!["chat.example.com".to_owned()];
        let identities = Identities::open(&config).unwrap();
        let key = ("authorization", "Bearer junk");
        let host = |name: &str| Some(Unwelcome::Host(name.to_owned()));
        for (headers, expected) in [
            (&[key, ("host", "127.0.0.1:8787")][..], None),
            (&[("host", "chat.example.com"), ("origin", "https://chat.example.com")], None),
            (&[key, ("host", "evil.example:8787")], host("evil.example")),
            (&[key, ("host", "127.0.0.1:8787"), ("origin", "https://evil.example")], Some(Unwelcome::Page)),
            (&[key, ("host", "evil.example:8787"), ("origin", "http://evil.example:8787")], Some(Unwelcome::Page)),
            (&[key, ("host", "chat.example.com"), ("origin", "https://evil.example")], Some(Unwelcome::Page)),
        ] {
            assert_eq!(why_not_by(&identities, headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_key_in_the_query_is_one_where_it_tells_whose_memory_it_is() {
        let mut request = Request::builder().uri("/mainpoint/v1/stats?api-key=a").body(()).unwrap();
        request.headers_mut().insert(ORIGIN, HeaderValue::from_static("https://app.example"));
        let mut server = Config::defaults().server;
        assert_eq!(unwelcome(&request, &identities(IdentityFrom::Credentials), &server), None);
        // A gateway says whose memory it is there, of a request that any page can have the browser send.
        assert_eq!(unwelcome(&request, &identities(IdentityFrom::Header), &server), Some(Unwelcome::Page));
        server.allowed_origins = vec!["https://app.example".to_owned()];
        assert_eq!(
            unwelcome(&request, &identities(IdentityFrom::Header), &server),
            None,
            "the operator lists this page"
        );
    }
}
