//! A memory that a running proxy has, through its API.

use std::io::Write;

use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use mainpoint_store::ConversationId;
use reqwest::redirect::Policy;
use reqwest::{Body, Client, RequestBuilder, Response};
use serde_json::Value;
use url::Url;

use super::MemoryArguments;
use crate::cli::CliError;
use crate::config::Config;
use crate::mcp::{ApiRequest, Ask};
use crate::memory::{Forget, TopicsWanted};

/// A memory behind a proxy's API.
pub(in crate::cli) struct RemoteMemory {
    client: Client,
    base: Url,
    headers: HeaderMap,
    /// Names a user of the caller.
    user_header: HeaderName,
    scope: Option<String>,
}

impl RemoteMemory {
    /// That of the caller whose credentials the arguments name, or the scope that the admin names.
    ///
    /// # Errors
    /// When a variable is not set or a header cannot carry what it holds.
    pub(super) fn new(url: &Url, arguments: &MemoryArguments, config: &Config) -> Result<Self, CliError> {
        let refused =
            |option: &str, value: &str, reason: &str| CliError::Argument(format!("{option} {value}: {reason}"));
        let mut headers = arguments.caller.caller(config, true)?.into_headers();
        headers.extend(arguments.caller.other_headers(config)?);
        let division = arguments.division(config)?;
        for (option, named, header) in [
            ("--user", &division.user, &config.memory.user_header),
            ("--project", &division.project, &config.memory.project_header),
        ] {
            if let Some(name) = named {
                let value = value_of(name).ok_or_else(|| refused(option, name, UNUSABLE))?;
                headers.insert(header.clone(), value);
            }
        }
        if let Some(variable) = &arguments.admin_token_env {
            let refused = |reason: &str| refused("--admin-token-env", variable, reason);
            let token = std::env::var(variable).ok().filter(|token| !token.is_empty());
            let token = token.ok_or_else(|| refused("the environment variable is not set; it must hold the token"))?;
            let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
            let value = value.map_err(|_| refused(UNUSABLE))?;
            headers.insert(AUTHORIZATION, value);
        } else if let Some(scope) = &arguments.scope {
            return Err(refused("--scope", scope, "with --url it needs --admin-token-env"));
        }
        let client = client(url)?;
        let (user_header, scope) = (config.memory.user_header.clone(), arguments.scope.clone());
        Ok(Self { client, base: url.clone(), headers, user_header, scope })
    }

    /// What the API answers.
    ///
    /// # Errors
    /// When the proxy cannot be asked, or refuses.
    pub(in crate::cli) async fn answer(&self, ask: &Ask) -> Result<Value, CliError> {
        self.json(ask.request()).await
    }

    /// A page of conversations, or of one's turns.
    pub(super) async fn list(&self, conversation: Option<ConversationId>, limit: usize) -> Result<Value, CliError> {
        let path = if conversation.is_some() { "/turns" } else { "/conversations" };
        let request = ApiRequest::new(Method::GET, path).with("conversation", conversation);
        self.json(request.with("limit", Some(limit))).await
    }

    /// What it is about.
    pub(super) async fn topics(&self, wanted: TopicsWanted) -> Result<Value, CliError> {
        self.answer(&Ask::Topics(wanted)).await
    }

    /// Writes every line.
    pub(super) async fn export(&self, output: &mut impl Write) -> Result<(), CliError> {
        let mut response = self.send(ApiRequest::new(Method::GET, "/export")).await?;
        while let Some(piece) = response.chunk().await.map_err(|source| unreachable(&self.base, &source))? {
            output.write_all(&piece)?;
        }
        Ok(())
    }

    /// Deletes, and returns how many turns went.
    pub(super) async fn forget(&self, what: Forget) -> Result<usize, CliError> {
        let answer = self.answer(&Ask::Forget(what)).await?;
        let deleted = answer["turns_deleted"].as_u64().and_then(|count| usize::try_from(count).ok());
        deleted.ok_or_else(|| self.strange())
    }

    /// Counts.
    pub(super) async fn stats(&self) -> Result<Value, CliError> {
        self.json(ApiRequest::new(Method::GET, "/stats")).await
    }

