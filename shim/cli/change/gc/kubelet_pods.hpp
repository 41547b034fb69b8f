#pragma once
/// The kubelet's own Pods API: which pods it knows, told by a socket on the node when no API server
/// can be reached.
///
/// One unary gRPC call, v1alpha1.Pods/ListPods, over plain HTTP/2.
/// Sources: KEP-4188; k8s.io/kubelet, pkg/apis/pods; RFC 9113; RFC 7541; grpc.io, "gRPC over
/// HTTP2".
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace shim::change {

inline constexpr const char* kKubeletSocket = "/var/lib/kubelet/pods-api/pods-api.sock";

/// "namespace/name" of each pod that the kubelet knows; nullopt where there is no such socket.
/// Errors: throws NoPods (see pod_lists.hpp) for whatever is no whole list: nobody listens, it takes
/// longer than `patience`, is refused, torn, or has no pod.
std::optional<std::vector<std::string>> ask_kubelet(const std::string& socket,
                                                    std::chrono::milliseconds patience);

}  // namespace shim::change
