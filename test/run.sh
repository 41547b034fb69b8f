#!/bin/bash
# Installs what the tests need, builds every preset and runs every test.
# Usage: test/run.sh [--list] [--load N] [--shuffle SEED] [SUITE...]
# Suites: asan tidy vectors differential crash proof churn node security delegates badinput cli validate examples e2e kernel
# peers packaging kind (default: all of these), and unit: the unit tests of the preset dev, which asan runs as well; packages:
# packaging, and every package built twice for three processors, their suites under qemu, a bare Debian 12 and 13 (an hour);
# clusters: the newest kubelet's calls recorded, and real clusters of kind, on a node image and a docker of the
# tests' own (an hour and a half, once an hour more). Of these, kind runs bridge, where the programs for it are compiled.
# --load N keeps N processes busy beside the suites; --shuffle SEED runs them in another order, the
# same for the same word.
# Five lanes run side by side, as most suites wait more than they compute: one builds the other presets and runs what
# needs them, one has the cluster, three take the suites of the release binary from one queue, and the first helps them when
# it is through. What is built beside, from the first minute, is the peers.
# Prints progress, and last one line: "N passed, N failed, N skipped". Leaves nothing behind but build/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
ROOT=$PWD
# The longest first, so that the lanes end together; those that wait for the peers not at once.
ALL=(asan tidy kind node delegates crash proof differential churn e2e peers security badinput cli validate vectors examples kernel packaging)
TIMES=build/suite-times                 # "SECONDS PROCESSOR-SECONDS NAME" of the last run of each step
# shellcheck disable=SC2016  # awk's
SHOWN_TIME='{ s = $1; cpu = $2; $1 = $2 = ""; printf "%5d s, %5d of a processor %s\n", s, cpu, $0 }'
LOAD=0 SHUFFLE='' LANE=''
while :; do
    case ${1:-} in
        --list)
            echo "suites: ${ALL[*]} (unit packages clusters)"
            if [ -f $TIMES ]; then sort -rn $TIMES | awk "$SHOWN_TIME"; fi
            exit 0
            ;;
        --load) LOAD=${2:?how many processes} && shift 2 ;;
        --shuffle) SHUFFLE=${2:?a seed} && shift 2 ;;
        --lane) LANE=${2:?its name} && shift 2 ;; # how this script calls itself, in the namespaces of a lane
        *) break ;;
    esac
done
export LC_ALL=C.UTF-8 VECTORS_DIR="${VECTORS_DIR:-$ROOT/test/vectors}"
. test/lib/packages.sh

# What was compiled, linked, or looked at by clang-tidy, before is not again, wherever the clone lies.
if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
    export CMAKE_CXX_LINKER_LAUNCHER=$ROOT/test/lib/linked_before.py
fi
if [ -z "$LANE" ]; then
    RUN=$(mktemp -d -p /tmp) # of the whole run; in it each lane has a folder of its own
    WORK=$RUN STARTED=$EPOCHSECONDS CHILDREN=()
    trap 'stop_children; rm -rf "$RUN"' EXIT
    trap 'exit 143' INT TERM
    export RUN STARTED
else
    WORK=$RUN/$LANE
    mkdir "$WORK" || exit 2
fi
PASSED=0 FAILED=0 SKIPPED=0 USED=0

# Those that still run, with all that they have started: each is the first of a session.
stop_children() {
    local one
    for one in "${CHILDREN[@]}"; do kill -- "-$one" 2>/dev/null; done
}

say() { printf '== [%4ds]%s %s\n' "$((EPOCHSECONDS - STARTED))" "${LANE:+ $LANE:}" "$*"; }

# took START NAME: notes how long a step ran, and the processor time of what it started and waited for. That counts from
# the step before.
took() {
    local stat now
    read -ra stat <"/proc/$BASHPID/stat" # proc(5): cutime and cstime, in hundredths of a second
    now=$(((stat[15] + stat[16]) / 100))
    echo "$((SECONDS - $1)) $((now - USED)) $2" >>"$WORK/times"
    USED=$now
}

# fail NAME: counts a step that is no test of its own (a build that breaks) as one failed test.
fail() { say "FAILED: $1"; FAILED=$((FAILED + 1)); }