    /// Takes in the lines of an export, of this user if one is named.
    ///
    /// # Errors
    /// When the proxy cannot be asked, or refuses.
    pub(in crate::cli) async fn import(&self, lines: impl Into<Body>, user: Option<&str>) -> Result<Value, CliError> {
        let mut request = self.request(ApiRequest::new(Method::POST, "/import")).body(lines);
        if let Some(user) = user {
            let refused = || CliError::Argument(format!("user = {user:?}: {UNUSABLE}"));
            let mut headers = HeaderMap::new();
            headers.insert(self.user_header.clone(), value_of(user).ok_or_else(refused)?);
            request = request.headers(headers);
        }
        self.read(self.answered(request).await?).await
    }

    async fn json(&self, request: ApiRequest) -> Result<Value, CliError> {
        self.read(self.send(request).await?).await
    }

    async fn read(&self, response: Response) -> Result<Value, CliError> {
        let body = response.bytes().await;
        let body = body.map_err(|source| unreachable(&self.base, &source))?;
        serde_json::from_slice(&body).map_err(|_| self.strange())
    }

    /// An answer that is none of an error.
    async fn send(&self, request: ApiRequest) -> Result<Response, CliError> {
        self.answered(self.request(request)).await
    }

    fn request(&self, request: ApiRequest) -> RequestBuilder {
        let ApiRequest { method, path, parameters, body } = request.with("scope", self.scope.as_deref());
        let mut url = self.base.clone();
        url.set_path(&format!("/mainpoint/v1{path}"));
        url.set_query(None);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&parameters);
        }
        let request = self.client.request(method, url).headers(self.headers.clone());
        match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        }
    }

    async fn answered(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|source| unreachable(&self.base, &source))?;
        if response.status().is_success() {
            return Ok(response);
        }
        if response.status().is_redirection() {
            let status = response.status().as_u16();
            let reason = format!("it answers {status} and points to another place, to which nothing is sent");
            return Err(CliError::Unreachable { url: self.base.to_string(), reason });
        }
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap_or_default();
        let envelope: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(match envelope["error"]["message"].as_str() {
            Some(message) => CliError::Refused { url: self.base.to_string(), status, message: message.to_owned() },
            None => self.strange(),
        })
    }

    fn strange(&self) -> CliError {
        CliError::Unreachable { url: self.base.to_string(), reason: "what answers there is no mainpoint".to_owned() }
    }
}

/// A proxy is asked itself, whatever the system says of the way to others; and wherever it points to, no key is sent there.
fn client(url: &Url) -> Result<Client, CliError> {
    let client = Client::builder().no_proxy().redirect(Policy::none()).build();
    client.map_err(|source| unreachable(url, &source))
}

const UNUSABLE: &str = "it holds a character that no header can carry";

/// A name as a header carries it, in whatever script it is.
fn value_of(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(name.as_bytes()).ok()
}

/// The URL is named by its own field, without what reqwest adds.
fn unreachable(url: &Url, source: &reqwest::Error) -> CliError {
    let reason = std::error::Error::source(source).map_or_else(|| source.to_string(), ToString::to_string);
    CliError::Unreachable { url: url.to_string(), reason }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn no_key_is_sent_to_where_an_answer_points() {
        let (asked, elsewhere) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let base = Url::parse(&format!("http://{}", asked.local_addr().unwrap())).unwrap();
        let location = elsewhere.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let (mut connection, _) = asked.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            write!(
                connection,
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n"
            )
            .unwrap();
        });
        let mut headers = HeaderMap::new();
        headers.insert("api-key", HeaderValue::from_static("sk-hidden"));
        let user_header = HeaderName::from_static("x-mainpoint-user");
        let memory = RemoteMemory { client: client(&base).unwrap(), base, headers, user_header, scope: None };
        let refused = memory.stats().await.unwrap_err().to_string();
        assert!(refused.contains("it answers 307 and points to another place"), "{refused}");
        answering.join().unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        assert!(elsewhere.accept().is_err(), "nothing came there");
    }
}
