#!/bin/bash
# Installs what the tests need, builds every preset and runs every test. Usage: test/run.sh [--list] [SUITE...]
# Suites: asan tidy vectors differential crash churn node delegates badinput cli validate examples e2e kernel peers
# (default: all of these), and unit: the unit tests of the preset dev, which asan runs as well.
# Two lanes run side by side, as most suites wait more than they compute: one builds the other presets and runs what
# needs them, one runs the suites of the release binary. The peers are built beside both from the first minute.
# Prints progress, and last one line: "N passed, N failed, N skipped". Leaves nothing behind but build/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
ROOT=$PWD
ALL=(asan tidy vectors differential crash churn node delegates badinput cli validate examples e2e kernel peers)
TIMES=build/suite-times                 # "SECONDS NAME" of the last run of each step
if [ "${1:-}" = --list ]; then
    echo "suites: ${ALL[*]} (unit)"
    if [ -f $TIMES ]; then sort -rn $TIMES | awk '{ s = $1; $1 = ""; printf "%5d s %s\n", s, $0 }'; fi
    exit 0
fi
export LC_ALL=C.UTF-8 VECTORS_DIR="${VECTORS_DIR:-$ROOT/test/vectors}"
. test/lib/packages.sh

# What was compiled, or looked at by clang-tidy, before is not again, wherever the clone lies.
if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
PASSED=0 FAILED=0 SKIPPED=0
STARTED=$SECONDS
LANE=

say() { printf '== [%4ds]%s %s\n' "$((SECONDS - STARTED))" "${LANE:+ $LANE:}" "$*"; }

# took START NAME: notes how long a step ran.
took() { echo "$((SECONDS - $1)) $2" >>"$WORK/times"; }

# fail NAME: counts a step that is no test of its own (a build that breaks) as one failed test.
fail() { say "FAILED: $1"; FAILED=$((FAILED + 1)); }

build() { # build PRESET [TARGET]: in the lane of builds at low priority, as the other's suites have deadlines to keep
    local start=$SECONDS priority=0
    if [ "$LANE" = builds ]; then priority=10; fi
    say "build $1"
    local options=()
    if [ "$1" = tidy ]; then options=("-DCMAKE_CXX_CLANG_TIDY=$ROOT/test/lib/cached_tidy.py"); fi
    if ! cmake --preset "$1" "${options[@]}" >"$WORK/log" 2>&1 ||
        ! nice -n $priority cmake --build --preset "$1" --target "${2:-all}" -- -k 0 >>"$WORK/log" 2>&1; then
        grep -E 'error:|^FAILED' "$WORK/log" | head -n 60
        tail -n 20 "$WORK/log"
        fail "build of preset $1"
        return 1
    fi
    took "$start" "build $1"
}

# count_tap FILE STATUS NAME: adds the results of a TAP suite; a suite that breaks off counts as failed.
count_tap() {
    local ok not_ok skip plan
    skip=$(grep -c '^ok .*# SKIP' "$1")
    ok=$(($(grep -c '^ok ' "$1") - skip))
    not_ok=$(grep -c '^not ok ' "$1")
    plan=$(grep -c '^1\.\.[0-9]' "$1")
    if grep -q '^1\.\.0 # SKIP' "$1"; then skip=$((skip + 1)); fi
    PASSED=$((PASSED + ok)) FAILED=$((FAILED + not_ok)) SKIPPED=$((SKIPPED + skip))
    if [ "$plan" -ne 1 ] || { [ "$2" -ne 0 ] && [ "$not_ok" -eq 0 ]; }; then fail "$3 broke off (exit $2)"; fi
}

tap() { # tap NAME COMMAND...: runs a TAP suite; shows what is not ok and every comment that is a measurement
    local name=$1 status start=$SECONDS
    shift
    say "$name"
    "$@" </dev/null >"$WORK/tap" 2>"$WORK/err"
    status=$?
    took "$start" "$name"
    { # at once, so that the lanes' lines do not mix
        say "$name: $((SECONDS - start)) s, $(grep -c '^ok ' "$WORK/tap") ok"
        grep -E '^(not ok|# |ok .*# SKIP|1\.\.0 # SKIP)' "$WORK/tap" | grep -vE '^# [0-9.]+ s$'
        if [ $status -ne 0 ]; then tail -n 40 "$WORK/err"; fi
    } >"$WORK/report"
    cat "$WORK/report"
    count_tap "$WORK/tap" "$status" "$name"
}

