#!/bin/bash
# Fetches what a foreign build links: Debian's static libraries of another architecture, unpacked into a folder, so that
# the machine's own dpkg need not know the architecture. Headers alone are taken from the machine. The C library too: the
# one that comes with the cross compiler has none of the fixes since.
# usage: sysroot.sh arm64|armhf FOLDER   (needs the cross compiler and apt's sources, no root)
# FOLDER/packages has name and version of each, FOLDER/files the package of each file.
set -euo pipefail
architecture=${1:?arm64 or armhf} folder=${2:?a folder}
wanted=(libc6-dev libmd-dev libyaml-dev catch2)

if [ -f "$folder/packages" ]; then exit 0; fi
rm -rf "$folder"
mkdir -p "$folder"/{lists/partial,cache/archives/partial}
folder=$(cd "$folder" && pwd)
: >"$folder/status"
ask_apt() {
  apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Dir::State::lists="$folder/lists" -o Dir::State::status="$folder/status" -o Dir::Cache="$folder/cache" "$@"
}
cd "$folder"
# A source that fails (a mirror that is being renewed, say) is told; what is downloaded is of a signed list anyway.
if ! ask_apt update >log 2>&1; then grep -E '^(E|W|Err)' log >&2 || true; fi
if ! ask_apt download "${wanted[@]}" >>log 2>&1; then
  tail -n 20 log >&2
  echo "sysroot.sh: could not fetch ${wanted[*]} for $architecture" >&2
  exit 1
fi
for package in *.deb; do
  dpkg-deb -x "$package" .
  # shellcheck disable=SC2016  # dpkg-deb's own variables
  one=$(dpkg-deb -W --showformat='${Package} ${Version}\n' "$package")
  # shellcheck disable=SC2016
  if [ "$one" != "$(dpkg-query -W -f='${Package} ${Version}\n' "${one% *}" 2>/dev/null | head -n 1)" ] &&
    [[ $one == lib[my]* ]]; then
    echo "sysroot.sh: $one for $architecture, and another version of it here, whose headers are used: upgrade" >&2
    exit 1
  fi
  echo "$one" >>packages.new
  dpkg-deb --fsys-tarfile "$package" | tar -t | sed -n "s|^\./\(.*[^/]\)\$|\1 ${one% *}|p" >>files
done
# Headers are the cross compiler's, and its dynamic library is what a test program of CMake links.
find usr/include -mindepth 1 -maxdepth 1 ! -name 'catch2' -exec rm -rf {} +
find usr/lib -name '*.so' -delete
rm -rf lists cache status log ./*.deb
mv packages.new packages
