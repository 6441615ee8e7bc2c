#!/usr/bin/env bash
# Runs one fuzzer for a bounded time: run_fuzzer.sh <program> <corpus folder> [libFuzzer options...]
# Starts from the seeds in the tree (tests/fuzz/seeds/<program>) and, for readers of GGUF files, from those in
# BITNET_TEST_DATA; finds go to the corpus folder, which the next run starts from.
set -euo pipefail

program=$1
corpus=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
data=${BITNET_TEST_DATA:-$here/../../../shared/data}
name=$(basename "$program")

folders=("$corpus")
mkdir -p "$corpus"
for seeds in "$here/seeds/$name" "$data/gguf/fuzz-seeds" "$data/gguf/stubs"; do
    case $seeds in
        "$data"/*) [[ $name == *gguf* || $name == *model* ]] || continue ;;
    esac
    if [[ -d $seeds ]]; then
        folders+=("$seeds")
    fi
done
exec "$program" -runs=20000 -max_total_time=10 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$corpus/../$name-" "$@" "${folders[@]}"
