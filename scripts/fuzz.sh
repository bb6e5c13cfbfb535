#!/usr/bin/env bash
# Runs every target of PROGRAM for MINUTES (10) under libFuzzer, two at a time, and prints what came of it. Corpora, logs and the inputs
# that end a target stay in DIRECTORY. With RESULTS the figures take the place of earlier ones in RESULTS/reliability.jsonl.
# TARGETS names some targets instead of all.
set -euo pipefail
program=$1 directory=$2 results=${3:-}
seconds=$(awk "BEGIN { print int(${MINUTES:-10} * 60) }")
# Where the seeds look for the checkout and the data beside it.
export CARGO_MANIFEST_DIR=$PWD/fuzz
mkdir -p "$directory"/{corpus,crashes,logs,seeds}
targets=${TARGETS:-$("$program")}

attempt() {
  local longest=4096
  case $1 in chat | responses | secrets) longest=16384 ;; esac
  mkdir -p "$directory/corpus/$1" "$directory/crashes/$1"
  # The seeds and their dictionary are written first, by a run of nothing.
  export MAINPOINT_FUZZ_TARGET=$1
  MAINPOINT_FUZZ_SEEDS="$directory/seeds/$1" "$program" -runs=0 >"$directory/logs/$1.log" 2>&1
  "$program" -max_total_time="$seconds" -max_len="$longest" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 -seed=1 \
    -dict="$directory/seeds/$1.dict" -artifact_prefix="$directory/crashes/$1/" \
    "$directory/corpus/$1" "$directory/seeds/$1" >>"$directory/logs/$1.log" 2>&1
}
export -f attempt
export program directory seconds
rm -rf "$directory"/{crashes,logs}/*
printf '%s\n' $targets | xargs -P 2 -I '{}' bash -c 'attempt {} || true'

total=0 crashes=0 rows=''
printf '%-16s %14s %8s %9s %8s\n' target executions edges features crashes
for target in $targets; do
  log=$directory/logs/$target.log
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)
  reached=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1 || true)
  found=$(find "$directory/crashes/$target" -type f | wc -l)
  # A run that ended in another way, such as without memory for the program itself, is no success.
  [ "$found" -gt 0 ] || grep -q '^Done ' "$log" || found=1
  read -r _ edges _ features <<<"${reached:-cov: 0 ft: 0}"
  printf '%-16s %14s %8s %9s %8s\n' "$target" "${executions:-0}" "$edges" "$features" "$found"
  rows+="{\"bench\":\"fuzz\",\"metric\":\"executions\",\"arm\":\"mainpoint, $target\",\"value\":${executions:-0}}"$'\n'
  total=$((total + ${executions:-0})) crashes=$((crashes + found))
done
if [ -n "$results" ]; then
  file=$results/reliability.jsonl
  others=$(grep -v '^{"bench":"fuzz",' "$file" || true)
  figure() { printf '{"bench":"fuzz","metric":"%s","arm":"mainpoint","value":%s}\n' "$@"; }
  { printf '%s\n' "$others"; figure executions "$total"; figure crashes "$crashes"; printf '%s' "$rows"; } >"$file.new"
  mv "$file.new" "$file"
fi
printf '%s executions, %s crashes%s\n' "$total" "$crashes" "$([ "$crashes" = 0 ] || printf ': see %s' "$directory/crashes and logs")"
[ "$crashes" = 0 ]
