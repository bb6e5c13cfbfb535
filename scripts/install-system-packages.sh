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

has_python() { has python3 && python3 -m pip --version >/dev/null 2>&1 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

has cmake || missing+=(cmake)
has_libclang || missing+=(libclang)
has protoc || missing+=(protobuf-compiler)
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
            cmake libclang-dev protobuf-compiler g++ python3 python3-pip python3-venv ca-certificates
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
Please install: cmake, libclang (with its headers), the protobuf compiler (protoc), a C++ compiler, and Python 3 with pip and venv.
If libclang is in an unusual place, set LIBCLANG_PATH to the directory that holds it.
EOF
        exit 69
    fi
fi

if ! has cargo; then
    echo "cargo is missing: install Rust as https://rustup.rs says, open a new shell and try again." >&2
    exit 69
fi
