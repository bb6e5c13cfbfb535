#!/usr/bin/env bash
# A compiler for RUSTC_WORKSPACE_WRAPPER: the crates of this workspace, which cargo gives it alone, with the counters and comparisons that
# libFuzzer steers by. What they depend on stays as every build has it. Build scripts are left alone.
case " $* " in
  *" --crate-name mainpoint"*) ;;
  *) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
