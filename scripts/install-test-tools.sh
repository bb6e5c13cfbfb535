#!/usr/bin/env bash
# Sets up what only the tests need: cargo-nextest, and a virtual environment with the client libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

nextest=0.9.143
environment=.venv
requirements=tests/python/requirements.txt

if ! cargo nextest --version >/dev/null 2>&1; then
    echo "cargo-nextest is missing; building it, which takes some minutes …" >&2
    cargo install --locked --version "$nextest" cargo-nextest
fi

# The copy of the requirements is written last: it says that everything in it is installed.
if ! cmp --silent "$requirements" "$environment/requirements.txt" || ! "$environment/bin/python" --version >/dev/null 2>&1; then
    python3 -m venv --clear "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$environment/requirements.txt"
fi
