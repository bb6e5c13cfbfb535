#!/usr/bin/env bash
# Writes the software bill of materials of the program, in CycloneDX: every crate that it is linked from, with version, licence and digest.
set -euo pipefail
cd "$(dirname "$0")/.."

cyclonedx=0.5.9
out=${1:?usage: write-bill-of-materials.sh DIRECTORY}

unset RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS CARGO_TARGET_DIR

if ! cargo cyclonedx --version >/dev/null 2>&1; then
    echo "cargo-cyclonedx is missing; building it, which takes some minutes …" >&2
    cargo install --locked --version "$cyclonedx" cargo-cyclonedx
fi

# One is written for every member of the workspace. Those of the checkout are named by where they lie, which is nobody's business.
name=mainpoint.cdx
cargo cyclonedx --manifest-path proxy/Cargo.toml --format json --override-filename "$name"
mkdir -p "$out"
sed "s|path+file://$PWD|path+file:///mainpoint|g; s|file://$PWD|file:///mainpoint|g" "proxy/$name.json" >"$out/$name.json"
rm -f ./*/"$name.json"
