#!/usr/bin/env bash
# Has llama.cpp compiled for the vector instructions of this machine: writes .cargo/config.toml, which cargo reads whoever calls it.
# A variable of the environment wins over it: with all of those below OFF the program runs on every processor with AVX2.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ "$(uname -sm)" == "Linux x86_64" && -r /proc/cpuinfo ]] || exit 0
flags=" $(grep -m1 '^flags' /proc/cpuinfo | cut -d: -f2) "

# on_if FLAG… says ON if the processor has every one of them.
on_if() {
    local flag
    for flag in "$@"; do
        [[ "$flags" == *" $flag "* ]] || { echo OFF; return; }
    done
    echo ON
}

# AMX stays off: llama.cpp leaves its tiles without a configuration where the compiler optimises (its pull request 26954), so that the first
# multiplication is an illegal instruction. Every one is named, on or off: cargo compiles llama.cpp anew as soon as one changes, as in a target directory from another machine.
config="# Written by scripts/processor-features.sh for the processor of this machine.
[env]
GGML_AVX512 = \"$(on_if avx512f avx512cd avx512vl avx512dq avx512bw)\"
GGML_AVX512_BF16 = \"$(on_if avx512_bf16)\"
GGML_AVX512_VBMI = \"$(on_if avx512vbmi)\"
GGML_AVX512_VNNI = \"$(on_if avx512_vnni)\"
GGML_AVX_VNNI = \"$(on_if avx_vnni)\"
GGML_AMX_TILE = \"OFF\"
GGML_AMX_INT8 = \"OFF\"
GGML_AMX_BF16 = \"OFF\""

mkdir -p .cargo
[[ -f .cargo/config.toml && "$(cat .cargo/config.toml)" == "$config" ]] || echo "$config" >.cargo/config.toml

# What was compiled for other instructions is thrown away: llama.cpp's build keeps the answers of its first configuration.
for cache in "${CARGO_TARGET_DIR:-target}"/*/build/llama-cpp-sys-2-*/out/build/CMakeCache.txt; do
    [[ -f "$cache" ]] || continue
    while IFS=' ="' read -r name value _; do
        [[ "$name" == GGML_* ]] || continue
        grep -q "^$name:[A-Z]*=$value$" "$cache" || { cargo clean --quiet --package llama-cpp-sys-2; exit 0; }
    done <<<"${config//\"/}"
done
