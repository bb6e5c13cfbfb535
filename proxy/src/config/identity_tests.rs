//! What `[identity]` accepts, what it refuses, and what it says then.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use super::tests::{refusal, with_environment};

#[test]
fn keys_that_do_not_go_together_are_refused_with_what_would() {
    let remote = "[upstream]\nurl = \"https://example.org/v1\"\n";
    let cases = [
        (
            "keys_file = \"keys.toml\"",
            "identity.keys_file = \"keys.toml\": expected no such key unless identity.from is \"proxy-keys\"; it is \"credentials\"",
        ),
        ("trusted_hosts = [\"a.example\"]", "expected no such key unless identity.from is \"header\""),
        ("issuer = \"a\"", "identity.issuer = \"a\": expected no such key unless identity.from is \"jwt\""),
        ("header = \"x-a\"", "expected no such key unless identity.from is \"jwt\" or \"header\""),
        ("from = \"jwt\"", "identity.from = \"jwt\": expected beside it what tokens are verified with"),
        (
            "from = \"jwt\"\njwks_file = \"a\"\nverified_upstream = true",
            "identity.verified_upstream = true: expected one way",
        ),
        (
            "from = \"jwt\"\nverified_upstream = true\nheader = \"x-mainpoint-token\"",
            "identity.verified_upstream = true: expected false with",
        ),
        (
            "from = \"jwt\"\njwks_file = \"a\"\nheader = \"X-Mainpoint-User\"",
            "identity.header = \"X-Mainpoint-User\": expected another header than memory.user_header",
        ),
        (
            "from = \"header\"\nheader = \"Authorization\"",
            "identity.header = \"Authorization\": expected a header of its own",
        ),
        ("from = \"header\"\nheader = \"x-mainpoint-project\"", "expected another header than memory.project_header"),
        ("from = \"proxy-keys\"", "identity.from = \"proxy-keys\": expected identity.keys_file beside it"),
        (
            "from = \"proxy-keys\"\nkeys_file = \"a\"",
            "identity.from = \"proxy-keys\": expected upstream.api_key_env besides",
        ),
    ];
    for (keys, expected) in cases {
        let error = refusal(&format!("{remote}[identity]\n{keys}\n"));
        assert!(error.contains(expected), "{keys}\n  gave: {error}\n  expected: {expected}");
    }
    let embedded = refusal("[identity]\nfrom = \"jwt\"\nverified_upstream = true\n");
    assert!(embedded.contains("expected false with upstream.url = \"embedded\""), "{embedded}");
    let text = format!("{remote}api_key_env = \"KEY\"\n[identity]\nfrom = \"jwt\"\nverified_upstream = true\n");
    let keyed = with_environment(&text, &[("KEY", "sk-a")]).unwrap_err().to_string();
    assert!(keyed.contains("expected false with upstream.api_key_env"), "{keyed}");
}

#[test]
fn values_that_are_none_are_refused_with_what_is_allowed() {
    let cases = [
        (
            "from = \"token\"",
            "identity.from = \"token\": expected \"credentials\", \"jwt\", \"header\" or \"proxy-keys\"",
        ),
        ("header = \"a b\"", "identity.header = \"a b\": expected the name of an HTTP header"),
        ("issuer = \"\"", "identity.issuer = \"\": expected a text that is not empty"),
        ("claims = []", "identity.claims = []: expected a list of names of claims"),
        (
            "claims = [\"sub\", \"sub\"]",
            "identity.claims = [\"sub\", \"sub\"]: expected a list of names of claims, each once",
        ),
        ("trusted_peers = []", "identity.trusted_peers = []: expected a list, not empty, of addresses or networks"),
        ("trusted_peers = [\"localhost\"]", "identity.trusted_peers = [\"localhost\"]: expected a list"),
        (
            "trusted_hosts = [\"https://a.example\"]",
            "identity.trusted_hosts = [\"https://a.example\"]: expected a list of names",
        ),
        ("trusted_hosts = [\"a.example:443\"]", "expected a list of names of hosts, without scheme and port"),
        ("leeway_seconds = -1", "identity.leeway_seconds = -1: expected a whole number from 0 to 3600"),
    ];
    for (key, expected) in cases {
        let error = refusal(&format!("[identity]\n{key}\n"));
        assert!(error.contains(expected), "{key}\n  gave: {error}\n  expected: {expected}");
    }
}

#[test]
fn each_source_is_taken_with_what_it_needs() {
    let remote = "[upstream]\nurl = \"https://example.org/v1\"\n";
    for keys in [
        "from = \"jwt\"\njwks_file = \"keys.json\"\nissuer = \"a\"\naudience = \"b\"\nclaims = [\"sub\"]",
        "from = \"jwt\"\nverified_upstream = true",
        "from = \"header\"\ntrusted_peers = [\"10.0.0.7\", \"fd00::/8\"]\ntrusted_hosts = [\"Chat.Example.com\"]",
    ] {
        with_environment(&format!("{remote}[identity]\n{keys}\n"), &[]).unwrap();
    }
    let keyed = format!("{remote}api_key_env = \"KEY\"\n[identity]\nfrom = \"proxy-keys\"\nkeys_file = \"a\"\n");
    with_environment(&keyed, &[("KEY", "sk-a")]).unwrap();
    with_environment("[identity]\nfrom = \"proxy-keys\"\nkeys_file = \"a\"\n", &[]).unwrap();
}

#[test]
fn the_secret_comes_from_the_environment_is_long_enough_and_is_never_shown() {
    let text = "[identity]\nfrom = \"jwt\"\nsecret_env = \"OWN_SECRET\"\n";
    let secret = "a hidden secret of more than 32 bytes";
    let config = with_environment(text, &[("OWN_SECRET", secret)]).unwrap();
    assert_eq!(config.identity.secret.as_ref().unwrap().expose(), secret);
    assert!(!format!("{config:?}").contains("hidden"));
    let short = with_environment(text, &[("OWN_SECRET", "hidden")]).unwrap_err().to_string();
    assert!(short.contains("identity.secret_env") && short.contains("32 bytes"), "{short}");
    assert!(!short.contains("hidden"), "{short}");
    assert!(refusal(text).contains("OWN_SECRET, which is not set"));
}

#[test]
fn claims_in_another_order_are_the_same_claims() {
    let claims = |list: &str| {
        let text = format!("[identity]\nclaims = {list}\n");
        with_environment(&text, &[]).unwrap().identity.claims
    };
    assert_eq!(claims("[\"sub\", \"iss\"]"), claims("[\"iss\", \"sub\"]"));
}