unit() { # unit PRESET: runs the Catch2 tests of a preset by CTest
    build "$1" || return
    local start=$SECONDS
    say "unit tests ($1)"
    ctest --preset "$1" -j "$(nproc)" --output-junit "$WORK/junit.xml" >"$WORK/log" 2>&1 </dev/null
    grep -E '(Failed|Not Run|Timeout)' "$WORK/log"
    took "$start" "unit tests ($1)"
    local total failed skipped
    total=$(sed -n 's/.*tests="\([0-9]*\)".*/\1/p' "$WORK/junit.xml" | head -n1)
    failed=$(sed -n 's/.*failures="\([0-9]*\)".*/\1/p' "$WORK/junit.xml" | head -n1)
    skipped=$(sed -n 's/.*skipped="\([0-9]*\)".*/\1/p' "$WORK/junit.xml" | head -n1)
    if [ -z "$total" ] || [ "$total" -eq 0 ]; then
        tail -n 40 "$WORK/log"
        fail "unit tests ($1) did not run"
        return
    fi
    if [ "$failed" -ne 0 ]; then tail -n 80 "$WORK/log"; fi
    PASSED=$((PASSED + total - failed - skipped)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
}

tidy() {
    if build tidy; then PASSED=$((PASSED + 1)); fi
    say "clang-format"
    if git ls-files '*.cpp' '*.hpp' | xargs clang-format-14 --dry-run -Werror >"$WORK/log" 2>&1; then
        PASSED=$((PASSED + 1))
    else
        head -n 20 "$WORK/log"
        fail "clang-format: run clang-format-14 -i on the files above"
    fi
}

static_binary() {
    build release || return
    local binary=build/release/delegated-ipam size kind
    size=$(stat -c %s $binary)
    kind=$(ldd $binary 2>&1) # exits non-zero for one that is static and not position-independent
    say "release binary: $size bytes"
    if [ "$size" -le 3000000 ] && grep -qE 'not a dynamic executable|statically linked' <<<"$kind"; then
        PASSED=$((PASSED + 1))
    else
        fail "the release binary must be static and at most 3 000 000 bytes; it has $size: $kind"
    fi
}

run_suite() {
    case $1 in
        unit) unit dev ;;
        asan)
            unit asan || return
            for suite in badinput/badinput validate/validate delegate/faults delegate/callers; do
                tap "$suite (sanitizers)" env MUTANTS=30 DELEGATED_IPAM="$ROOT/build/asan/delegated-ipam" "test/${suite}_test.py"
            done
            ;;
        tidy) tidy ;;
        vectors)
            tap "skel vectors" test/vectors/skel_test.py
            tap "delegate vectors" test/vectors/delegate_exec_test.py
            tap "delegates' results" test/vectors/conversion_delegate_test.py
            ;;
        differential)
            tap "differential" test/differential/differential_test.py --seed "${SEED:-2696597611}"
            tap "both plugins on one directory" test/differential/alternating_test.py --seed "${SEED:-2023}"
            ;;
        crash)
            tap "killed at every system call" test/crash/kill_test.py
            tap "an error at every system call" test/crash/error_test.py
            tap "power cut" test/crash/powercut_test.py
            tap "system calls" test/crash/syscall_test.py
            ;;
        churn)
            tap "churn" test/churn/churn_test.py
            tap "identities" test/churn/identity_test.py
            tap "policies" test/churn/policy_test.py
            ;;
        node)
            tap "races" test/node/races_test.py
            tap "races in the store" test/node/races_store_test.py
            tap "races with the world" test/node/races_world_test.py
            tap "failure modes" test/node/failure_modes_test.py
            tap "sick disks" test/node/disk_test.py
            tap "odd disks" test/node/odd_disks_test.py
            tap "odd files" test/node/odd_files_test.py
            tap "recorded sequences" test/node/sequences_test.py
            tap "orphaned ADDs" test/node/orphan_test.py
            tap "two pods of one name" test/node/overlap_test.py
            tap "fifty reboots" test/node/reboots_test.py
            tap "proof of death" test/node/proof_test.py
            tap "who is alive" test/node/alive_test.py
            tap "odd callers" test/node/odd_callers_test.py
            tap "restarted node containers" test/node/restarted_test.py
            tap "a /run that is kept" test/node/kept_run_test.py
            tap "reclaimed addresses" test/node/reclaim_test.py
            tap "addresses left aside" test/node/set_aside_test.py
            tap "the cost of proof" test/node/proof_cost_test.py
            tap "kept means reachable" test/node/reach_test.py
            tap "announcing is no weapon" test/node/reach_rules_test.py
            tap "tenants" test/node/tenant_test.py
            tap "configuration on a node" test/node/conf_test.py
            ;;
        kernel)
            wait_for_peers
            tap "VLANs, Debian's kernel" test/kernel/vlan_test.py
            ;;
        delegates)
            build dev delegated-ipam || return # valgrind looks at the dynamic executable
            for suite in test/delegate/*_test.py; do
                tap "delegates: $(basename "$suite" _test.py)" "$suite"
            done
            ;;
        peers)
            wait_for_peers
            for suite in test/peers/*_test.py; do
                tap "peers: $(basename "$suite" _test.py)" "$suite"
            done
            tap "differential, newest host-local" \
                test/differential/differential_test.py --host-local newest --seed "${SEED:-7}"
            ;;
        badinput)
            tap "bad input" test/badinput/badinput_test.py
            tap "foreign text" test/badinput/foreign_text_test.py
            tap "large input" test/badinput/large_stdin_test.py
            tap "growth" test/badinput/growth_test.py
            ;;
        examples)
            wait_for_peers
            tap "pages" test/examples/pages_test.py
            tap "examples" test/examples/examples_test.py
            ;;
        cli)
            for suite in test/cli/*_test.py; do
                tap "operator's tool: $(basename "$suite" _test.py)" "$suite"
            done
            tap "the benchmark's own" test/bench/bench_test.py
            ;;
        validate) tap "validate" test/validate/validate_test.py ;;
        e2e)
            tap "containerd" test/e2e/containerd_test.py
            tap "moving over and back" test/e2e/migration_test.py
            tap "foreign state" test/e2e/foreign_state_test.py
            tap "containerd writes the conflist" test/e2e/conf_template_test.py
            wait_for_peers
            tap "two nodes" test/e2e/two_nodes_test.py
            tap "the script for kind" test/e2e/kind_script_test.py
            tap "the script for kind on a node" test/e2e/kind_node_test.py
            for network in bridge flannel cilium; do
                tap "kind, $network" test/e2e/kind/run.sh "$network"
            done
            ;;
        *) fail "unknown suite $1" ;;
    esac
}

traces() { # what tests may leave on the machine: folders, mounts, loop devices, network namespaces
    find /run/delegated-ipam /run/netns /var/lib/cni /var/lib/delegated-ipam /etc/cni /opt/cni \
        /var/tmp -maxdepth 1 2>/dev/null
    cut -d' ' -f2 /proc/self/mounts
    losetup --noheadings --output NAME
}

nothing_left() { # nothing_left FILE: compares with the traces of before
    say "what is left behind"
    if traces | sort | diff "$1" - >"$WORK/log"; then
        PASSED=$((PASSED + 1))
    else
        cat "$WORK/log"
        fail "something was left behind (>) or taken away (<)"
    fi
}

# What the suites run beside ours, built in the background; its lock tells when that is over.
start_peers() { # start_peers PEER...
    exec 9>"$WORK/peers.lock"
    flock 9
    nice test/peers/build.py "$@" </dev/null >"$WORK/peers.log" 2>&1 &
    exec 9>&-
}

wait_for_peers() {
    [ -f "$WORK/../peers.lock" ] || return 0
    say "waiting for the peers"
    flock "$WORK/../peers.lock" true
    cat "$WORK/../peers.log"
    : >"$WORK/../peers.log" # told once
}

start_peers_of() { # start_peers_of SUITE...: those that these suites need
    case " $* " in
        *" peers "*) start_peers ;;
        *" e2e "*) start_peers flannel kind crictl helm charts plugins ;;
        *" kernel "*) start_peers plugins ;;
        *" examples "*) start_peers helm charts ;;
    esac
}

lane() { # lane NAME SUITE...: runs suites one after the other; leaves its counts and times in its own folder
    LANE=$1 WORK=$WORK/$1
    mkdir "$WORK"
    shift
    PASSED=0 FAILED=0 SKIPPED=0
    for one in "$@"; do run_suite "$one"; done
    echo "$PASSED $FAILED $SKIPPED" >"$WORK/counts"
}

run_lanes() { # run_lanes SUITE...
    local builds=() runs=() one passed failed skipped
    for one in "$@"; do
        case $one in unit | asan | tidy) builds+=("$one") ;; *) runs+=("$one") ;; esac
    done
    lane builds "${builds[@]}" &
    local first=$!
    lane runs "${runs[@]}" &
    wait $first $!
    for one in builds runs; do
        if read -r passed failed skipped <"$WORK/$one/counts"; then
            PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
        else
            fail "the lane $one broke off"
        fi
    done
}

keep_times() { # the new times beside those of steps that did not run now
    touch $TIMES
    cat "$WORK"/times "$WORK"/*/times >"$WORK/now" 2>/dev/null
    awk '{ name = $0; sub(/^[0-9]+ /, "", name) } !(name in seen) { seen[name]; print }' \
        "$WORK/now" $TIMES >"$WORK/all-times"
    mv "$WORK/all-times" $TIMES
    say "the slowest:"
    sort -rn "$WORK/now" | head -n 5 | awk '{ s = $1; $1 = ""; printf "# %5d s %s\n", s, $0 }'
}

say "packages"
for group in build test e2e; do install_packages $group || fail "installing the packages of $group"; done
traces | sort >"$WORK/before"
SUITES=("${@:-${ALL[@]}}")
start_peers_of "${SUITES[@]}"
static_binary
run_lanes "${SUITES[@]}"
wait
nothing_left "$WORK/before"
keep_times
say "done"
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" -eq 0 ]
