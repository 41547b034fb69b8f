#pragma once
/// Which container runtime runs here, and what is known of that version.
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace shim::change {

/// Where containerd listens: its own default, and k3s' and RKE2's.
inline constexpr std::array<const char*, 2> kContainerdSockets = {
    "/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"};

/// What the containerd at that socket says of its version, as in "v2.1.4" or "1.6.20~ds1"; nullopt
/// where nobody answers within `patience`, or something else.
/// Source: containerd, api/services/version/v1/version.proto.
std::optional<std::string> containerd_version(const std::string& socket,
                                              std::chrono::milliseconds patience);

/// True for versions that send no DEL for a sandbox of which they have noted no result: 1.6.37 and
/// later ones of 1.6, 1.7.23 to 1.7.30, 2.0 before 2.0.8, 2.1 before 2.1.7, 2.2 before 2.2.2.
/// Source: containerd's commit b7b6b324b and pull request 12923, compared with its tags.
bool skips_del(std::string_view version);

}  // namespace shim::change
