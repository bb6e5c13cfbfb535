//! What the configuration accepts, what it refuses, and what it says then.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::exit::ExitStatus;
use crate::models::ModelReference;

const SHIPPED: &str = include_str!("../../../config.toml");

pub(super) fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Config::read(text, None, &Overrides::default(), Environment { variables: &lookup, secrets: Secrets::Read })
}

pub(super) const EMPTY: Environment<'static> = Environment { variables: &|_| None, secrets: Secrets::Read };

pub(super) fn refusal(text: &str) -> String {
    with_environment(text, &[]).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_shipped_file_says_what_the_defaults_are() {
    assert_eq!(Config::parse(SHIPPED).unwrap(), Config::defaults());
    assert_eq!(Config::parse("").unwrap(), Config::defaults());
}

#[test]
fn the_shipped_file_has_a_comment_above_every_key_and_no_key_is_left_out() {
    for section in ["server", "upstream", "identity", "memory", "prices", "store", "models", "reader", "log"] {
        let known = match Config::parse(&format!("[{section}]\nzzz = 1")) {
            Err(ConfigError::UnknownKey { known, .. }) => known,
            _ => Vec::new(),
        };
        assert!(!known.is_empty(), "[{section}] accepts any key");
        let lines: Vec<&str> = SHIPPED.lines().skip_while(|line| *line != format!("[{section}]")).skip(1).collect();
        let lines: Vec<&str> = lines.into_iter().take_while(|line| !line.starts_with('[')).collect();
        for key in known {
            let is_key = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
            let place = lines.iter().position(is_key);
            let above = place.and_then(|place| lines.get(place - 1));
            let commented = above.is_some_and(|line| line.starts_with("# "));
            assert!(commented, "{section}.{key} is not in config.toml, or has no comment above it");
        }
    }
}

#[test]
fn every_key_that_is_commented_out_is_accepted_when_it_is_not() {
    let text: String = SHIPPED
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") && !rest.contains('…') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let variables = [("OPENAI_API_KEY", "key"), ("MAINPOINT_ADMIN_TOKEN", "token"), ("HOME", "/home/somebody")];
    let config = with_environment(&text, &variables).unwrap();
    assert_eq!(config.models.directory, PathBuf::from("/home/somebody/.cache/mainpoint/models"));
    assert_eq!(config.upstream.api_key.unwrap().expose(), "key");
}

#[test]
fn attachments_stay_all_or_so_many_of_them() {
    let policy = |text: &str| {
        let config = Config::parse(&format!("[memory]\nattachments = \"{text}\"")).unwrap();
        config.memory.attachments
    };
    assert_eq!(policy("keep"), AttachmentPolicy::Keep);
    assert_eq!((policy("newest 0"), policy("newest 12")), (AttachmentPolicy::Newest(0), AttachmentPolicy::Newest(12)));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let error = refusal("[server]\nlisten = \"127.0.0.1:1\"\nmax_conections = 3\n");
    assert!(
        error.starts_with("line 3: unknown key `server.max_conections` (did you mean `max_connections`?)"),
        "{error}"
    );
    let error = refusal("[memroy]\nmode = \"on\"\n");
    assert!(
        error.contains("line 1: unknown key `memroy` (did you mean `memory`?); known here: server, upstream"),
        "{error}"
    );
    let error = refusal("[log]\nfliter = \"info\"\n");
    assert!(error.contains("known here: filter"), "{error}");
}

#[test]
fn a_text_that_is_not_toml_names_the_line_and_never_shows_it() {
    let error = refusal("[server]\nlisten = sk-live-123456\n");
    assert!(error.starts_with("line 2: not valid TOML: "), "{error}");
    assert!(!error.contains("sk-live"), "{error}");
}

#[test]
fn a_key_that_is_there_twice_is_named_with_its_section() {
    for (text, line, name) in [
        ("[server]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n", 3, "server.listen"),
        ("[server] # here\n\n\"listen\" = \"127.0.0.1:1\"\n\"listen\" = \"127.0.0.1:2\"\n", 4, "server.listen"),
        ("[log]\nfilter = \"info\"\n[server]\nlisten = \"127.0.0.1:1\"\n[log]\n", 5, "log"),
        ("server.listen = \"127.0.0.1:1\"\nserver.listen = \"127.0.0.1:2\"\n", 2, "server.listen"),
    ] {
        let error = refusal(text);
        let expected = format!("line {line}: not valid TOML: duplicate key `{name}`; expected it once");
        assert_eq!(error, expected, "{text}");
    }
    let error = refusal("[server]\nsk-live-123456 = 1\nsk-live-123456 = 2\n");
    assert!(error.contains("line 3") && !error.contains("sk-live"), "{error}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_shown() {
    let texts = [
        "[upstream]\napi_key = \"hidden-word\"",
        "[upstream]\napi_key_env = \"sk-hidden-word\"",
        "[upstream]\napi_key_env = \"hidden word\"",
        "[upstream]\nurl = \"https://somebody:hidden-word@example.org/v1\"",
        "[upstream]\nurl = \"https://example.org/v1?key=hidden-word\"",
        "[server]\nlisten = \"Bearer hidden-word\"",
        "[server]\nadmin_token = \"hidden-word\"",
        "[server]\nadmin_token_env = \"hidden-word\"",
        "api-key = \"hidden-word\"",
        "[models]\nhf_token = \"hidden-word\"",
        "[models]\nsources = [\"sk-hidden-word\"]",
    ];
    for text in texts {
        let error = with_environment(text, &[]).unwrap_err();
        assert!(matches!(error, ConfigError::LiteralSecret { .. }), "{text} gave {error}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains("hidden"), "{said}");
        assert!(said.contains("environment variable"), "{said}");
    }
}

#[test]
fn the_key_comes_from_the_variable_that_the_file_names_and_is_never_shown() {
    let text = "[upstream]\napi_key_env = \"MY_KEY\"";
    let config = with_environment(text, &[("MY_KEY", " hidden-word\n")]).unwrap();
    assert_eq!(config.upstream.api_key.as_ref().unwrap().expose(), "hidden-word");
    assert!(!format!("{config:?}").contains("hidden"));
    assert!(format!("{config:?}").contains("api_key: Some(***)"));
    let missing = refusal(text);
    assert!(
        missing.contains("upstream.api_key_env names the environment variable MY_KEY, which is not set"),
        "{missing}"
    );
    let unusable = with_environment(text, &[("MY_KEY", "hidden\nword")]).unwrap_err().to_string();
    assert!(unusable.contains("MY_KEY") && !unusable.contains("hidden"), "{unusable}");
}

#[test]
fn the_admin_token_comes_from_a_variable_of_its_own() {
    let text = "[server]\nadmin_token_env = \"MY_TOKEN\"";
    let config = with_environment(text, &[("MY_TOKEN", "hidden-word")]).unwrap();
    assert_eq!(config.server.admin_token.as_ref().unwrap().expose(), "hidden-word");
    assert!(!format!("{config:?}").contains("hidden") && Config::defaults().server.admin_token.is_none());
    let missing = refusal(text);
    assert!(missing.contains("server.admin_token_env names the environment variable MY_TOKEN"), "{missing}");
    let literal = refusal("[server]\nadmin_token_env = \"to ken\"");
    assert!(literal.contains("such as admin_token_env = \"MAINPOINT_ADMIN_TOKEN\""), "{literal}");
}

#[test]
fn where_others_can_connect_the_operator_needs_a_token_and_whoever_reads_no_secrets_does_not() {
    for listen in ["0.0.0.0:1", "10.1.2.3:1", "[::]:1"] {
        let text = format!("[server]\nlisten = \"{listen}\"");
        let error = refusal(&text);
        assert!(
            error.starts_with(&format!("line 2: server.listen = \"{listen}\": expected a loopback address")),
            "{error}"
        );
        assert!(error.contains("server.admin_token_env"), "{error}");
        let named = format!("{text}\nadmin_token_env = \"TOKEN\"");
        assert!(with_environment(&named, &[("TOKEN", "hidden-word")]).is_ok());
        let environment = Environment { secrets: Secrets::Unread, ..EMPTY };
        assert!(Config::read(&text, None, &Overrides::default(), environment).is_ok());
    }
    for listen in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1"] {
        assert!(Config::parse(&format!("[server]\nlisten = \"{listen}\"")).is_ok(), "{listen}");
    }
}

#[test]
fn who_needs_no_secrets_needs_no_variable_and_has_none() {
    let without =
        |text: &str| Config::read(text, None, &Overrides::default(), Environment { secrets: Secrets::Unread, ..EMPTY });
    let text = "[server]\nadmin_token_env = \"A\"\n[upstream]\nurl = \"http://localhost:1/v1\"\napi_key_env = \"B\"\n";
    let config = without(text).unwrap();
    assert!(config.server.admin_token.is_none() && config.upstream.api_key.is_none());
    let keys = format!("{text}[identity]\nfrom = \"proxy-keys\"\nkeys_file = \"keys.toml\"\n");
    assert!(without(&keys).is_ok(), "the keys go together");
    let tokens = "[identity]\nfrom = \"jwt\"\nsecret_env = \"C\"\n";
    assert!(without(tokens).unwrap().identity.secret.is_none());
    assert!(without("[upstream]\napi_key_env = \"sk-hidden-word\"").is_err(), "a secret is refused all the same");
}

#[test]
fn turns_are_kept_for_ever_unless_days_are_given() {
    let days =
        |days: i64| Config::parse(&format!("[store]\nretain_days = {days}")).map(|config| config.store.retain_for);
    assert_eq!(days(0).unwrap(), None);
    assert_eq!(days(30).unwrap(), Some(Duration::from_secs(30 * 86_400)));
    let error = days(-1).unwrap_err().to_string();
    assert!(error.contains("store.retain_days = -1: expected a whole number from 0 to 36500"), "{error}");
}

#[test]
fn flags_go_before_the_file_and_are_named_in_errors() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[upstream]\nurl = \"http://example.org/v1\"\n[memory]\nbudget_tokens = 5000";
    let overrides = Overrides {
        listen: Some("localhost:0".to_owned()),
        upstream: Some("embedded".to_owned()),
        data_dir: Some(PathBuf::from("elsewhere")),
        budget: Some(2000),
    };
    let config = Config::read(text, None, &overrides, EMPTY).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:0");
    assert_eq!(config.upstream.url, None);
    assert_eq!(config.store.directory, PathBuf::from("elsewhere"));
    assert_eq!(config.memory.budget_tokens, 2000);

    let overrides = Overrides { budget: Some(-3), ..Overrides::default() };
    let error = Config::read(text, None, &overrides, EMPTY).unwrap_err().to_string();
    assert_eq!(error, "--budget: memory.budget_tokens = -3: expected a whole number from 64 to 10000000");
}

#[test]
fn the_base_url_loses_the_slash_at_its_end() {
    for text in ["https://example.org/api/v1", "https://example.org/api/v1/", "https://example.org/api/v1//"] {
        let config = with_environment(&format!("[upstream]\nurl = \"{text}\""), &[]).unwrap();
        assert_eq!(config.upstream.url.unwrap().as_str(), "https://example.org/api/v1");
    }
}

#[test]
fn a_key_of_an_earlier_version_says_what_became_of_it() {
    let cases = [
        ("[models]\nembedder = \"all-minilm-l6-v2\"", "line 2: unknown key `models.embedder`: models.reader does all"),
        ("[embedder]\nthreads = 2", "line 1: unknown key `embedder`: there is one model now"),
        ("[memory]\nrerank = true", "line 2: unknown key `memory.rerank`: every candidate is compared"),
        ("[memory]\nleast_similarity = 0.15", "unknown key `memory.least_similarity`: memory.least_match says"),
        ("[reader]\nwindow_tokens = 512", "unknown key `reader.window_tokens`: reader.passage_tokens says"),
        ("[reader]\ncalibration = \"a.json\"", "unknown key `reader.calibration`: the model's attention"),
    ];
    for (text, expected) in cases {
        let error = with_environment(text, &[]).unwrap_err();
        assert_eq!(error.exit_status(), ExitStatus::Config);
        assert!(error.to_string().contains(expected), "{error}\n  expected: {expected}");
    }
}

#[test]
fn a_key_that_does_nothing_any_more_may_stay_and_is_named_with_its_line() {
    for value in ["0", "400", "10_000_000"] {
        let text = format!("[memory]\nmode = \"shadow\"\ndigest_tokens = {value}\n");
        let config = with_environment(&text, &[]).unwrap();
        let said: Vec<String> = config.ignored.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("line 3: memory.digest_tokens does nothing: prompts have no digest"), "{said:?}");
        let without = with_environment("[memory]\nmode = \"shadow\"\n", &[]).unwrap();
        assert_eq!(Config { ignored: Vec::new(), ..config }, without);
        assert_eq!(without.ignored, []);
    }
    assert!(refusal("[server]\ndigest_tokens = 4").contains("unknown key `server.digest_tokens`"));
    assert!(refusal("memory = 3").contains("memory = 3: expected a section"));
    assert_eq!(with_environment("memory.digest_tokens = 4", &[]).unwrap().ignored.len(), 1);
}

