#!/bin/bash
# Makes every package of this machine in build/packages, and says how to install it: a Debian package, a tarball for
# /opt/cni/bin, an SBOM, the installer's image, each with its sums.
# usage: build.sh [--key FILE] [amd64|arm64|armhf|all]...     (this machine's architecture; all: the three, cross-compiled)
# --key: an SSH key, by which SHA256SUMS is signed. The image needs buildah, podman or docker.
set -euo pipefail
exec </dev/null
key=''
if [ "${1:-}" = --key ]; then key=$(realpath -e "${2:?a file}") && shift 2; fi
cd "$(dirname "$(realpath "$0")")/../.."
own=$(dpkg --print-architecture)
wanted=("${@:-$own}")
if [ "${wanted[*]}" = all ]; then wanted=(amd64 arm64 armhf); fi
out=build/packages log=build/packages.log

# shellcheck source-path=SCRIPTDIR/../..
. test/lib/packages.sh
groups=(build)
for one in "${wanted[@]}"; do
  case $one in
    "$own") ;;
    arm64 | armhf) groups+=(cross) ;;
    *) echo "build.sh: $one: there is amd64, arm64, armhf, all" >&2 && exit 2 ;;
  esac
done
install_packages "${groups[@]}"

rm -rf $out
mkdir -p $out
binaries=()
for one in "${wanted[@]}"; do
  preset=release-$one
  if [ "$one" = "$own" ]; then preset=release; fi
  rm -rf "build/$preset/sysroot" # a foreign one's: what the archive has fixed since is fetched anew, in seconds
  echo "$one: build/$preset, a few minutes"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" && cpack --preset "$preset"; } >$log 2>&1; then
    tail -n 40 $log >&2
    echo "build.sh: $one failed, all of it is in $log" >&2
    exit 1
  fi
  binaries+=("$one=build/$preset/delegated-ipam")
done

# As CPack wrote them into the names.
debs=("$out"/*.deb)
version=${debs[0]#*_} version=${version%_*}
if command -v buildah podman docker >/dev/null; then
  first=${binaries[0]#*=}
  epoch=$(sed -n 's/^set(CPACK_DELEGATED_IPAM_EPOCH "\(.*\)")$/\1/p' "${first%/*}/CPackConfig.cmake")
  image=delegated-ipam_${version}_image.tar
  told=$(examples/image/image.sh "$version" "$epoch" "$out/$image" "${binaries[@]}" 2>$log) || {
    tail -n 40 $log >&2
    echo "build.sh: the image failed, all of it is in $log" >&2
    exit 1
  }
  echo "image: $told"
  (cd $out && for kind in sha256 sha512; do ${kind}sum "$image" >"$image.$kind"; done)
else
  image=''
  echo "no image: it needs buildah, podman or docker (apt-get install buildah)"
fi
(cd $out && sha256sum -- *.deb *.tgz *.json ${image:+"$image"} >SHA256SUMS)
if [ -n "$key" ]; then ssh-keygen -q -Y sign -f "$key" -n delegated-ipam $out/SHA256SUMS; fi
(cd $out && stat --printf="%s bytes  $out/%n\n" -- *.deb *.tgz *.json ${image:+"$image"})

cat <<END

Install it, as root, on this machine or where the file was copied to:
  apt-get install ./$out/delegated-ipam_${version}_$own.deb
or without a package manager:
  tar -C /opt/cni/bin -xzf $out/delegated-ipam-linux-${own/#armhf/arm}-v$version.tgz
END
if [ -n "$image" ]; then
  cat <<END
or on each node of a cluster, and then by examples/chart or by generate installer under the name that it has there:
  ctr -n k8s.io images import $out/$image
  helm install delegated-ipam examples/chart --namespace kube-system --set image=${told%% *}
  delegated-ipam generate installer --image ${told%% *}
END
fi
case $version in
  *git*) echo "It is made of a commit that has no tag: a state of the sources, no release." ;;
  *~unknown) echo "It is made of sources of which git does not tell the commit: no release." ;;
esac
