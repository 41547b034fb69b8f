#!/bin/bash
# Fuzzes with libFuzzer under AddressSanitizer and UBSan: builds into build/fuzz, then runs each target from its corpus.
# Usage: test/fuzz/run.sh [TARGET] [SECONDS]   (all targets, 60 seconds each)
# What is new of what it found is merged into build/fuzz/new/TARGET, as few inputs as reach what the corpus does not.
# Prints a line a target, and last "# fuzz: N targets, N executions, N findings". Exit 1 with the paths of inputs that
# violate a property, crash, leak or hang; 2 for what is missing. JOBS: how many targets run side by side (1).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
SOURCE=test/fuzz BUILD=build/fuzz JOBS=${JOBS:-1}
RUNTIME=$(clang++-14 "--print-file-name=libclang_rt.fuzzer-$(uname -m).a" 2>/dev/null)
if [ ! -f "$RUNTIME" ]; then
    echo "test/fuzz/run.sh: no libFuzzer for clang 14; apt-get install clang-14 libclang-rt-14-dev" >&2
    exit 2
fi
ALL=("$SOURCE"/*_fuzz.cpp)
ALL=("${ALL[@]##*/}")
ALL=("${ALL[@]%_fuzz.cpp}")
LIMIT=60 TARGETS=("${ALL[@]}")
for word in "$@"; do
    case $word in
        *[!0-9]*) TARGETS=("$word") ;;
        *) LIMIT=$word ;;
    esac
done
for one in "${TARGETS[@]}"; do
    if [ ! -f "$SOURCE/${one}_fuzz.cpp" ]; then
        echo "test/fuzz/run.sh: no target $one; there are: ${ALL[*]}" >&2
        exit 2
    fi
done
if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
fi
mkdir -p $BUILD/new $BUILD/found
FLAGS='-Werror -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS'
if ! cmake -G Ninja -S . -B $BUILD -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_CXX_FLAGS="$FLAGS" \
    -DCMAKE_CXX_FLAGS_DEBUG='-O1 -gline-tables-only' -DDELEGATED_IPAM_STATIC=OFF -DDELEGATED_IPAM_TESTS=ON \
    -DDELEGATED_IPAM_FUZZ=ON >$BUILD/log 2>&1 ||
    ! cmake --build $BUILD --target "${TARGETS[@]/#/fuzz_}" >>$BUILD/log 2>&1; then
    grep -E 'error:|^FAILED' $BUILD/log | head -n 40
    tail -n 5 $BUILD/log
    exit 2
fi

# Folders that targets make lie in memory, where there is one, and go with this script.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then TMPDIR=$(mktemp -d -p /dev/shm); else TMPDIR=$(mktemp -d); fi
export TMPDIR
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$TMPDIR"' EXIT
trap 'exit 143' INT TERM

# keep_new TARGET FOLDER: of the inputs there and those kept before, as few as reach what the corpus does not.
keep_new() {
    local merged=$TMPDIR/$1.merged one
    mkdir "$merged" && cp -r "$SOURCE/corpus/$1/." "$merged"
    "$BUILD/test/fuzz/fuzz_$1" -merge=1 -timeout=20 -artifact_prefix="$TMPDIR/" "$merged" "$2" "$BUILD/new/$1"
    for one in "$SOURCE/corpus/$1"/*; do rm -f "$merged/${one##*/}"; done
    rm -rf "${BUILD:?}/new/$1" "$2" && mv "$merged" "$BUILD/new/$1"
}

# fuzz TARGET: one target for its time. Leaves its line in $TMPDIR/TARGET.line; fails when something was found.
fuzz() {
    local name=$1 log=$BUILD/$1.log work=$TMPDIR/$1.corpus options=() status executions coverage
    mkdir -p "$work" "$BUILD/new/$name" "$BUILD/found/$name"
    rm -f "$BUILD/found/$name"/*
    if [ -f "$SOURCE/$name.dict" ]; then options+=(-dict="$SOURCE/$name.dict"); fi
    "$BUILD/test/fuzz/fuzz_$name" -max_total_time="$LIMIT" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$BUILD/found/$name/" "${options[@]}" "$work" "$BUILD/new/$name" "$SOURCE/corpus/$name" \
        >"$log" 2>&1
    status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\).*/\1 edges, \2 features/p' "$log" | tail -n 1)
    keep_new "$name" "$work" >"$BUILD/$name.merge.log" 2>&1
    echo "# $name: ${executions:-0} executions, ${coverage:-no coverage}" >"$TMPDIR/$name.line"
    echo "${executions:-0}" >"$TMPDIR/$name.executions"
    [ $status -eq 0 ]
}

report() { # report TARGET STATUS
    cat "$TMPDIR/$1.line"
    if [ "$2" -eq 0 ]; then return; fi
    FINDINGS=$((FINDINGS + 1))
    grep -E '^== VIOLATED|^SUMMARY' "$BUILD/$1.log"
    find "$BUILD/found/$1" -type f
}

FINDINGS=0 EXECUTIONS=0 RUNNING=()
for one in "${TARGETS[@]}" ''; do
    while [ ${#RUNNING[@]} -ge "$JOBS" ] || { [ -z "$one" ] && [ ${#RUNNING[@]} -gt 0 ]; }; do
        wait "${RUNNING[0]#*:}"
        report "${RUNNING[0]%%:*}" $?
        RUNNING=("${RUNNING[@]:1}")
    done
    if [ -n "$one" ]; then
        fuzz "$one" &
        RUNNING+=("$one:$!")
    fi
done
for one in "${TARGETS[@]}"; do EXECUTIONS=$((EXECUTIONS + $(cat "$TMPDIR/$one.executions"))); done
echo "# fuzz: ${#TARGETS[@]} targets, $EXECUTIONS executions, $FINDINGS findings"
[ $FINDINGS -eq 0 ]
