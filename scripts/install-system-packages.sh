#!/usr/bin/env bash
# Installs the system packages that building mainpoint needs, where they are missing. Does nothing when all are there.
set -euo pipefail

missing=()

has() { command -v "$1" >/dev/null 2>&1; }

has_libclang() {
    [[ -n "${LIBCLANG_PATH:-}" ]] && return 0
    compgen -G '/usr/lib/llvm*/lib/libclang*.so*' >/dev/null && return 0
    compgen -G '/usr/lib/*/libclang*.so*' >/dev/null && return 0
    compgen -G '/usr/lib*/libclang*.so*' >/dev/null && return 0
    compgen -G '/usr/lib*/llvm*/lib*/libclang*.so*' >/dev/null && return 0
    compgen -G '/opt/homebrew/opt/llvm/lib/libclang.dylib' >/dev/null && return 0
    compgen -G '/usr/local/opt/llvm/lib/libclang.dylib' >/dev/null && return 0
    compgen -G '/Library/Developer/CommandLineTools/usr/lib/libclang.dylib' >/dev/null && return 0
    compgen -G '/Applications/Xcode.app/Contents/Developer/Toolchains/*/usr/lib/libclang.dylib' >/dev/null
}

# Debian keeps the compiler and the definitions that LanceDB imports in two packages.
has_protoc() {
    local folder found=1
    has protoc || return 1
    folder="$(mktemp -d)"
    echo 'syntax = "proto3"; import "google/protobuf/empty.proto"; message Probe { google.protobuf.Empty empty = 1; }' >"$folder/probe.proto"
    protoc -I "$folder" -o "$folder/probe.bin" "$folder/probe.proto" >/dev/null 2>&1 && found=0
    rm -r "$folder"
    return "$found"
}

has_python() { has python3 && python3 -m pip --version >/dev/null 2>&1 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

has cmake || missing+=(cmake)
has_libclang || missing+=(libclang)
has_protoc || missing+=(protobuf-compiler-and-definitions)
has c++ || has g++ || has clang++ || missing+=(c++-compiler)
has_python || missing+=(python3-with-pip-and-venv)

as_root() {
    if [[ "$(id -u)" == 0 ]]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        echo "Missing: ${missing[*]}. There is no sudo; as root, run: $*" >&2
        exit 69
    fi
}

install_missing() {
    echo "Missing: ${missing[*]}. Installing the system packages …" >&2
    if has apt-get; then
        as_root apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
            cmake libclang-dev protobuf-compiler libprotobuf-dev g++ python3 python3-pip python3-venv ca-certificates
    elif has dnf; then
        as_root dnf install -y cmake clang-devel protobuf-compiler protobuf-devel gcc-c++ python3 python3-pip
    elif has pacman; then
        as_root pacman -S --needed --noconfirm cmake clang protobuf gcc python python-pip
    elif has apk; then
        as_root apk add cmake clang-dev clang-static protoc protobuf-dev g++ linux-headers python3 py3-pip
    elif has brew; then
        brew install cmake llvm protobuf python3
    else
        return 1
    fi
}

if ((${#missing[@]} > 0)); then
    if ! install_missing; then
        cat >&2 <<EOF
These are missing and could not be installed here: ${missing[*]}.
Please install: cmake, libclang (with its headers), the protobuf compiler (protoc) with google/protobuf/*.proto, a C++ compiler, and Python 3 with pip and venv.
If libclang is in an unusual place, set LIBCLANG_PATH to the directory that holds it.
EOF
        exit 69
    fi
fi

if ! has cargo; then
    echo "cargo is missing: install Rust as https://rustup.rs says, open a new shell and try again." >&2
    exit 69
fi
