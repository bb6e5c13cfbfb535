//! Where data, programs and results lie when nobody says otherwise.

use std::path::{Path, PathBuf};

/// The repository's `bench`: below the nearest directory from the current one upward that holds it, else below the current one.
///
/// Looked up when the benchmark runs, since one target directory may serve several checkouts.
pub(crate) fn bench() -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    let root = current.ancestors().find(|directory| directory.join("bench/Cargo.toml").is_file());
    root.unwrap_or(&current).join("bench")
}

pub(crate) fn results() -> PathBuf {
    bench().join("results")
}

/// Where readings and filled stores are kept, which take long to make.
pub(crate) fn cache() -> PathBuf {
    bench().join("cache")
}

/// The directory of all data: `MAINPOINT_DATA` if it is a directory, else beside the repository.
pub(crate) fn data() -> PathBuf {
    set("MAINPOINT_DATA").filter(|path| path.is_dir()).unwrap_or_else(|| bench().join("../../shared/data"))
}

/// The LoCoMo file: `MAINPOINT_DATA` if it is a file, else in the directory of all data.
pub(crate) fn locomo() -> PathBuf {
    match set("MAINPOINT_DATA") {
        Some(path) if !path.is_dir() => path,
        _ => data().join("locomo/locomo-dev.json"),
    }
}

pub(crate) fn longmemeval() -> PathBuf {
    data().join("longmemeval/longmemeval-subset.json")
}

pub(crate) fn beam() -> PathBuf {
    data().join("beam-100k")
}

/// The directories of chats in the directory of all data, one for each language.
pub(crate) fn languages() -> PathBuf {
    data().join("languages")
}

/// Where the proxies of others are installed: `mainpoint/compare` in the user's cache.
pub(crate) fn compared() -> PathBuf {
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    cache.unwrap_or_else(|| Path::new(".cache").to_owned()).join("mainpoint/compare")
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
