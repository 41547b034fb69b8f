# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# The images that the cluster runs beside those in the node image: built from static binaries alone, and loaded.

PODS_IMAGE=delegated-ipam.test/pods:1
INSTALLER_IMAGE=delegated-ipam.test/delegated-ipam:1
FLANNEL_IMAGE=delegated-ipam.test/flannel:1

# build IMAGE FOLDER: an image of the files in a folder, and nothing else; onto every node.
build() {
  printf 'FROM scratch\nCOPY . /\n' >"$WORK/Dockerfile"
  echo "$1" >>"$WORK/built"
  "$DOCKER" build --quiet --tag "$1" --file "$WORK/Dockerfile" "$2"
  load "$1"
}

load() { # load IMAGE: onto every node, those of later too
  echo "$1" >>"$WORK/loaded"
  "$KIND" load docker-image "$1" --name "$NAME"
}

build_images() {
  local folder=$WORK/images image
  mkdir -p "$folder/pods/bin" "$folder/pods/www/cgi-bin" "$folder/installer"
  install -m 755 "$(command -v busybox)" "$folder/pods/bin/busybox"
  chroot "$folder/pods" /bin/busybox true || die "busybox is not static: apt-get install busybox-static"
  install -m 755 "$HERE/name" "$folder/pods/www/cgi-bin/name"
  install -m 755 "$TOOL" "$folder/installer/delegated-ipam"
  build "$PODS_IMAGE" "$folder/pods"
  build "$INSTALLER_IMAGE" "$folder/installer"
  if [ "$CNI" = flannel ]; then
    mkdir -p "$folder/flannel/bin"
    install -m 755 "$(command -v busybox)" "$folder/flannel/bin/busybox"
    install -m 755 "$FLANNELD_BIN" "$folder/flannel/bin/flanneld"
    build "$FLANNEL_IMAGE" "$folder/flannel"
  fi
  if [ "$CNI" = cilium ]; then
    for image in $CILIUM_IMAGES; do load "$image"; done
  fi
}
