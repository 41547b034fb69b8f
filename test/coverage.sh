#!/bin/bash
# Which lines and branches of allocator/ and shim/cni/ the tests run, by llvm-cov: on demand, not in test/run.sh.
# Usage: test/coverage.sh [PERCENT OF LINES] [PERCENT OF BRANCHES]     fails below these, by default 95 and 85
# Runs the unit tests, the fuzz corpus and the suites that start the plugin, all from build/coverage. A plugin that is
# killed leaves no counts. Prints the ten files with the most lines that nothing ran, and last one line with the sums;
# build/coverage/html has every line.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
LINES_WANTED=${1:-95} BRANCHES_WANTED=${2:-85}
. test/lib/packages.sh
for group in build test e2e coverage; do install_packages "$group" || exit 1; done
OUT=$PWD/build/coverage
WORK=$(mktemp -d -p /tmp)
trap 'rm -rf "$WORK"' EXIT
rm -rf "$OUT/counts"
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi

STARTED=$EPOCHSECONDS
say() { printf '== [%4ds] %s\n' "$((EPOCHSECONDS - STARTED))" "$*"; }

# run SUITE: in mount and network namespaces of its own, as in test/run.sh; shows what is not ok: what a slow, talkative
# executable does otherwise.
run() {
    local own=() log=$WORK/${1//\//.}
    if [ "$(id -u)" -eq 0 ]; then
        own=(unshare --mount --propagation private --net sh -c 'ip link set lo up && exec "$@"' sh)
    fi
    "${own[@]}" "$1" >"$log" 2>&1 </dev/null
    say "$1: $(grep -c '^ok ' "$log") ok"
    grep '^not ok' "$log"
}
export -f run say
export WORK STARTED

say "build"
# The name of the counts is in the executables: tests start them with an environment of their own.
if
    ! cmake --preset asan -B "$OUT" -D CMAKE_CXX_FLAGS_DEBUG=-g0 \
    -D "CMAKE_CXX_FLAGS=-fprofile-instr-generate=$OUT/counts/%4m.profraw -fcoverage-mapping" >"$WORK/log" 2>&1 ||
    ! cmake --build "$OUT" >"$WORK/log" 2>&1
then
    tail -n 40 "$WORK/log"
    exit 1
fi

say "unit tests and corpus"
"$OUT/test/unit_tests" "~[layers]" >"$WORK/log" 2>&1 || tail -n 30 "$WORK/log"
"$OUT/test/fuzz/fuzz_corpus" test/fuzz/corpus >"$WORK/log" 2>&1 || tail -n 30 "$WORK/log"
export DELEGATED_IPAM=$OUT/delegated-ipam VECTORS_DIR="${VECTORS_DIR:-$PWD/test/vectors}"
# Four at a time, as most wait more than they compute. Valgrind looks at another executable.
printf '%s\n' test/node/*_test.py test/cli/*_test.py test/churn/*_test.py test/delegate/*_test.py \
    test/badinput/badinput_test.py test/security/*_test.py test/vectors/*_test.py |
    grep -v valgrind | xargs -P 4 -I SUITE bash -c 'run SUITE'

say "report"
llvm-profdata-14 merge -sparse "$OUT"/counts/*.profraw -o "$OUT/counts/all.profdata" || exit 1
COVERED=("$OUT/test/unit_tests" -object "$OUT/delegated-ipam" -object "$OUT/test/fuzz/fuzz_corpus"
    "-instr-profile=$OUT/counts/all.profdata" -ignore-filename-regex='/(test|shim/cli|delegate|build)/|^/usr/|shim/[a-z]*\.cpp')
llvm-cov-14 show "${COVERED[@]}" -format=html -show-branches=count -output-dir="$OUT/html" >/dev/null
llvm-cov-14 export "${COVERED[@]}" -summary-only >"$WORK/summary" || exit 1
/usr/bin/python3 - "$WORK/summary" "$PWD" "$LINES_WANTED" "$BRANCHES_WANTED" <<'EOF'
import json
import sys

path, root, lines_wanted, branches_wanted = sys.argv[1:]
with open(path) as file:
    data = json.load(file)["data"][0]
files = [(one["filename"].removeprefix(root + "/"), one["summary"]) for one in data["files"]]
assert files and all(name.startswith(("allocator/", "shim/cni/")) for name, _ in files), sorted(name for name, _ in files)
for name, one in sorted(files, key=lambda pair: pair[1]["lines"]["covered"] - pair[1]["lines"]["count"])[:10]:
    print(f"# {one['lines']['count'] - one['lines']['covered']:4} lines of {one['lines']['count']:4} and "
          f"{one['branches']['notcovered']:4} branches of {one['branches']['count']:4} not run: {name}")
lines, branches = (data["totals"][kind] for kind in ("lines", "branches"))
print(f"{len(files)} files: {lines['percent']:.1f} % of {lines['count']} lines, {branches['percent']:.1f} % of "
      f"{branches['count']} branches (wanted: {lines_wanted} % and {branches_wanted} %)")
sys.exit(lines["percent"] < float(lines_wanted) or branches["percent"] < float(branches_wanted))
EOF
