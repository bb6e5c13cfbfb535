//! Whose memory is meant, and where it is: the options of every command that asks one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::{LocalMemory, RemoteMemory};
use crate::cli::owner::{CallerArguments, Division};
use crate::cli::{CliError, ConfigOption};
use crate::config::{Config, Overrides, ServerConfig};

/// Whose memory, and where it is.
#[derive(Debug, Args)]
pub(in crate::cli) struct MemoryArguments {
    #[command(flatten)]
    config: ConfigOption,
    /// Address of a running proxy, such as http://127.0.0.1:8787; --url alone is server.listen of the configuration. Without it the
    /// store is opened.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", value_parser = address)]
    url: Option<ProxyAddress>,
    #[command(flatten)]
    pub(in crate::cli) caller: CallerArguments,
    #[command(flatten)]
    division: Division,
    /// Whose memory, by the scope's name; where the store has several and none is named, they are listed.
    #[arg(long)]
    pub(in crate::cli) scope: Option<String>,
    /// Environment variable that holds the proxy's admin token.
    #[arg(long, value_name = "VARIABLE", requires_all = ["url", "scope"])]
    pub(super) admin_token_env: Option<String>,
    /// Directory of the store, instead of the configuration's.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
}

/// Where a proxy is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ProxyAddress {
    /// Where the configuration lets it listen.
    Listening,
    At(Url),
}

/// A memory, wherever it is.
pub(in crate::cli) enum Memory {
    Remote(Box<RemoteMemory>),
    Local(Box<LocalMemory>),
}

/// What a memory is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Reading,
    /// To delete something of it, which works on a full disk as well.
    Deleting,
}

impl MemoryArguments {
    /// The configuration, with the directory that was named.
    ///
    /// # Errors
    /// When it is wrong.
    pub(in crate::cli) fn configuration(&self) -> Result<Config, CliError> {
        self.config.load(&Overrides { data_dir: self.data_dir.clone(), ..Overrides::default() })
    }

    /// Which part of the memory is meant.
    ///
    /// # Errors
    /// [`CliError::Argument`] when that is said twice, or cannot be sent.
    pub(in crate::cli) fn division(&self, config: &Config) -> Result<Division, CliError> {
        self.caller.division(config, &self.division)
    }

    /// The memory that is meant.
    ///
    /// # Errors
    /// When it cannot be told or opened, or there is none.
    pub(super) async fn open(&self) -> Result<Memory, CliError> {
        self.open_as(&self.configuration()?).await
    }

    /// The same, for who has the configuration already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) async fn open_as(&self, config: &Config) -> Result<Memory, CliError> {
        self.find(config).await?.ok_or_else(none_yet)
    }

    /// The same, for who is going to delete something of it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) async fn open_for_deletion(&self) -> Result<Memory, CliError> {
        self.find_for(&self.configuration()?, Purpose::Deleting).await?.ok_or_else(none_yet)
    }

    /// The memory that is meant; `None` where none is named and the store has none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(in crate::cli) async fn find(&self, config: &Config) -> Result<Option<Memory>, CliError> {
        self.find_for(config, Purpose::Reading).await
    }

    async fn find_for(&self, config: &Config, purpose: Purpose) -> Result<Option<Memory>, CliError> {
        if let Some(memory) = self.remote(config)? {
            return Ok(Some(Memory::Remote(Box::new(memory))));
        }
        self.caller.ensure_telling(config)?;
        let memory = LocalMemory::open(self, config, purpose).await?;
        Ok(memory.map(|memory| Memory::Local(Box::new(memory))))
    }

    /// The memory of a running proxy, if one is to be asked.
    ///
    /// # Errors
    /// When it is not known where it is, a variable is not set, or a header cannot be sent.
    pub(in crate::cli) fn remote(&self, config: &Config) -> Result<Option<RemoteMemory>, CliError> {
        let url = match &self.url {
            None => return Ok(None),
            Some(ProxyAddress::At(url)) => url.clone(),
            Some(ProxyAddress::Listening) => listening(&config.server).map_err(CliError::Argument)?,
        };
        RemoteMemory::new(&url, self, config).map(Some)
    }
}

fn none_yet() -> CliError {
    CliError::Argument("the store holds no memories yet".to_owned())
}

const ALLOWED: &str = "expected the address of a proxy, such as http://127.0.0.1:8787";

