#!/bin/bash
# Builds the installer's image of the binaries given, all in one manifest list, as an OCI archive; by buildah, podman or
# docker (with buildx), whichever is there (ENGINE=... picks one).
# usage: image.sh VERSION EPOCH ARCHIVE ARCHITECTURE=BINARY...      (amd64, arm64, armhf)
set -euo pipefail
version=${1:?a version} epoch=${2:?seconds} archive=$(realpath "${3:?a file}")
shift 3
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/delegated-ipam-image.XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT # layers are read-only
tag=delegated-ipam:${version//[~+]/-} # what a tag may have in it

platforms=''
for one in "$@"; do
  case ${one%%=*} in
    amd64) name=amd64 platform=linux/amd64 ;;
    arm64) name=arm64 platform=linux/arm64 ;;
    armhf) name=arm platform=linux/arm/v7 ;;
    *) echo "image.sh: ${one%%=*}: no such architecture" >&2 && exit 2 ;;
  esac
  install -D -m 0755 "${one#*=}" "$work/context/$name/delegated-ipam"
  platforms+=,$platform
done
install -m 0644 "$here/Containerfile" "$work/context/Containerfile"
find "$work/context" -exec chmod u=rwX,go=rX {} + -exec touch --date="@$epoch" {} +

engine=${ENGINE:-$(for one in buildah podman docker; do if command -v $one >/dev/null; then echo $one && break; fi; done)}
case $engine in
  buildah | podman)
    # A storage of its own, which ends with this script; so does what the engine keeps beside it.
    mkdir -m 0700 "$work/runtime"
    export TMPDIR=$work XDG_RUNTIME_DIR=$work/runtime
    run=("$engine" --root "$work/root" --runroot "$work/run" --storage-driver vfs)
    build=(build)
    if [ "$engine" = buildah ]; then build=(build --isolation chroot); fi
    "${run[@]}" "${build[@]}" --quiet --platform "${platforms#,}" --manifest "localhost/$tag" --timestamp "$epoch" \
      -f "$work/context/Containerfile" "$work/context" >&2
    "${run[@]}" manifest push --quiet --all "localhost/$tag" "oci:$work/layout:$tag" >&2
    ;;
  docker)
    mkdir "$work/layout"
    SOURCE_DATE_EPOCH=$epoch docker buildx build --platform "${platforms#,}" --provenance=false --tag "$tag" \
      --output "type=oci,rewrite-timestamp=true,dest=$work/layout.tar" -f "$work/context/Containerfile" \
      "$work/context" >&2
    tar -C "$work/layout" -xf "$work/layout.tar"
    ;;
  *) echo "image.sh: needs buildah, podman or docker" >&2 && exit 1 ;;
esac
tar -C "$work/layout" --sort=name --format=ustar --mtime="@$epoch" --owner=root:0 --group=root:0 --mode=u=rwX,go=rX \
  -cf "$archive" .
echo "$tag by $engine: $(sha256sum <"$work/layout/index.json" | cut -c1-64) $(stat -c %s "$archive") bytes"