build() { # build PRESET [TARGET]: in a lane at low priority, as the suites of the others have deadlines to keep
    local start=$SECONDS priority=0 what="build $1${2:+, $2}"
    if [ -n "$LANE" ]; then priority=10; fi
    say "$what"
    exec 7>"$RUN/build-$1.lock" # another lane may want the same preset
    flock 7
    if ! cmake --preset "$1" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON >"$WORK/log" 2>&1 ||
        ! nice -n $priority cmake --build --preset "$1" --target "${2:-all}" -- -k 0 >>"$WORK/log" 2>&1; then
        exec 7>&-
        grep -E 'error:|^FAILED' "$WORK/log" | head -n 60
        tail -n 20 "$WORK/log"
        fail "$what"
        return 1
    fi
    exec 7>&-
    took "$start" "$what"
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

each() { # each NAME EXCEPT FILE...: the TAP suites in these files, by their files' names; without that of EXCEPT
    local name=$1 except=$2 file suite
    shift 2
    for file in "$@"; do
        suite=$(basename "$file" _test.py)
        if [ "$suite" != "$except" ]; then tap "$name: $suite" "$file"; fi
    done
}

# unit PRESET: runs the Catch2 tests of a preset, one process for many tests: CTest, which the test presets are for,
# starts 800. Four shares a processor, one after the other: to the store each process is an ADD, for which nobody waits
# longer than ten minutes.
unit() {
    build "$1" || return
    local start=$SECONDS tests=build/$1/test/unit_tests shares share
    shares=$(($(nproc) * 4))
    say "unit tests ($1)"
    "$tests" --list-test-names-only 2>/dev/null | sed 's/[][\\,]/\\&/g' >"$WORK/names" # as it reads a filter
    for ((share = 0; share < shares; share++)); do
        awk "NR % $shares == $share" "$WORK/names" >"$WORK/names.$share"
    done
    # shellcheck disable=SC2016  # for the inner shell
    seq 0 $((shares - 1)) |
        xargs -P "$(nproc)" -I SHARE sh -c '"$0" -f "$1/names.SHARE" >"$1/unit.SHARE" 2>&1 </dev/null || true' "$tests" "$WORK"
    took "$start" "unit tests ($1)"
    for ((share = 0; share < shares; share++)); do
        count_unit "$WORK/unit.$share" "$(wc -l <"$WORK/names.$share")" "$1"
    done
}

count_unit() { # count_unit FILE TESTS PRESET: adds what Catch2's last lines say; fewer tests than there are is a failure
    local passed failed
    failed=$(sed -n 's/^test cases:.*[^0-9]\([0-9]\+\) failed.*/\1/p' "$1")
    passed=$(sed -n 's/^All tests passed (.* in \([0-9]\+\) test cases\?)$/\1/p; s/^test cases:.*[^0-9]\([0-9]\+\) passed.*/\1/p' "$1")
    PASSED=$((PASSED + ${passed:-0})) FAILED=$((FAILED + ${failed:-0}))
    if [ $((${passed:-0} + ${failed:-0})) -ne "$2" ] || [ "$2" -eq 0 ]; then
        tail -n 80 "$1"
        fail "unit tests ($3) broke off"
    elif [ "${failed:-0}" -ne 0 ]; then
        tail -n 120 "$1"
    fi
}

tidy() { # nothing is compiled: asan has all of it compiled by clang
    local start=$SECONDS
    say "clang-tidy"
    if cmake --preset tidy -DCMAKE_CXX_COMPILER_LAUNCHER= -DCMAKE_CXX_LINKER_LAUNCHER= >"$WORK/log" 2>&1 &&
        nice test/lib/cached_tidy.py build/tidy >"$WORK/log" 2>&1; then
        PASSED=$((PASSED + 1))
    else
        head -n 200 "$WORK/log"
        fail "clang-tidy"
    fi
    took "$start" "clang-tidy"
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
            tap "fuzz corpus (sanitizers)" build/asan/test/fuzz/fuzz_corpus test/fuzz/corpus
            # Leaks are looked for above. Half of what a process takes to start are those, and the stacks of allocations.
            for suite in badinput/badinput validate/validate delegate/faults delegate/callers; do
                tap "$suite (sanitizers)" env MUTANTS=30 ASAN_OPTIONS=detect_leaks=0:malloc_context_size=2 \
                    DELEGATED_IPAM="$ROOT/build/asan/delegated-ipam" "test/${suite}_test.py"
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
            tap "killed and stopped, both plugins" test/crash/mixed_test.py
            tap "system calls" test/crash/syscall_test.py
            ;;
        proof)
            build dev proof || return
            tap "crash states" test/lib/passed_before.py build/dev/test/crash_states
            tap "histories" test/lib/passed_before.py build/dev/test/histories
            tap "histories with the real plugin" test/proof/played_test.py
            tap "commands at the same time" test/lib/passed_before.py build/dev/test/schedules
            tap "a fault at every call" test/lib/passed_before.py build/dev/test/call_faults
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
            each delegates valgrind test/delegate/*_test.py
            build release delegated-ipam-dynamic || return # valgrind sees no memory of a static one
            each delegates '' test/delegate/valgrind_test.py
            ;;
        peers/containerd)
            wait_for_peers
            each peers '' test/peers/containerd_test.py
            ;;
        peers/others)
            wait_for_peers
            each peers containerd test/peers/*_test.py
            tap "differential, newest host-local" \
                test/differential/differential_test.py --host-local newest --seed "${SEED:-7}"
            ;;
        badinput)
            tap "bad input" test/badinput/badinput_test.py
            tap "foreign text" test/badinput/foreign_text_test.py
            tap "large input" test/badinput/large_stdin_test.py
            tap "growth" test/badinput/growth_test.py
            ;;
        security) each security '' test/security/*_test.py ;;
        examples)
            wait_for_peers
            tap "pages" test/examples/pages_test.py
            tap "examples" test/examples/examples_test.py
            ;;
        cli)
            each "operator's tool" '' test/cli/*_test.py
            tap "the benchmark's own" test/bench/bench_test.py
            ;;
        validate) tap "validate" test/validate/validate_test.py ;;
        packaging)
            wait_for_peers
            each packages '' test/packages/*_test.py
            ;;
        packages)
            ADDS=10000 run_suite packaging
            each packages '' test/packages/whole/*_test.py
            ;;
        clusters)
            wait_for_peers
            tap "the newest kubelet" test/e2e/kubelet_test.py
            tap "clusters of kind" test/e2e/clusters_test.py
            ;;
        kind) # with patience: the other lanes have the processors as well
            wait_for_peers
            tap "a cluster of kind" env KIND_PATIENCE="${KIND_PATIENCE:-300}" test/e2e/clusters_test.py bridge
            for network in flannel cilium; do
                tap "kind, $network" test/e2e/kind/run.sh "$network"
            done
            ;;
        e2e/alone)
            tap "containerd" test/e2e/containerd_test.py
            tap "moving over and back" test/e2e/migration_test.py
            tap "foreign state" test/e2e/foreign_state_test.py
            tap "containerd writes the conflist" test/e2e/conf_template_test.py
            ;;
        e2e/peers)
            wait_for_peers
            tap "two nodes" test/e2e/two_nodes_test.py
            tap "the script for kind" test/e2e/kind_script_test.py
            tap "the script for kind on a node" test/e2e/kind_node_test.py
            ;;
        *) fail "unknown suite $1" ;;
    esac
}

# What tests may leave on the machine: folders, mounts, loop devices, network namespaces. A suite's mount point, which
# its time of change tells (MADE_HERE in lib/sandbox.py), says so.
traces() {
    find /run/delegated-ipam /run/netns /var/lib/cni /var/lib/delegated-ipam /etc/cni /opt/cni \
        /var/tmp -maxdepth 1 \( -newermt @1 -print -o -printf '%p, a mount point of tests\n' \) 2>/dev/null
    cut -d' ' -f2 /proc/self/mounts
    losetup --noheadings --output NAME
}

# nothing_left FILE: compares with the traces of before. The mount points of a run that was still going or had been
# killed are taken away by whoever uses them last: with right.
nothing_left() {
    say "what is left behind"
    traces | sort | diff "$1" - | grep '^[<>]' | grep -v '^<.*, a mount point of tests$' >"$WORK/log" || true
    if [ ! -s "$WORK/log" ]; then
        PASSED=$((PASSED + 1))
    else
        cat "$WORK/log"
        fail "something was left behind (>) or taken away (<)"
    fi
}

namespace_traces() { # what tests may leave in a lane's own namespaces; without root it has none
    if [ "$(id -u)" -ne 0 ]; then return; fi
    if mountpoint -q /var/tmp; then find /var/tmp -mindepth 1 -maxdepth 1; fi
    cut -d' ' -f2 /proc/self/mounts
    if [ "$LANE" != packages ]; then ip -brief link; fi
}

# What the suites run beside ours, built in the background; its lock tells when that is over. The lanes have no network:
# here everything is fetched that a suite needs of it (the guest's kernel, Kubernetes' schemas, etcd). The charts and promtool,
# which take seconds, are there before any suite.
start_peers() { # start_peers SUITE...: those that these suites need
    local peers=() files=() image='' suite one node_image=test/e2e/kind/node_image/build.py
    for suite in "$@"; do
        case $suite in
            peers) mapfile -t peers < <(cd test/peers && dirname -- */go.sum) && files+=(cilium_agent) ;;
            e2e) peers+=(flannel kind crictl helm charts plugins) files+=(kube_schemas) ;;
            kernel) peers+=(plugins) files+=(guest) ;;
            examples) peers+=(helm charts) files+=(kube_schemas) ;;
            packaging) peers+=(helm) ;;
            packages) peers+=(helm cni) ;;
            kind) peers+=(kind containerd crictl plugins flannel) files+=(own_docker) image=${image:-"$node_image --quick"} ;;
            clusters) peers+=(kind containerd crictl plugins flannel cilium-agent helm) files+=(own_docker) image=$node_image ;;
            validate | asan) peers+=(charts) ;;
        esac
    done
    if [[ " $* " = *" cli "* || " $* " = *" examples "* ]]; then /usr/bin/python3 -B test/lib/promtool.py </dev/null; fi
    if [ ${#peers[@]} -eq 0 ]; then return; fi
    if [[ " ${peers[*]} " = *" charts "* ]]; then test/peers/build.py charts </dev/null; fi
    mapfile -t peers < <(printf '%s\n' "${peers[@]}" | sort -u)
    exec 9>"$RUN/peers.lock"
    flock 9
    # shellcheck disable=SC2016  # for the inner shell
    setsid bash -c 'for one in $1; do /usr/bin/python3 -B "test/lib/$one.py"; done; image=$2; shift 2
        nice test/peers/build.py "$@"; nice ${image:-true}' \
        - "${files[*]}" "$image" "${peers[@]}" </dev/null >"$RUN/peers.log" 2>&1 &
    CHILDREN+=($!)
    exec 9>&-
}

wait_for_peers() {
    [ -f "$RUN/peers.lock" ] || return 0
    say "waiting for the peers"
    flock "$RUN/peers.lock" true
    cat "$RUN/peers.log"
    : >"$RUN/peers.log" # told once
}

next_suite() { # takes the next suite of the queue and prints it; 1 when none is left
    local one
    exec 8>"$RUN/queue.lock"
    flock 8
    one=$(head -n 1 "$RUN/queue")
    sed -i 1d "$RUN/queue"
    exec 8>&-
    [ -n "$one" ] && echo "$one"
}

# Puts the folders of a lane's tests on an ext4 that lies in memory: a disk's flushes are half of what they wait for.
# What is said of disks is said of images in files, which lie in it. Where there is no room, they stay on the disk, in a
# folder of the lane's.
memory_disk() {
    local room
    room=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 4) }' /proc/meminfo) # MiB
    export TMPDIR=/var/tmp
    case $ROOT/ in /var/tmp/*) return ;; esac # it would be covered
    case $LANE in packages | clusters | kind) room=0 ;; esac # make whole systems
    if [ "$room" -ge 1500 ] && mkdir "$WORK/memory" && mount -t tmpfs -o "size=${room}m" tmpfs "$WORK/memory" &&
        truncate -s "${room}M" "$WORK/memory/disk" && mkfs.ext4 -q "$WORK/memory/disk" 2>"$WORK/log" &&
        mount -o loop,discard "$WORK/memory/disk" /var/tmp 2>"$WORK/log"; then
        chmod 1777 /var/tmp
    else
        if [ "$room" -gt 0 ]; then say "no disk in memory, everything takes longer ($room MiB)"; fi
        mkdir -m 1777 "$WORK/tmp" && mount --bind "$WORK/tmp" /var/tmp
    fi
}

lane() { # lane SUITE...: runs suites one after the other, then those of the queue; leaves its counts
    local one
    if [ "$(id -u)" -eq 0 ]; then
        ip link set lo up
        memory_disk
    fi
    namespace_traces | sort >"$WORK/before"
    for one in "$@"; do run_suite "$one"; done
    case $LANE in
        packages | clusters | kind) ;;
        *) while one=$(next_suite); do run_suite "$one"; done ;;
    esac
    if ! namespace_traces | sort | diff "$WORK/before" - >"$WORK/log"; then
        cat "$WORK/log"
        fail "something was left behind (>) or taken away (<)"
    fi
    # Now, so that the machine's list of loop devices is as before when the lane is over.
    if [ -d "$WORK/memory" ] && mountpoint -q /var/tmp; then umount /var/tmp || umount --lazy /var/tmp; fi
    echo "$PASSED $FAILED $SKIPPED" >"$WORK/counts"
}

# start_lane NAME SUITE...: in mount and network namespaces of its own. Not in a PID namespace: that no process is inside
# a sandbox can be proven only where the initial one is seen, and a third of the suites is about such proofs.
start_lane() {
    local own=()
    if [ "$(id -u)" -eq 0 ]; then own=(unshare --mount --propagation private --net); fi
    if [ "$1" = packages ]; then own=("${own[@]:0:4}"); fi # asks Debian's archive for libraries and bare systems
    setsid "${own[@]}" test/run.sh --lane "$@" &
    CHILDREN+=($!)
}

# parts SUITE: the pieces of a suite that lanes take from the queue. The long ones are cut, so that no lane is left alone.
parts() {
    case $1 in
        peers) echo peers/containerd peers/others ;;
        e2e) echo e2e/alone e2e/peers ;;
        *) echo "$1" ;;
    esac
}

# run_lanes SUITE...: the release binary is built beside the first lane, which needs none; the others begin with it.
run_lanes() {
    local builds=() lanes=() pids=() one passed failed skipped whole=()
    exec 8>"$RUN/queue.lock"
    flock 8
    for one in "$@"; do
        case $one in
            unit | asan | tidy) builds+=("$one") ;;
            packages | clusters | kind) whole+=("$one") ;;
            *) parts "$one" | tr ' ' '\n' >>"$RUN/queue" ;;
        esac
    done
    touch "$RUN/queue"
    if [ -n "$SHUFFLE" ]; then
        shuf --random-source=<(yes "$SHUFFLE") "$RUN/queue" -o "$RUN/queue"
        say "order: $(tr '\n' ' ' <"$RUN/queue")"
    fi
    if [ ${#builds[@]} -gt 0 ]; then
        start_lane builds "${builds[@]}" 8>&-
        lanes+=(builds) pids+=($!)
    fi
    static_binary
    exec 8>&- # now there is something to take from the queue
    for one in "${whole[@]}"; do # a lane each
        start_lane "$one" "$one"
        lanes+=("$one") pids+=($!)
    done
    for one in first second third; do
        start_lane $one
        lanes+=("$one") pids+=($!)
    done
    wait "${pids[@]}"
    CHILDREN=("${BUSY[@]}")
    for one in "${lanes[@]}"; do
        if read -r passed failed skipped <"$RUN/$one/counts"; then
            PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
        else
            fail "the lane $one broke off"
        fi
    done
}

keep_times() { # the new times beside those of steps that did not run now
    touch $TIMES
    cat "$WORK"/times "$WORK"/*/times >"$WORK/now" 2>/dev/null
    awk '{ name = $0; sub(/^[0-9]+ [0-9]+ /, "", name) } /^[0-9]+ [0-9]+ / && !(name in seen) { seen[name]; print }' \
        "$WORK/now" $TIMES >"$WORK/all-times"
    mv "$WORK/all-times" $TIMES
    say "the slowest:"
    sort -rn "$WORK/now" | head -n 5 | awk "$SHOWN_TIME" | sed 's/^/# /'
}