fn address(text: &str) -> Result<ProxyAddress, String> {
    if text.is_empty() {
        return Ok(ProxyAddress::Listening);
    }
    let url = Url::parse(text).map_err(|_| ALLOWED.to_owned())?;
    let is_usable = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    is_usable.then_some(ProxyAddress::At(url)).ok_or_else(|| ALLOWED.to_owned())
}

/// Where a proxy is asked that listens at an address of this machine.
///
/// # Errors
/// In words, for port 0, which says nothing of where that is.
pub(super) fn listening(server: &ServerConfig) -> Result<Url, String> {
    let listen = server.listen;
    let refused = || format!("--url: server.listen is {listen}, which does not say where the proxy is; {ALLOWED}");
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    if listen.port() == 0 {
        return Err(refused());
    }
    Url::parse(&format!("{}://{}", server.scheme(), SocketAddr::new(ip, listen.port()))).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Asking {
        question: Option<String>,
        #[command(flatten)]
        memory: MemoryArguments,
    }

    fn asking(options: &[&str]) -> Result<MemoryArguments, String> {
        let words = std::iter::once("ask").chain(options.iter().copied());
        Asking::try_parse_from(words).map(|parsed| parsed.memory).map_err(|error| error.to_string())
    }

    #[test]
    fn a_proxy_is_where_it_is_said_to_be_or_where_the_configuration_lets_it_listen() {
        assert_eq!(asking(&["Where?"]).unwrap().url, None);
        assert_eq!(asking(&["Where?", "--url"]).unwrap().url, Some(ProxyAddress::Listening));
        let named = asking(&["--url", "http://example.org:1", "Where?"]).unwrap();
        assert_eq!(named.url, Some(ProxyAddress::At(Url::parse("http://example.org:1").unwrap())));
        assert!(asking(&["--url", "example.org"]).unwrap_err().contains("http://127.0.0.1:8787"));
        for (listen, url) in [
            ("127.0.0.1:8787", Some("http://127.0.0.1:8787/")),
            ("0.0.0.0:80", Some("http://127.0.0.1/")),
            ("[::]:8787", Some("http://[::1]:8787/")),
            ("192.168.0.7:1", Some("http://192.168.0.7:1/")),
            ("127.0.0.1:0", None),
        ] {
            let mut server = ServerConfig { listen: listen.parse().unwrap(), ..ServerConfig::default() };
            let found = listening(&server);
            server.tls_certificate = Some("a.pem".into());
            assert_eq!(listening(&server).ok().map(|url| url.scheme().to_owned()), url.map(|_| "https".to_owned()));
            assert_eq!(found.as_ref().ok().map(Url::as_str), url, "{listen}");
            assert!(url.is_some() || found.unwrap_err().contains("server.listen is 127.0.0.1:0"));
        }
    }

    #[test]
    fn headers_say_who_the_caller_is_as_a_client_does() {
        let config = Config::defaults();
        let given =
            asking(&["--header", "x-mainpoint-user: ann", "--header", "openai-project:p", "--header", "x-a: b"]);
        let given = given.unwrap();
        let division = given.division(&config).unwrap();
        assert_eq!((division.user.as_deref(), division.project), (Some("ann"), None));
        let credentials = given.caller.caller(&config, false).unwrap().into_headers();
        assert_eq!(credentials.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["openai-project"]);
        let others = given.caller.other_headers(&config).unwrap();
        assert_eq!(others.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-a"]);
        assert!(
            given.caller.ensure_telling(&config).unwrap_err().to_string().starts_with("--header x-a: without --url")
        );
        let twice = asking(&["--header", "x-mainpoint-user: ann", "--user", "ben"]).unwrap();
        assert!(twice.division(&config).unwrap_err().to_string().contains("expected it once, or --user"));
        for wrong in ["x-mainpoint-user", "x-mainpoint-user:", ": ann", "a b: c"] {
            let refused = asking(&["--header", wrong]).unwrap().division(&config).unwrap_err().to_string();
            assert!(refused.contains("expected 'NAME: VALUE'"), "{wrong}: {refused}");
        }
        for secret in ["sk-hidden", "authorization Bearer sk-hidden", "Bearer sk-hidden: x", "sk hidden:"] {
            let refused = asking(&["--header", secret]).unwrap().division(&config).unwrap_err().to_string();
            assert!(refused.contains("expected 'NAME: VALUE'") && !refused.contains("hidden"), "{refused}");
        }
        assert!(asking(&["--api-key-env", "MY_KEY"]).is_ok(), "the same as --key-env");
    }
}