#[test]
fn any_match_may_be_the_least_and_any_number_of_passages_scanned() {
    for (text, expected) in [("-1", -1.0), ("0", 0.0), ("0.25", 0.25), ("1.0", 1.0)] {
        let config = with_environment(&format!("[memory]\nleast_match = {text}"), &[]).unwrap();
        assert_eq!(config.memory.least_match, expected);
    }
    let config = with_environment("[memory]\nscan_passages = 0\n[reader]\npassage_tokens = 32", &[]).unwrap();
    assert_eq!((config.memory.scan_passages, config.reader.passage_tokens), (0, 32));
}

#[test]
fn units_are_those_of_the_keys() {
    let text = "[upstream]\nconnect_timeout_seconds = 3\n[memory]\ndeadline_ms = 40\n[store]\nflush_interval_ms = 7";
    let config = with_environment(text, &[]).unwrap();
    assert_eq!(config.upstream.connect_timeout, Duration::from_secs(3));
    assert_eq!(config.memory.deadline, Duration::from_millis(40));
    assert_eq!(config.store.flush_interval, Duration::from_millis(7));
}

#[test]
fn the_environment_says_where_models_lie_before_the_file_does() {
    let text = "[models]\ndirectory = \"here\"";
    let directory = |variables: &[(&str, &str)], text| with_environment(text, variables).unwrap().models.directory;
    assert_eq!(directory(&[("MAINPOINT_MODELS_DIR", "/there")], text), PathBuf::from("/there"));
    assert_eq!(directory(&[("HOME", "/home/a")], text), PathBuf::from("here"));
    assert_eq!(directory(&[("HOME", "/home/a")], ""), PathBuf::from("/home/a/.cache/mainpoint/models"));
    let cache = [("XDG_CACHE_HOME", "/cache"), ("HOME", "/home/a")];
    assert_eq!(directory(&cache, ""), PathBuf::from("/cache/mainpoint/models"));
}

