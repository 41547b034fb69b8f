#!/bin/bash
# Builds the installer's image of the binaries given, all in one manifest list, as an OCI archive; by buildah, podman or
# docker (with buildx), whichever is there (ENGINE=... picks one).
# usage: image.sh VERSION EPOCH ARCHIVE ARCHITECTURE=BINARY...      (amd64, arm64, armhf)
# The first word that it prints is the image's name.
set -euo pipefail
version=${1:?a version} epoch=${2:?seconds} archive=$(realpath "${3:?a file}")
shift 3
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/delegated-ipam-image.XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT # layers are read-only
# What a tag may have in it. With a host in front, as runtimes look for nothing else; a name of no registry: none is asked.
name=localhost/delegated-ipam:${version//[~+]/-}

platforms=''
for one in "$@"; do
  case ${one%%=*} in
    amd64) place=amd64 platform=linux/amd64 ;;
    arm64) place=arm64 platform=linux/arm64 ;;
    armhf) place=arm platform=linux/arm/v7 ;;
    *) echo "image.sh: ${one%%=*}: no such architecture" >&2 && exit 2 ;;
  esac
  install -D -m 0755 "${one#*=}" "$work/context/$place/delegated-ipam"
  platforms+=,$platform
done
install -m 0644 "$here/Containerfile" "$work/context/Containerfile"
find "$work/context" -exec chmod u=rwX,go=rX {} + -exec touch --date="@$epoch" {} +

engine=${ENGINE:-$(for one in buildah podman docker; do if command -v $one >/dev/null; then echo $one && break; fi; done)}
case $engine in
  buildah | podman)
    # A storage of its own, which ends with this script; so does what the engine keeps beside it, also below /etc/cni.
    mkdir -m 0700 "$work/runtime"
    printf '[network]\nnetwork_config_dir = "%s"\n' "$work/networks" >"$work/containers.conf"
    export TMPDIR=$work XDG_RUNTIME_DIR=$work/runtime CONTAINERS_CONF=$work/containers.conf
    run=("$engine" --root "$work/root" --runroot "$work/run" --storage-driver vfs)
    build=(build)
    if [ "$engine" = buildah ]; then build=(build --isolation chroot); fi
    "${run[@]}" "${build[@]}" --quiet --platform "${platforms#,}" --manifest "$name" --timestamp "$epoch" \
      -f "$work/context/Containerfile" "$work/context" >&2
    "${run[@]}" manifest push --quiet --all "$name" "oci:$work/layout:$name" >&2
    ;;
  docker)
    mkdir "$work/layout"
    SOURCE_DATE_EPOCH=$epoch docker buildx build --platform "${platforms#,}" --provenance=false --tag "$name" \
      --output "type=oci,rewrite-timestamp=true,dest=$work/layout.tar" -f "$work/context/Containerfile" \
      "$work/context" >&2
    tar -C "$work/layout" -xf "$work/layout.tar"
    ;;
  *) echo "image.sh: needs buildah, podman or docker" >&2 && exit 1 ;;
esac
tar -C "$work/layout" --sort=name --format=ustar --mtime="@$epoch" --owner=root:0 --group=root:0 --mode=u=rwX,go=rX \
  -cf "$archive" .
echo "$name by $engine: $(sha256sum <"$work/layout/index.json" | cut -c1-64) $(stat -c %s "$archive") bytes"
