#!/usr/bin/env bash
# Licences, bans, sources and advisories of every dependency (deny.toml), by cargo-deny, which is built where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

deny=0.20.2

# Tools are built by themselves, without our lints and not among our artifacts.
unset RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS CARGO_TARGET_DIR

if ! cargo deny --version >/dev/null 2>&1; then
    echo "cargo-deny is missing; building it, which takes some minutes …" >&2
    cargo install --locked --version "$deny" cargo-deny
fi

cargo deny --workspace --locked check licenses bans sources

# The advisories are not in the package registry: where nothing but that can be reached, nobody can be asked.
if timeout 60 cargo deny --workspace --locked fetch db >/dev/null 2>&1; then
    cargo deny --workspace --locked check --disable-fetch advisories
else
    echo 'advisories: NOT checked, because the advisory database cannot be fetched from here'
fi
