//! A start that cannot succeed says so in one line that names the fix, with an exit status by kind, and leaves nothing behind.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainpoint_tests::binary::{self, Finished};
use mainpoint_tests::checkout;
use mainpoint_tests::models;
use mainpoint_tests::proxy::Home;

const MODELS: &str = "MAINPOINT_MODELS_DIR";

#[test]
fn a_wrong_configuration_names_key_value_and_line_and_exits_with_78() {
    let cases: [(&str, &[&str]); 19] = [
        ("[memory]\nbudget_tokens = 100\nbudget_tokns = 5\n", &[":3:", "memory.budget_tokns", "budget_tokens"]),
        ("\n\n[memroy]\nmode = \"on\"\n", &[":3:", "memroy", "memory"]),
        ("[memory]\nmode = \"on\n", &[":2:", "TOML"]),
        ("[memory\n", &[":1:", "TOML"]),
        ("[memory]\nbudget_tokens = \"many\"\n", &[":2:", "memory.budget_tokens", "many", "number"]),
        ("[memory]\nbudget_tokens = -1\n", &[":2:", "memory.budget_tokens", "-1"]),
        ("[memory]\nbudget_tokens = 500\nmemory_tokens = 500\n", &[":3:", "memory.memory_tokens", "500", "less than"]),
        ("[memory]\nmode = \"shade\"\n", &[":2:", "memory.mode", "shade", "\"on\"", "\"off\""]),
        ("[server]\nlisten = \"nowhere\"\n", &[":2:", "server.listen", "nowhere", "127.0.0.1:8787"]),
        ("[server]\nlisten = \"0.0.0.0:0\"\n", &[":2:", "server.listen", "0.0.0.0:0", "server.admin_token_env"]),
        ("[upstream]\nurl = \"ftp://x\"\n", &[":2:", "upstream.url", "ftp://x", "http"]),
        ("[reader]\nkeep = 1.5\n", &[":2:", "reader.keep", "1.5"]),
        ("[models]\nreader = \"gpt-5\"\n", &[":2:", "models.reader", "gpt-5", "embeddinggemma-300m"]),
        ("[embedder]\nthreads = 2\n", &[":1:", "embedder"]),
        ("[memory]\nrerank = true\n", &[":2:", "memory.rerank"]),
        ("[memory]\nleast_match = 2.0\n", &[":2:", "memory.least_match", "2"]),
        ("[identity]\nfrom = \"jwt\"\n", &[":2:", "identity.from", "jwt", "identity.jwks_file"]),
        ("[identity]\nkeys_file = \"keys.toml\"\n", &[":2:", "identity.keys_file", "proxy-keys"]),
        ("[identity]\ntrusted_peers = [\"gateway\"]\n", &[":2:", "identity.trusted_peers", "gateway", "127.0.0.0/8"]),
    ];
    for (text, named) in cases {
        for check in [true, false] {
            let home = Home::new();
            home.configure(text);
            let arguments: &[&str] = if check { &["--check"] } else { &[] };
            assert_refused(&serve(&home, arguments), &[78], named);
            assert_untouched(&home);
        }
    }
}

#[test]
fn a_missing_configuration_file_and_wrong_arguments_have_their_own_status() {
    let home = Home::new();
    let refused = serve(&home, &[]);
    assert_refused(&refused, &[66], &["config.toml"]);
    assert_untouched(&home);
    for arguments in [&["serve", "--nonsense"][..], &["fly"], &["search"], &["models", "fly"]] {
        let refused = binary::run(arguments);
        assert_eq!(refused.code, 64, "{arguments:?}: {}", refused.said());
        assert_eq!(refused.stdout, "", "{arguments:?}");
        assert!(!refused.stderr.is_empty(), "{arguments:?}");
    }
    let refused = serve_with(&home, "", &["--budget", "lots"]);
    assert_eq!(refused.code, 64, "{}", refused.said());
    let refused = serve_with(&home, "", &["--budget", "3"]);
    assert_refused(&refused, &[78], &["--budget", "3"]);
    let refused = serve_with(&home, "", &["--listen", "here"]);
    assert_refused(&refused, &[78], &["--listen", "here"]);
    assert_untouched(&home);
}

#[test]
fn a_configuration_that_is_not_utf_8_names_the_line_and_exits_with_78() {
    let home = Home::new();
    fs::write(home.configuration(), b"[log]\nfilter = \"caf\xe9\"\n").expect("a file");
    for arguments in [&["--check"][..], &[]] {
        assert_refused(&serve(&home, arguments), &[78], &["config.toml:2:", "UTF-8"]);
    }
    assert_untouched(&home);
}

