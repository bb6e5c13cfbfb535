//! A file or flags give a configuration that holds, or an error that names the place and the key.

use crate::config::{Config, ConfigError, Overrides, Place};

pub(super) fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    check(&Config::parse(text), lines);
    let first = text.lines().next().unwrap_or_default();
    for overrides in [
        Overrides { listen: Some(first.to_owned()), ..Overrides::default() },
        Overrides { upstream: Some(first.to_owned()), ..Overrides::default() },
        Overrides { data_dir: Some(first.into()), budget: first.parse().ok(), ..Overrides::default() },
    ] {
        check(&Config::without_file(&overrides), 1);
    }
}

fn check(read: &Result<Config, ConfigError>, lines: usize) {
    let error = match read {
        Ok(config) => {
            let memory = &config.memory;
            assert!(memory.memory_tokens < memory.budget_tokens && memory.low_water < memory.high_water, "{memory:?}");
            return;
        }
        Err(error) => error,
    };
    let said = error.to_string();
    let (place, key) = match error {
        ConfigError::Read { .. } => (&Place::Default, None),
        ConfigError::Syntax { place, message } => (place, Some(message)),
        ConfigError::UnknownKey { place, key, .. }
        | ConfigError::RemovedKey { place, key, .. }
        | ConfigError::Value { place, key, .. }
        | ConfigError::LiteralSecret { place, key }
        | ConfigError::Variable { place, key, .. } => (place, Some(key)),
    };
    assert!(key.is_some_and(|key| !key.is_empty()), "{said}");
    if let Place::Line { line, .. } = place {
        assert!((1..=lines).contains(line), "{said}");
    }
}
