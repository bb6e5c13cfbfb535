//! The sections `[server]`, `[upstream]` and `[log]`: their keys, defaults and what is allowed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::checked::{SECRET, Seconds, Whole, parsed, refusal, section, variable};
use super::memory_bound::{MemoryBound, memory_bound};
use crate::secret::Secret;

section! {
    /// The socket that clients talk to.
    pub struct ServerConfig {
        /// Address and port; port 0 lets the system choose.
        #[serde(deserialize_with = "address")]
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787),
        /// File of the certificate that clients are shown, and of those that lead to its issuer, in PEM; `None` where the socket speaks
        /// HTTP without TLS.
        tls_certificate: Option<PathBuf> = None,
        /// File of the certificate's private key, in PEM.
        tls_key: Option<PathBuf> = None,
        /// Path prefix of the OpenAI surface: starts with `/`, does not end with one.
        #[serde(deserialize_with = "base_path")]
        base_path: String = "/v1".to_owned(),
        /// Largest request body that is accepted, in bytes.
        #[serde(with = "Whole::<1024, { 1 << 30 }>")]
        max_body_bytes: usize = 32 << 20,
        /// Most bytes that the process may take on top of what it takes when it has just started.
        #[serde(deserialize_with = "memory_bound")]
        max_memory: MemoryBound = MemoryBound::DEFAULT,
        /// Most connections served at once.
        #[serde(with = "Whole::<1, 100_000>")]
        max_connections: usize = 1024,
        /// How long a client may take to send the head of a request.
        #[serde(rename = "head_timeout_seconds", with = "Seconds::<1, 86_400>")]
        head_timeout: Duration = Duration::from_secs(30),
        /// Longest silence of a client in the middle of a request's body, or while it is being sent an answer.
        #[serde(rename = "body_timeout_seconds", with = "Seconds::<1, 86_400>")]
        body_timeout: Duration = Duration::from_secs(60),
        /// How long a connection is kept open for another request.
        #[serde(rename = "keep_alive_seconds", with = "Seconds::<1, 86_400>")]
        keep_alive: Duration = Duration::from_secs(120),
        /// How long running requests may take to finish after a stop signal, in seconds.
        #[serde(with = "Whole::<0, 3600>")]
        drain_seconds: u64 = 30,
        /// Origins of pages that may use the proxy and the memory from a browser, as browsers name them.
        #[serde(deserialize_with = "origins")]
        allowed_origins: Vec<String> = Vec::new(),
        /// How many receipts are kept for `GET /mainpoint/receipts/{id}`; the oldest go first.
        #[serde(with = "Whole::<0, 1_000_000>")]
        receipts: usize = 1000,
        /// The token that reaches every scope through the API below `/mainpoint/v1/`; `None` where nothing does. The file names the
        /// environment variable that holds it.
        #[serde(rename = "admin_token_env", deserialize_with = "variable")]
        admin_token: Option<Secret> = None,
        /// Whether `POST /mainpoint/faults` may stop parts of the process; for tests.
        fault_injection: bool = false,
    }
}

impl ServerConfig {
    /// Whether nobody but this machine's programs can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// Whether the operator has listed the origin that a browser names.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.allowed_origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
    }

    /// What the socket speaks, as it begins a URL.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls_certificate.is_some() { "https" } else { "http" }
    }
}

section! {
    /// Where requests are forwarded to.
    pub struct UpstreamConfig {
        /// Base URL including its `/v1`, without a slash at its end; `None` is the embedded upstream (`models.chat` answers).
        #[serde(deserialize_with = "base_url")]
        url: Option<Url> = None,
        /// Key sent upstream when the caller sends none of its own. The file names the environment variable that holds it.
        #[serde(rename = "api_key_env", deserialize_with = "variable")]
        api_key: Option<Secret> = None,
        /// How long connecting may take.
        #[serde(rename = "connect_timeout_seconds", with = "Seconds::<1, 600>")]
        connect_timeout: Duration = Duration::from_secs(10),
        /// Longest time in which nothing moves between us and the upstream, in either direction.
        #[serde(rename = "idle_timeout_seconds", with = "Seconds::<1, 86_400>")]
        idle_timeout: Duration = Duration::from_secs(600),
    }
}

section! {
    /// What is logged.
    pub struct LogConfig {
        /// Filter in the syntax of `tracing_subscriber::EnvFilter`, such as `info,mainpoint=debug`.
        #[serde(deserialize_with = "filter")]
        filter: String = "info".to_owned(),
    }
}

fn address<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    parsed(input, |text: &String| {
        let text = text.trim();
        let address = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => text.parse(),
        };
        address.map_err(|_| "an IP address and a port, such as \"127.0.0.1:8787\", \"[::1]:0\" or \"localhost:80\"")
    })
}

fn base_path<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    parsed(input, |text: &String| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        let is_ours = text.split('/').nth(1) == Some("mainpoint");
        let allowed = text.starts_with('/') && !text.ends_with('/') && !text.contains("//") && text.chars().all(legal);
        let words = "a path such as \"/v1\": a slash first, none last, letters, digits and - _ . ~ between; /mainpoint is the \
            proxy's own";
        (allowed && !is_ours).then(|| text.clone()).ok_or(words)
    })
}

/// Origins as browsers write them, such as `https://app.example:8443`.
fn origins<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    parsed(input, |list: &Vec<String>| {
        let is_origin = |text: &String| Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == *text);
        let words = "a list of origins as browsers name them, such as \"https://app.example\" or \"http://10.0.0.7:3000\": scheme, host \
            in small letters and a port that is not the scheme's own, no slash at the end";
        list.iter().all(is_origin).then(|| list.clone()).ok_or(words)
    })
}

fn base_url<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(input)?;
    if text == "embedded" {
        return Ok(None);
    }
    let allowed =
        "\"embedded\" or an http or https base URL including its version, such as \"https://api.openai.com/v1\"";
    let refused = || refusal(format_args!("{text:?}"), allowed);
    let mut url = Url::parse(text.trim_end_matches('/')).map_err(|_| refused())?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(de::Error::custom(format_args!("{SECRET} (user, password or query)")));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refused());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Some(url))
}

fn filter<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    parsed(input, |text: &String| {
        let known = tracing_subscriber::EnvFilter::try_new(text).map(|_| text.clone());
        known.map_err(|error| format!("a log filter such as \"info\" or \"info,mainpoint=debug\" ({error})"))
    })
}