#[test]
fn a_port_in_use_is_named_and_exits_with_69() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("the port").to_string();
    let home = Home::new();
    let refused = serve_with(&home, "", &["--listen", &address]);
    assert_refused(&refused, &[69], &[&address, "in use", "--listen"]);
    assert_untouched(&home);
}

#[test]
fn a_missing_model_is_named_with_the_remedy_and_exits_with_66() {
    let home = Home::new();
    let missing = home.path().join("absent.gguf");
    for key in ["reader", "chat"] {
        let refused = serve_with(&home, &format!("[models]\n{key} = {missing:?}\n"), &[]);
        assert_refused(&refused, &[66], &["absent.gguf"]);
    }
    let empty = home.path().join("models");
    fs::create_dir(&empty).expect("a folder");
    home.configure("");
    for arguments in [&["--check"][..], &[]] {
        let mut command = serving(&home, arguments);
        command.env(MODELS, &empty);
        assert_refused(&binary::finish(command, &[]), &[66], &["embeddinggemma-300m", "mainpoint models fetch"]);
    }
    assert_eq!(fs::read_dir(&empty).expect("the folder").count(), 0, "nothing was put into the folder of models");
    fs::remove_dir(&empty).expect("an empty folder");
    assert_untouched(&home);
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_named_by_a_start_and_by_a_check() {
    models::require();
    let home = Home::new();
    let file = home.path().join("keys.json");
    let text = format!("[identity]\nfrom = \"jwt\"\njwks_file = {file:?}\n");
    for arguments in [&["--check"][..], &[]] {
        assert_refused(&serve_with(&home, &text, arguments), &[66], &["identity.jwks_file", "keys.json", "JWKS"]);
    }
    for wrong in ["{\"keys\": []}", "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n"] {
        fs::write(&file, wrong).expect("a file");
        for arguments in [&["--check"][..], &[]] {
            let refused = serve_with(&home, &text, arguments);
            assert_refused(&refused, &[65], &["identity.jwks_file", "keys.json", "JWKS"]);
            assert!(!refused.said().contains("hidden"), "{}", refused.said());
        }
    }
    fs::remove_file(file).expect("the file");
    assert_untouched(&home);
}

#[test]
fn an_upstream_that_is_the_proxy_itself_is_refused_by_a_start_and_by_a_check() {
    let home = Home::new();
    home.configure("[server]\nlisten = \"127.0.0.1:8787\"\n[memory]\nmode = \"off\"\n[upstream]\nurl = \"http://localhost:8787/v1\"\n");
    let named = ["upstream.url", "http://localhost:8787/v1", "server.listen", "127.0.0.1:8787", "expected"];
    for arguments in [&["--check"][..], &[]] {
        assert_refused(&serve(&home, arguments), &[78], &named);
    }
    assert_untouched(&home);
}

#[test]
fn a_corrupt_model_is_named_and_exits_with_65() {
    let home = Home::new();
    for (key, whole) in [("reader", models::light()), ("chat", models::chat())] {
        let cut = copy_of_the_first(5_000_000, &whole, &home.path().join(format!("cut-{key}.gguf")));
        let refused = serve_with(&home, &format!("[models]\n{key} = {cut:?}\n"), &[]);
        assert_refused(&refused, &[65], &[&format!("cut-{key}.gguf")]);
        fs::remove_file(cut).expect("the copy");
    }
    let nonsense = home.path().join("nonsense.gguf");
    fs::write(&nonsense, b"this is no model").expect("a file");
    let refused = serve_with(&home, &format!("[models]\nreader = {nonsense:?}\n"), &["--check"]);
    assert_refused(&refused, &[65], &["nonsense.gguf", "GGUF"]);
    fs::remove_file(nonsense).expect("the file");
    assert_untouched(&home);
}

#[test]
fn a_model_of_the_wrong_kind_is_refused_and_not_pretended_with() {
    let home = Home::new();
    for (key, wrong) in [("reader", models::chat()), ("chat", models::light())] {
        let refused = serve_with(&home, &format!("[models]\n{key} = {wrong:?}\n"), &[]);
        let file = wrong.file_name().expect("a name").to_string_lossy().into_owned();
        assert_refused(&refused, &[65, 78], &[&file]);
        assert_untouched(&home);
    }
}

#[test]
fn an_unwritable_data_directory_is_named_and_exits_with_73_or_77() {
    models::require();
    let home = Home::new();
    // Below a regular file nobody can create anything, not even an administrator.
    let file = home.path().join("a-file");
    fs::write(&file, "mine").expect("a file");
    let data = file.join("data");
    for arguments in [&["--check"][..], &[]] {
        let text = format!("[store]\ndirectory = {data:?}\n");
        home.configure(&text);
        assert_refused(&serve(&home, arguments), &[73, 77], &["a-file"]);
    }
    assert_eq!(fs::read_to_string(&file).expect("the file"), "mine", "the file is what it was");
    fs::remove_file(file).expect("the file");
    assert_untouched(&home);
}

#[test]
fn a_secret_is_never_printed_whatever_is_wrong() {
    let secret = "sk-live-4f9a8b7c6d5e4f3a2b1c";
    let variable = "MAINPOINT_TEST_SECRET";
    let home = Home::new();
    for text in [
        format!("[upstream]\napi_key = \"{secret}\"\n"),
        format!("[upstream]\napi_key_env = \"{secret}\"\n"),
        format!("[upstream]\nurl = \"https://user:{secret}@example.invalid/v1\"\n"),
        format!("[upstream]\nurl = \"https://example.invalid/v1?key={secret}\"\n"),
        format!("[upstream]\nurl = \"{secret}\"\n"),
        format!("api_key = \"{secret}\n"),
        format!("[memory]\nmode = \"{secret}\"\n"),
        format!("[upstream]\napi_key_env = \"{variable}\"\nunknown = 1\n"),
    ] {
        home.configure(&text);
        for arguments in [&["--check"][..], &[]] {
            let mut command = serving(&home, arguments);
            command.env(variable, secret);
            let refused = binary::finish(command, &[]);
            assert_refused(&refused, &[78], &["config.toml"]);
            assert!(!refused.said().contains("4f9a8b7c"), "the secret of {text:?} was printed: {}", refused.said());
        }
    }
    // A good configuration with a secret does not show it either.
    models::require();
    home.configure(&format!("[upstream]\nurl = \"https://example.invalid/v1\"\napi_key_env = \"{variable}\"\n"));
    let mut command = serving(&home, &["--check"]);
    command.env(variable, secret).env("RUST_LOG", "trace");
    let checked = binary::finish(command, &[]).successful();
    assert!(!checked.said().contains("4f9a8b7c"), "{}", checked.said());
    assert_refused(&serve(&home, &[]), &[78], &[variable, "not set"]);
    assert_untouched(&home);
}

#[test]
fn the_shipped_configuration_is_in_order() {
    models::require();
    let shipped = checkout::root().join("config.toml");
    let home = Home::new();
    let mut command = binary::command();
    command.current_dir(home.path()).arg("serve").arg("--config").arg(shipped).arg("--check");
    binary::finish(command, &[]).successful();
    assert_untouched(&home);
}

fn serving(home: &Arc<Home>, arguments: &[&str]) -> std::process::Command {
    let mut command = binary::command();
    command.current_dir(home.path()).arg("serve").arg("--config").arg(home.configuration()).args(arguments);
    command
}

fn serve(home: &Arc<Home>, arguments: &[&str]) -> Finished {
    binary::finish(serving(home, arguments), &[])
}

/// Serves a configuration that says where the data are and listens on a free port.
pub(crate) fn serve_with(home: &Arc<Home>, text: &str, arguments: &[&str]) -> Finished {
    let server = if arguments.contains(&"--listen") { "" } else { "[server]\nlisten = \"127.0.0.1:0\"\n" };
    home.configure(&format!("{text}{server}[store]\ndirectory = {:?}\n", home.data()));
    serve(home, arguments)
}

/// One line on standard error that names all of `named`, nothing on standard output, and one of `codes`.
pub(crate) fn assert_refused(finished: &Finished, codes: &[i32], named: &[&str]) {
    assert!(codes.contains(&finished.code), "status {} instead of {codes:?}: {}", finished.code, finished.said());
    assert_eq!(finished.stdout, "", "standard output is for results");
    let lines: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("mainpoint: ")).collect();
    assert_eq!(lines.len(), 1, "one line says what is wrong: {}", finished.stderr);
    assert!(finished.stderr.trim_end().ends_with(lines[0]), "it is the last one: {}", finished.stderr);
    for name in named {
        assert!(lines[0].contains(name), "{name:?} is not named in {}", lines[0]);
    }
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

/// Nothing but the configuration is there.
fn assert_untouched(home: &Arc<Home>) {
    let entries = fs::read_dir(home.path()).expect("the folder").flatten().map(|entry| entry.file_name());
    let others: Vec<_> = entries.filter(|name| name != "config.toml").collect();
    assert!(others.is_empty(), "something was left behind: {others:?}");
}

fn copy_of_the_first(bytes: u64, whole: &Path, target: &Path) -> PathBuf {
    let mut start = Vec::new();
    fs::File::open(whole).expect("the model").take(bytes).read_to_end(&mut start).expect("its first bytes");
    fs::File::create(target).and_then(|mut file| file.write_all(&start)).expect("a copy");
    target.to_path_buf()
}
