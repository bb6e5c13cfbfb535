#!/bin/sh
# Starts a proxy of others on PORT of the loopback interface in front of UPSTREAM: start.sh nginx|portkey|litellm|headroom
# With --version behind the name it says which version that is. INSTALLED is where scripts/install-load-tools.sh puts them,
# DIRECTORY a folder for configuration, MODEL the one that requests name.
set -eu

name=$1
here=$(dirname "$0")
home=$INSTALLED/$name

missing() {
    echo "it is not installed; scripts/install-load-tools.sh does that" >&2
    exit 69
}

# The program of a virtual environment that was filled to its end.
environment_has() { [ -f "$home/requirements.txt" ] && [ -f "$home/bin/$name" ] || missing; }

# The version that the requirements pin.
pinned() { sed -n "s/^$1==\([^ ]*\).*/\1/p" "$home/requirements.txt"; }

case $name in
nginx)
    # A plain reverse proxy: a worker for each core, no buffers, kept connections to the upstream.
    PATH=$PATH:/usr/sbin:/usr/local/sbin
    command -v nginx > /dev/null || missing
    version() { nginx -v 2>&1 | sed 's#.*nginx/\([^ ]*\).*#\1#'; }
    start() {
        authority=${UPSTREAM#*://}
        mkdir -p "$DIRECTORY/nginx"
        sed -e "s#ADDRESS#127.0.0.1:$PORT#" -e "s#UPSTREAM#${authority%%/*}#" "$here/nginx.conf" > "$DIRECTORY/nginx/nginx.conf"
        exec nginx -e stderr -c nginx.conf -p "$DIRECTORY/nginx/"
    }
    ;;
portkey)
    # Each request names the upstream in a header.
    package=$home/node_modules/@portkey-ai/gateway
    [ -f "$package/build/start-server.js" ] && command -v node > /dev/null || missing
    version() { sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$package/package.json"; }
    start() {
        export NODE_ENV=production
        exec node --require "$here/portkey/loopback.cjs" "$package/build/start-server.js" "--port=$PORT" --headless
    }
    ;;
litellm)
    environment_has
    version() { pinned litellm; }
    start() {
        # YAML that every JSON reader could read, too.
        cat > "$DIRECTORY/litellm.yaml" <<END
{"model_list": [{"model_name": "$MODEL", "litellm_params":
  {"model": "openai/$MODEL", "api_base": "$UPSTREAM", "api_key": "none"}}], "litellm_settings": {"telemetry": false}}
END
        # It looks for prices on the network unless told not to, and for a file with secrets unless in production.
        export LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_MODE=PRODUCTION LITELLM_LOG=ERROR
        exec "$home/bin/litellm" --config "$DIRECTORY/litellm.yaml" --host 127.0.0.1 --port "$PORT" \
            --num_workers 1 --telemetry False
    }
    ;;
headroom)
    environment_has
    version() { pinned headroom-ai; }
    start() {
        # The vocabularies of OpenAI's models come with a package that it depends on; without them it looks on the network at
        # every request. Its cache would answer the same request without asking the upstream.
        for packages in "$home"/lib/*/site-packages; do
            export TIKTOKEN_CACHE_DIR="$packages/litellm/litellm_core_utils/tokenizers"
        done
        export HEADROOM_OFFLINE=1
        exec "$home/bin/headroom" proxy --host 127.0.0.1 --port "$PORT" --openai-api-url "$UPSTREAM" --no-cache --no-rate-limit
    }
    ;;
*)
    echo "$name is none of them" >&2
    exit 64
    ;;
esac

if [ "${2:-}" = --version ]; then version; else start; fi