#[test]
fn a_model_can_be_a_short_name_a_path_or_a_hugging_face_file() {
    let text = format!(
        "[models]\nreader = \"hf:org/repo/dir/file.gguf@v1.0\"\nreader_sha256 = \"{}\"\nchat = \"./own.gguf\"",
        "0a".repeat(32)
    );
    let models = with_environment(&text, &[]).unwrap().models;
    assert_eq!(models.reader.to_string(), "hf:org/repo/dir/file.gguf@v1.0");
    assert_eq!(models.reader.digest.unwrap().to_string(), "0a".repeat(32));
    assert_eq!(models.chat, ModelReference::parse("./own.gguf").unwrap());
}

#[test]
fn a_file_that_is_missing_and_one_that_is_wrong_end_with_different_statuses() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.toml");
    let missing = Config::load(&path, &Overrides::default()).unwrap_err();
    assert_eq!(missing.exit_status(), ExitStatus::NoInput);
    assert!(missing.to_string().starts_with(&path.display().to_string()), "{missing}");

    std::fs::write(&path, "[server]\n\nlisten = 1\n").unwrap();
    let wrong = Config::load(&path, &Overrides::default()).unwrap_err();
    assert_eq!(wrong.exit_status(), ExitStatus::Config);
    assert!(wrong.to_string().starts_with(&format!("{}:3: server.listen = 1", path.display())), "{wrong}");

    std::fs::write(&path, b"[server]\n# caf\xe9\n").unwrap();
    let wrong = Config::load(&path, &Overrides::default()).unwrap_err();
    assert_eq!(wrong.exit_status(), ExitStatus::Config);
    assert_eq!(wrong.to_string(), format!("{}:2: not valid TOML: the text is not UTF-8", path.display()));
}

