#!/bin/bash
# Checks a folder of packages as build.sh makes it, without a network: the sums of each file, the signature of the sums,
# and with --rebuild that this clone's sources make the same bytes.
# usage: verify-release.sh [--signers FILE] [--rebuild] FOLDER
# --signers: who may sign, as ssh-keygen(1) describes under ALLOWED SIGNERS: "NAME KEYTYPE KEY" a line. Get it from
# somewhere else than the packages. Without it no signature is checked, and the last line says so.
# --rebuild: builds the commit that the files' names tell, in a clone of this one, and compares what is of this machine's
# architecture; a line says which files were not compared. Needs what a build needs (README.md) and some minutes.
# Exit code 0: everything that was asked for is right; 1: something is not; 2: could not be asked.
set -euo pipefail
exec </dev/null
signers='' rebuild=''
while :; do
  case ${1:-} in
    --signers) signers=$(realpath -e "${2:?a file}") && shift 2 ;;
    --rebuild) rebuild=yes && shift ;;
    *) break ;;
  esac
done
folder=$(realpath -e "${1:?a folder of packages}")
sources=$(cd "$(dirname "$(realpath "$0")")/../.." && pwd)
cd "$folder"

wrong() { echo "WRONG: $*" && exit 1; }

# Sums. SHA256SUMS names every package that lies here, and nothing else is there beside sums and signatures.
if [ ! -f SHA256SUMS ]; then wrong "no SHA256SUMS"; fi
listed=$(sed -n 's/^[0-9a-f]\{64\}  \([A-Za-z0-9][^/]*\)$/\1/p' SHA256SUMS | sort)
if [ "$(wc -l <SHA256SUMS)" -ne "$(wc -l <<<"$listed")" ]; then wrong "SHA256SUMS has lines that are no sums"; fi
there=$(find . -mindepth 1 -printf '%P\n' | grep -vE '(^SHA256SUMS(\.sig)?|\.sha256|\.sha512)$' | sort)
if [ "$listed" != "$there" ]; then
  wrong "other files than SHA256SUMS names: $(comm -3 <(echo "$listed") <(echo "$there") | xargs)"
fi
sha256sum --check --quiet --strict SHA256SUMS || wrong "sums"
for one in $listed; do
  for kind in sha256 sha512; do
    ${kind}sum --check --quiet --strict "$one.$kind" || wrong "$one.$kind"
    if [ "$(sed 's/.*  //' "$one.$kind")" != "$one" ]; then wrong "$one.$kind is of another file"; fi
  done
done
echo "sums: $(wc -l <<<"$listed") files right"

# Signature
if [ -n "$signers" ]; then
  if [ ! -f SHA256SUMS.sig ]; then wrong "no signature SHA256SUMS.sig"; fi
  name=$(ssh-keygen -Y find-principals -f "$signers" -s SHA256SUMS.sig 2>/dev/null | head -n 1) ||
    wrong "signed by nobody of $signers"
  ssh-keygen -Y verify -f "$signers" -I "$name" -n delegated-ipam -s SHA256SUMS.sig <SHA256SUMS >/dev/null 2>&1 ||
    wrong "the signature is not of SHA256SUMS"
  echo "signature: of $name"
fi

# The same bytes from these sources?
if [ -n "$rebuild" ]; then
  own=$(dpkg --print-architecture)
  deb=$(find . -maxdepth 1 -name "delegated-ipam_*_$own.deb" -printf '%P\n')
  if [ "$(grep -c . <<<"$deb")" -ne 1 ]; then
    echo "which commit? there should be one package of $own: ${deb//$'\n'/ }" >&2
    exit 2
  fi
  version=${deb#*_} version=${version%_*}
  case $version in
    *.changed) wrong "$version was made of sources that were changed by hand" ;;
    *~unknown)
      echo "$version was made of sources whose commit git did not tell: there is nothing to build again" >&2
      exit 2
      ;;
    *git*.*) commit=${version##*.} ;;
    *) commit=v$version ;;
  esac
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/delegated-ipam-rebuild.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  if ! { git clone -q --no-checkout "$sources" "$work/clone" && git -C "$work/clone" checkout -q "$commit"; } \
    2>"$work/log"; then
    cat "$work/log" >&2
    echo "$commit, of which $version was made, is not in this clone" >&2
    exit 2
  fi
  CMAKE_CXX_COMPILER_LAUNCHER='' "$work/clone/examples/image/build.sh" "$own" >"$work/log" 2>&1 ||
    { tail -n 40 "$work/log" >&2 && exit 2; }
  compared=0 left=()
  for one in $listed; do
    case $one in
      *_image.tar) left+=("$one") ;; # a rebuild's has one architecture
      *_"$own".* | *-linux-"${own/#armhf/arm}"-v*)
        [ -f "$work/clone/build/packages/$one" ] || wrong "$one is nothing that $commit makes"
        cmp -s "$one" "$work/clone/build/packages/$one" || wrong "$one is not what $commit makes"
        compared=$((compared + 1))
        ;;
      *) left+=("$one") ;;
    esac
  done
  shopt -s nullglob
  for one in "$work"/clone/build/packages/*.{deb,tgz,json}; do
    [ -f "${one##*/}" ] || wrong "$commit makes ${one##*/} too, which is not here"
  done
  if [ $compared -lt 3 ]; then wrong "only $compared files could be compared"; fi
  echo "rebuilt: $commit makes the same $compared files of $own, byte for byte"
  if [ ${#left[@]} -gt 0 ]; then echo "not compared: ${left[*]}"; fi
fi
if [ -z "$signers" ]; then echo "no signature was checked: give --signers"; fi
echo "right"
