//! One target under libFuzzer, which reads the arguments. `MAINPOINT_FUZZ_TARGET` names the target; without it all names are printed.
//! `MAINPOINT_FUZZ_SEEDS` names a directory that is filled with what is tried first, and a file beside it, `DIRECTORY.dict`, with the
//! words that are put in.

#![no_main]

use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::sync::OnceLock;

use mainpoint_fuzz::{mutations, seeds, target, targets};

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(init: choose(), |bytes: &[u8]| {
    if let Some(attempt) = CHOSEN.get() {
        attempt(bytes);
    }
});

fn choose() {
    let Ok(name) = std::env::var("MAINPOINT_FUZZ_TARGET") else {
        let names: String = targets().map(|(name, _)| format!("{name}\n")).collect();
        end(i32::from(io::stdout().write_all(names.as_bytes()).is_err()), "");
    };
    let Some(attempt) = target(&name) else { end(64, "MAINPOINT_FUZZ_TARGET names no target") };
    let _ = CHOSEN.set(attempt);
    // What is loaded once, such as tokenizers, is none of the time of an input.
    seeds::own(&name).iter().for_each(|seed| attempt(seed));
    if let Some(directory) = std::env::var_os("MAINPOINT_FUZZ_SEEDS")
        && let Err(error) = fill(&name, directory.as_ref())
    {
        end(74, &format!("the seeds cannot be written: {error}"));
    }
}

/// Writes what a target is tried with first.
fn fill(name: &str, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (number, seed) in seeds::own(name).into_iter().chain(seeds::recorded(name)).enumerate() {
        std::fs::write(directory.join(format!("{number:04}")), seed)?;
    }
    let byte = |byte: &u8| format!("\\x{byte:02X}");
    let line = |word: &str| format!("\"{}\"\n", word.bytes().map(|own| byte(&own)).collect::<String>());
    std::fs::write(directory.with_extension("dict"), mutations::words(name).into_iter().map(line).collect::<String>())
}

fn end(status: i32, reason: &str) -> ! {
    if !reason.is_empty() {
        let _ = writeln!(io::stderr(), "mainpoint-fuzz: {reason}");
    }
    process::exit(status)
}