#[test]
fn the_name_of_this_machine_may_be_listened_on_and_other_names_are_refused_with_what_is_allowed() {
    assert_eq!(Config::parse("[server]\nlisten = \"localhost:80\"").unwrap().server.listen.to_string(), "127.0.0.1:80");
    for listen in ["example.com:80", "localhost", "localhost:http", ":80", "80"] {
        let error = refusal(&format!("[server]\nlisten = \"{listen}\""));
        let begin = format!("line 2: server.listen = \"{listen}\": expected an IP address and a port, such as");
        assert!(error.starts_with(&begin), "{error}");
    }
}

proptest! {
    #[test]
    fn a_budget_is_taken_exactly_when_it_is_in_range(budget in any::<i64>()) {
        let parsed = with_environment(&format!("[memory]\nmemory_tokens = 16\nbudget_tokens = {budget}"), &[]);
        match parsed {
            Ok(config) => prop_assert_eq!(i64::try_from(config.memory.budget_tokens).unwrap(), budget),
            Err(error) => {
                prop_assert!(!(64..=10_000_000).contains(&budget));
                prop_assert!(error.to_string().contains(&budget.to_string()));
            }
        }
    }

    #[test]
    fn any_text_is_accepted_or_refused_on_one_line(text in "(\\[[a-z]{0,8}\\]\n)?[a-z_]{0,8} ?=? ?\\PC{0,20}\n?\\PC{0,20}") {
        if let Err(error) = with_environment(&text, &[]) {
            prop_assert_eq!(error.to_string().lines().count(), 1);
        }
    }
}
