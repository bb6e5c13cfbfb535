//! Where data, programs and results lie when nobody says otherwise.

use std::path::{Path, PathBuf};

/// The repository: the nearest directory from the current one upward that holds `bench/Cargo.toml`, else the current one.
///
/// Looked up when the benchmark runs, since one target directory may serve several checkouts.
#[must_use]
pub fn repository() -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    let root = current
        .ancestors()
        .find(|directory| directory.join("bench/Cargo.toml").is_file());
    root.map_or_else(|| current.clone(), Path::to_path_buf)
}

/// The LoCoMo file: `MAINPOINT_DATA` (a file, or the directory of all data), else beside the repository.
#[must_use]
pub fn locomo() -> PathBuf {
    const FILE: &str = "locomo/locomo-dev.json";
    match set("MAINPOINT_DATA") {
        Some(path) if !path.is_dir() => path,
        _ => data().join(FILE),
    }
}

/// The BEAM chats in the directory of all data.
#[must_use]
pub fn beam() -> PathBuf {
    data().join("beam-100k")
}

/// Everything that recall is measured on: LoCoMo, BEAM, LongMemEval and the languages.
#[must_use]
pub fn recall_data() -> Vec<PathBuf> {
    let beside = ["longmemeval/longmemeval-subset.json", "languages"].map(|name| data().join(name));
    let beside = std::iter::once(beam()).chain(beside);
    std::iter::once(locomo())
        .chain(beside.filter(|path| path.exists()))
        .collect()
}

/// The directory of all data: `MAINPOINT_DATA` if it is a directory, else beside the repository.
#[must_use]
pub fn data() -> PathBuf {
    set("MAINPOINT_DATA")
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| repository().join("../shared/data"))
}

/// Where the proxies of others are installed: `mainpoint/compare` in the user's cache.
#[must_use]
pub fn compared() -> PathBuf {
    cache().join("mainpoint/compare")
}

/// The `mainpoint` program: `MAINPOINT_BIN`, else beside this program.
#[must_use]
pub fn mainpoint() -> PathBuf {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        Some(own.parent()?.join(format!("mainpoint{}", std::env::consts::EXE_SUFFIX)))
    };
    set("MAINPOINT_BIN")
        .or_else(beside)
        .unwrap_or_else(|| PathBuf::from("mainpoint"))
}

/// The user's cache: `XDG_CACHE_HOME`, else `.cache` in the home directory.
fn cache() -> PathBuf {
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from(".cache"))
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
