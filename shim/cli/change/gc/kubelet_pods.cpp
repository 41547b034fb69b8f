#include "shim/cli/change/gc/kubelet_pods.hpp"

#include "shim/cli/change/gc/grpc_call.hpp"
#include "shim/cli/change/gc/pod_lists.hpp"
#include "shim/cli/change/gc/unary_call.hpp"

namespace shim::change {
namespace {

std::string_view only(const std::vector<std::string_view>& values) {
  if (values.size() != 1 || values.front().empty()) throw NoPods("a pod has no name");
  return values.front();
}

/// Source: k8s.io/api, core/v1/generated.proto and meta/v1/generated.proto.
std::string name_of(std::string_view pod) {
  const auto metadata = only(fields_of(pod, 1));
  const auto name = only(fields_of(metadata, 1));
  const auto name_space = only(fields_of(metadata, 3));
  return std::string(name_space).append("/").append(name);
}

}  // namespace

std::optional<std::vector<std::string>> ask_kubelet(const std::string& socket,
                                                    std::chrono::milliseconds patience) {
  const auto list = call_socket(socket, "/v1alpha1.Pods/ListPods", patience);
  if (!list) return std::nullopt;
  std::vector<std::string> pods;
  for (const auto& pod : fields_of(*list, 1)) pods.push_back(name_of(pod));
  if (pods.empty()) throw NoPods("it knows no pod");
  return pods;
}

}  // namespace shim::change
