# The Debian packages that building, testing and the end-to-end runs need; sourced, not executed.

packages_build='g++ cmake ninja-build nlohmann-json3-dev libspdlog-dev libfmt-dev
  libcli11-dev libmd-dev libyaml-dev libboost1.81-dev binutils'
packages_test='catch2 clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev strace e2fsprogs xfsprogs btrfs-progs
  squashfs-tools erofs-utils qemu-system-x86 cpio busybox-static
  python3 python3-yaml python3-jsonschema python3-pip jq valgrind systemd shellcheck ccache tmux'
packages_e2e='containerd runc busybox-static containernetworking-plugins python3 python3-grpcio python3-protobuf
  python3-yaml protobuf-compiler iproute2 util-linux dnsmasq-base iptables nftables curl openssl'
packages_browser='chromium-headless-shell'
packages_bench='gcc libc6-dev e2fsprogs xfsprogs util-linux strace valgrind containernetworking-plugins
  python3 python3-matplotlib'
packages_coverage='llvm-14'
packages_cross='g++-aarch64-linux-gnu g++-arm-linux-gnueabihf qemu-user-static'
packages_packaging='buildah zsh fish man-db openssh-client git'
# docker.io is fetched and not installed (lib/own_docker.py): that would start a daemon
packages_clusters='debootstrap libdevmapper1.02.1 libsystemd0 containerd runc iptables iproute2 util-linux busybox-static jq
  curl gcc libc6-dev'
packages_packages="$packages_cross $packages_packaging debootstrap"

# install_packages LIST...: install what is missing of the lists above. Says nothing, and needs no network, when nothing
# is missing. A containerd or runc that is there already (from another vendor, say) is kept.
install_packages() {
  local missing list
  missing=$(_missing_packages "$@") || return
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "missing packages, install them as root:" $missing >&2
    return 1
  fi
  echo "installing:" $missing
  list=$(mktemp) || return
  if _apt update >"$list" 2>&1; _apt install -y --no-install-recommends --no-remove $missing >"$list" 2>&1; then
    rm -f "$list"
  else
    tail -n 20 "$list" >&2
    rm -f "$list"
    echo "could not install:" $missing >&2
    return 1
  fi
}

_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Print the packages of the given lists that are not installed, one a line.
_missing_packages() {
  local group name variable
  for group in "$@"; do
    variable=packages_$group
    if [ -z "${!variable:-}" ]; then
      echo "install_packages: no list named $group (build, test, e2e, browser, bench, coverage, cross, packaging, packages, clusters)" >&2
      return 2
    fi
    for name in ${!variable}; do
      case $name in containerd | runc) command -v "$name" >/dev/null && continue ;; esac
      case $(dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null) in
        installed*) ;;
        *) echo "$name" ;;
      esac
    done
  done
}