if [ -n "$LANE" ]; then
    lane "$@"
    exit 0
fi
for one in "$@"; do
    case " ${ALL[*]} unit packages clusters " in *" $one "*) continue ;; esac
    echo "test/run.sh: no suite $one; there are: ${ALL[*]} (unit packages clusters)" >&2
    exit 2
done
say "packages"
SUITES=("${@:-${ALL[@]}}")
GROUPS_NEEDED=(build test e2e packaging)
case " ${SUITES[*]} " in *" packages "*) GROUPS_NEEDED+=(packages) ;; esac
case " ${SUITES[*]} " in *" kind "* | *" clusters "*) GROUPS_NEEDED+=(clusters) ;; esac
for group in "${GROUPS_NEEDED[@]}"; do install_packages "$group" || fail "installing the packages of $group"; done
traces | sort >"$WORK/before"
case " ${SUITES[*]} " in *" cli "*) install_packages browser || say "no browser: the suite that needs it skips itself" ;; esac
start_peers "${SUITES[@]}"
BUSY=()
for ((busy = 0; busy < LOAD; busy++)); do
    setsid bash -c 'while :; do :; done' &
    BUSY+=($!)
done
CHILDREN+=("${BUSY[@]}")
run_lanes "${SUITES[@]}"
nothing_left "$WORK/before"
keep_times
say "done"
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" -eq 0 ]
