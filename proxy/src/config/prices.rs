//! The section `[prices]`: its keys, the providers' price lists, and which list an upstream's host has.

use std::time::Duration;

use serde::Deserializer;
use url::Url;

use super::checked::{Seconds, number, parsed, section};

section! {
    /// What a provider charges for a prompt. Keys that are given count more than the preset.
    #[derive(Copy)]
    pub struct PricesConfig {
        /// Whose price list holds.
        #[serde(deserialize_with = "preset")]
        preset: PricePreset = PricePreset::Auto,
        /// A token read from the cache; `None` is the preset's.
        #[serde(deserialize_with = "price")]
        cache_read: Option<f64> = None,
        /// A token written to the cache; `None` is the preset's.
        #[serde(deserialize_with = "price")]
        cache_write: Option<f64> = None,
        /// How long a prompt stays in the cache after it was sent last; zero is for ever, `None` the preset's.
        #[serde(rename = "cache_seconds", deserialize_with = "lifetime")]
        cache_lifetime: Option<Duration> = None,
    }
}

impl PricesConfig {
    /// The prices of an upstream; `None` is the embedded one.
    pub(crate) fn of_upstream(&self, upstream: Option<&Url>) -> Prices {
        let preset = self.preset.prices(upstream.and_then(Url::host_str));
        Prices {
            cache_read: self.cache_read.unwrap_or(preset.cache_read),
            cache_write: self.cache_write.unwrap_or(preset.cache_write),
            cache_lifetime: match self.cache_lifetime {
                Some(lifetime) => Some(lifetime).filter(|lifetime| !lifetime.is_zero()),
                None => preset.cache_lifetime,
            },
        }
    }
}

/// What a provider charges for a token of a prompt, where one that no cache is used for costs 1. Only the proportions count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prices {
    /// A token read from the cache.
    pub(crate) cache_read: f64,
    /// A token written to the cache.
    pub(crate) cache_write: f64,
    /// How long a prompt stays in the cache after it was sent last; `None` where the clock does not tell.
    pub(crate) cache_lifetime: Option<Duration>,
}

impl Prices {
    /// The price of a prompt of which the last `fresh` tokens are not in the cache.
    pub(crate) fn prompt(&self, tokens: usize, fresh: usize) -> f64 {
        let fresh = fresh.min(tokens);
        (tokens - fresh) as f64 * self.cache_read + fresh as f64 * self.cache_write
    }
}

/// Whose price list holds. The lists were looked up in November 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PricePreset {
    /// That of the upstream's host; a host that is not known reads at 0.1 and writes at 1.0, as OpenAI's models before GPT-5.6 and
    /// Gemini do, and the clock does not tell when its cache is empty.
    Auto,
    /// From GPT-5.6 on a write costs 1.25 and is kept for 30 minutes, the only lifetime that can be asked for; a read costs 0.1
    /// (developers.openai.com/api/docs/guides/prompt-caching). For earlier models writes cost 1.0, and some are kept for 24 hours.
    OpenAi,
    /// Writes cost 1.25 and are kept for 5 minutes, reads cost 0.1 (platform.claude.com/docs/en/build-with-claude/prompt-caching).
    Anthropic,
    /// The same with a lifetime of an hour, where writes cost 2.0.
    AnthropicHour,
    /// Reads cost between 0.02 and 0.033 (api-docs.deepseek.com/quick_start/pricing); what is not used any more goes after hours or
    /// days (api-docs.deepseek.com/guides/kv_cache), which no clock tells.
    DeepSeek,
    /// Nothing is cached, or it costs the same. So it is at Anthropic's own OpenAI-compatible interface, which caches no prompts
    /// (platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk).
    None,
}

impl PricePreset {
    /// What a preset may be, for messages.
    pub(crate) const ALLOWED: &'static str =
        "\"auto\", \"openai\", \"anthropic\", \"anthropic-1h\", \"deepseek\" or \"none\"";

