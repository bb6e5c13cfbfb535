//! Checks of single values: ranges, URLs, secrets, models and paths, each with the error that names what is allowed.
//!
//! It must not know which sections there are.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{Checked, Validation};
use crate::config::types::cores;
use crate::config::{ConfigError, Place};
use crate::models::ModelReference;
use crate::secret::Secret;

impl Validation<'_> {
    pub(super) fn upstream_url(&self, text: &str) -> Checked<Url> {
        let key = "upstream.url";
        let allowed =
            "\"embedded\" or an http or https base URL including its version, such as \"https://api.openai.com/v1\"";
        let mut url = Url::parse(text.trim_end_matches('/')).map_err(|_| self.refuse(key, &quoted(text), allowed))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(ConfigError::LiteralSecret {
                place: self.place(key),
                key: format!("{key} (user, password or query)"),
            });
        }
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(self.refuse(key, &quoted(text), allowed));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    pub(super) fn secret(&self, key: &str, variable: String) -> Checked<Secret> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.is_empty() || !variable.chars().all(legal) || variable.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ConfigError::LiteralSecret { place: self.place(key), key: key.to_owned() });
        }
        let place = self.place(key);
        match (self.environment)(&variable) {
            None => Err(ConfigError::MissingVariable { place, key: key.to_owned(), variable }),
            Some(value) if !value.trim().chars().all(|c| c.is_ascii_graphic()) || value.trim().is_empty() => {
                Err(ConfigError::UnusableVariable { place, key: key.to_owned(), variable })
            }
            Some(value) => Ok(Secret::new(value.trim().to_owned())),
        }
    }

    pub(super) fn model(
        &self,
        key: &str,
        name: Option<String>,
        digest: Option<String>,
        target: &mut ModelReference,
    ) -> Checked<()> {
        if let Some(name) = name {
            *target = ModelReference::parse(&name).map_err(|allowed| self.refuse(key, &quoted(&name), &allowed))?;
        }
        if let Some(digest) = digest {
            let key = format!("{key}_sha256");
            let parsed = digest.parse().map_err(|()| self.refuse(&key, &quoted(&digest), "64 hexadecimal digits"))?;
            *target = target.clone().with_digest(parsed);
        }
        Ok(())
    }

    pub(super) fn path(&self, key: &str, raw: Option<PathBuf>, target: &mut PathBuf) -> Checked<()> {
        let Some(path) = raw else { return Ok(()) };
        if path.as_os_str().is_empty() {
            return Err(self.refuse(key, "\"\"", "a path"));
        }
        *target = match (path.strip_prefix("~"), (self.environment)("HOME")) {
            (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
            _ => path,
        };
        Ok(())
    }

    pub(super) fn threads(&self, key: &str, raw: Option<i64>, target: &mut usize) -> Checked<()> {
        self.whole(key, raw, 0..=1024, target)?;
        if *target == 0 {
            *target = cores();
        }
        Ok(())
    }

    pub(super) fn whole<T: TryFrom<i64>>(
        &self,
        key: &str,
        raw: Option<i64>,
        allowed: RangeInclusive<i64>,
        target: &mut T,
    ) -> Checked<()> {
        let Some(value) = raw else { return Ok(()) };
        let converted = T::try_from(value).ok().filter(|_| allowed.contains(&value));
        let range = || format!("a whole number from {} to {}", allowed.start(), allowed.end());
        *target = converted.ok_or_else(|| self.refuse(key, &value.to_string(), &range()))?;
        Ok(())
    }

    pub(super) fn duration(
        &self,
        key: &str,
        raw: Option<i64>,
        allowed: RangeInclusive<i64>,
        unit: fn(u64) -> Duration,
        target: &mut Duration,
    ) -> Checked<()> {
        let mut count: u64 = 0;
        self.whole(key, raw, allowed, &mut count)?;
        if raw.is_some() {
            *target = unit(count);
        }
        Ok(())
    }

    pub(super) fn refuse(&self, key: &str, value: &str, allowed: &str) -> ConfigError {
        ConfigError::Value {
            place: self.place(key),
            key: key.to_owned(),
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        }
    }

    /// Refuses a part that is not less than its whole; the one that was written is to blame, not the one left at its default.
    pub(super) fn refuse_part(&self, part: (&str, usize), whole: (&str, usize)) -> ConfigError {
        match self.place(part.0) {
            Place::Default => {
                self.refuse(whole.0, &whole.1.to_string(), &format!("more than {}, which is {}", part.0, part.1))
            }
            _ => self.refuse(part.0, &part.1.to_string(), &format!("less than {}, which is {}", whole.0, whole.1)),
        }
    }

    pub(super) fn place(&self, key: &str) -> Place {
        let overrides = self.overrides;
        let flag = match key {
            "server.listen" => overrides.listen.as_ref().map(|_| "--listen"),
            "upstream.url" => overrides.upstream.as_ref().map(|_| "--upstream"),
            "store.directory" => overrides.data_dir.as_ref().map(|_| "--data-dir"),
            "memory.budget_tokens" => overrides.budget.map(|_| "--budget"),
            _ => None,
        };
        flag.map(Place::Flag).or_else(|| self.document.place_of(key)).unwrap_or(Place::Default)
    }
}

/// A text as it would be written in the file.
pub(super) fn quoted(text: &str) -> String {
    format!("{text:?}")
}
