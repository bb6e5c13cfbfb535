#!/usr/bin/env bash
# Installs what only the overhead benchmark needs: the load tool wrk, and the proxies that mainpoint is compared with (nginx,
# Portkey's gateway, LiteLLM, Headroom). What is there already stays; what cannot be had is named, and the benchmark leaves it out.
set -euo pipefail
cd "$(dirname "$0")/.."

pins="$PWD/bench/compare"
home="${XDG_CACHE_HOME:-$HOME/.cache}/mainpoint/compare"

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [[ "$(id -u)" == 0 ]]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        return 1
    fi
}

left_out() { echo "$1 could not be installed: $2. The benchmark leaves it out." >&2; }

# Debian starts a web server as soon as it is installed, unless the run level says that the machine is being serviced.
install_system_packages() {
    has apt-get || return 1
    as_root apt-get update -q || return 1
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends wrk nginx-light
}

has_nginx() { has nginx || [[ -x /usr/sbin/nginx ]]; }

# A copy of the pinned versions is written last: it says that all of them are installed.
install_portkey() {
    local to="$home/portkey"
    cmp --silent "$pins/portkey/package-lock.json" "$to/package-lock.installed" && return 0
    has npm || { left_out "Portkey's gateway" "npm is missing"; return 0; }
    mkdir -p "$to"
    cp "$pins/portkey/package.json" "$pins/portkey/package-lock.json" "$to/"
    (cd "$to" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund) || { left_out "Portkey's gateway" "npm failed"; return 0; }
    cp "$to/package-lock.json" "$to/package-lock.installed"
}

install_python_program() {
    local name="$1" to="$home/$1"
    cmp --silent "$pins/$name.txt" "$to/requirements.txt" && return 0
    has python3 || { left_out "$name" "python3 is missing"; return 0; }
    mkdir -p "$home"
    python3 -m venv --clear "$to" || { left_out "$name" "python3 has no venv"; return 0; }
    "$to/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement "$pins/$name.txt" || { left_out "$name" "pip failed"; return 0; }
    cp "$pins/$name.txt" "$to/requirements.txt"
}

if ! has wrk || ! has_nginx; then
    install_system_packages || left_out "wrk or nginx" "there is no apt-get, or no right to use it"
fi
# These versions of LiteLLM are never to be installed, whatever is pinned.
if grep -qE '^litellm==(1\.82\.7|1\.82\.8|1\.107\.0)( |$)' "$pins"/*.txt; then
    echo "bench/compare pins a version of LiteLLM that is never to be used." >&2
    exit 1
fi
install_portkey
install_python_program litellm
install_python_program headroom

if ! has wrk; then
    echo "wrk is missing, and without it nothing can be measured: please install it." >&2
    exit 69
fi