    /// Reads a preset as it is written in the configuration.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "openai" => Some(Self::OpenAi),
            "anthropic" => Some(Self::Anthropic),
            "anthropic-1h" => Some(Self::AnthropicHour),
            "deepseek" => Some(Self::DeepSeek),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Its prices, for an upstream with this host.
    fn prices(self, host: Option<&str>) -> Prices {
        let minutes = |count: u64| Some(Duration::from_secs(60 * count));
        let (cache_read, cache_write, cache_lifetime) = match self {
            Self::Auto => match host.and_then(Self::of_host) {
                Some(known) => return known.prices(None),
                None => (0.1, 1.0, None),
            },
            Self::OpenAi => (0.1, 1.25, minutes(30)),
            Self::Anthropic => (0.1, 1.25, minutes(5)),
            Self::AnthropicHour => (0.1, 2.0, minutes(60)),
            Self::DeepSeek => (0.03, 1.0, None),
            Self::None => (1.0, 1.0, None),
        };
        Prices { cache_read, cache_write, cache_lifetime }
    }

    /// The preset of a host, if its provider is known.
    fn of_host(host: &str) -> Option<Self> {
        let is_below =
            |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let known = HOSTS.iter().find(|(domain, _)| is_below(domain));
        known.map(|(_, preset)| *preset)
    }
}

/// Domains of providers. Microsoft's Azure bills caching as OpenAI does (learn.microsoft.com, "Prompt caching").
const HOSTS: [(&str, PricePreset); 4] = [
    ("api.openai.com", PricePreset::OpenAi),
    ("openai.azure.com", PricePreset::OpenAi),
    ("api.anthropic.com", PricePreset::None),
    ("api.deepseek.com", PricePreset::DeepSeek),
];

fn preset<'de, D: Deserializer<'de>>(input: D) -> Result<PricePreset, D::Error> {
    parsed(input, |text: &String| PricePreset::parse(text).ok_or(PricePreset::ALLOWED))
}

fn price<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    number(input, |value| (0.0..=1e9).contains(&value), "a number from 0 to 1000000000, such as 0.1").map(Some)
}

fn lifetime<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    Seconds::<0, 604_800>::deserialize(input).map(Some)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::config::Config;

    fn prices(text: &str) -> Prices {
        let config = Config::parse(text).unwrap();
        config.prices.of_upstream(config.upstream.url.as_ref())
    }

    fn at(url: &str) -> Prices {
        prices(&format!("[upstream]\nurl = \"{url}\""))
    }

    const UNKNOWN: Prices = Prices { cache_read: 0.1, cache_write: 1.0, cache_lifetime: None };

    #[test]
    fn the_host_of_the_upstream_says_whose_prices_hold() {
        let openai = PricePreset::OpenAi.prices(None);
        assert_eq!(openai.cache_lifetime, Some(Duration::from_secs(1800)));
        for url in ["https://api.openai.com/v1", "https://EU.api.openai.com/v1", "https://a.openai.azure.com/openai/v1"]
        {
            assert_eq!(at(url), openai, "{url}");
        }
        assert_eq!(at("https://api.deepseek.com").cache_read, 0.03);
        assert_eq!(at("https://api.anthropic.com/v1").cache_read, 1.0);
    }

    #[test]
    fn an_upstream_that_is_not_known_has_the_prices_of_most_and_a_cache_that_no_clock_empties() {
        for url in
            ["embedded", "http://127.0.0.1:9/v1", "https://notapi.openai.com/v1", "https://api.openai.com.example/v1"]
        {
            assert_eq!(at(url), UNKNOWN, "{url}");
        }
    }

    #[test]
    fn a_preset_is_taken_whatever_the_host_and_a_key_that_is_given_counts_more() {
        let upstream = "[upstream]\nurl = \"https://api.openai.com/v1\"\n[prices]\n";
        let hour = prices(&format!("{upstream}preset = \"anthropic-1h\""));
        assert_eq!(hour, Prices { cache_read: 0.1, cache_write: 2.0, cache_lifetime: Some(Duration::from_secs(3600)) });
        let own = prices(&format!("{upstream}cache_write = 1.0\ncache_seconds = 86400"));
        assert_eq!(own, Prices { cache_lifetime: Some(Duration::from_secs(86_400)), ..UNKNOWN });
        assert_eq!(prices(&format!("{upstream}cache_seconds = 0")).cache_lifetime, None);
    }

    #[test]
    fn every_preset_that_is_allowed_can_be_written() {
        let names = PricePreset::ALLOWED.split('"').skip(1).step_by(2);
        assert_eq!(names.clone().count(), 6);
        for name in names {
            assert!(PricePreset::parse(name).is_some(), "{name}");
        }
    }
}
