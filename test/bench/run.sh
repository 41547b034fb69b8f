#!/bin/bash
# Measures what ADD and DEL cost, as root: prints a table, writes bench.json and bench.svg. `--help` has the options.
# Installs what it needs, and builds the release binary where there is none (DELEGATED_IPAM=PATH names another).
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
case " $* " in *' -h '* | *' --help '*) exec "$HERE/bench.py" --help ;; esac
# shellcheck disable=SC1091 # looked at by itself
. "$ROOT/test/lib/packages.sh"
install_packages bench >&2

if [ -z "${DELEGATED_IPAM:-}" ] && [ ! -e "$ROOT/build/release/delegated-ipam" ]; then
    install_packages build >&2
    echo "building the release binary" >&2
    (cd "$ROOT" && cmake --preset release && cmake --build --preset release) >&2
fi
"$ROOT/test/peers/build.py" plugins >&2 || true # its absence is in the table
exec "$HERE/bench.py" "$@"
