// Values written as for --set: "ipam.mode: delegated-plugin".
#include <algorithm>
#include <array>

#include "shim/cli/validate/document/containers.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::validate {
namespace {

/// True when nothing but objects is on the way to the place.
bool is_free(const Json& values, std::string_view path) {
  for (auto slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    const Json* above = at_path(values, path.substr(0, slash));
    if (above != nullptr && !above->is_object()) return false;
  }
  return at_path(values, path) == nullptr;
}

}  // namespace

void unfold_dotted_keys(Json& values, const Report& report) {
  constexpr std::array<std::string_view, 16> kRoots = {
      "ipam",          "cni",        "cilium",      "flannel",     "yurthub",
      "bpf",           "ipv4",       "ipv6",        "hubble",      "ingressController",
      "encryption",    "gatewayAPI", "ipMasqAgent", "envoyConfig", "endpointHealthChecking",
      "endpointRoutes"};
  for (const auto& key : keys_of(values)) {
    const std::string_view root = std::string_view(key).substr(0, key.find('.'));
    const bool is_dotted = root.size() != key.size() && key.find('/') == std::string::npos;
    if (!is_dotted) continue;
    if (std::find(kRoots.begin(), kRoots.end(), root) == kRoots.end()) continue;
    std::string path = key;
    std::replace(path.begin(), path.end(), '.', '/');
    report.found(rules::kDottedKey, {"/", escaped(key)},
                 {key, " is one key for Helm, and no chart has it: dots are for --set"},
                 joined({"write an object for each dot: ", root, ": {...}"}));
    if (!is_free(values, path)) continue;
    Json moved = values.at(key);
    values.erase(key);
    set_at_path(values, path, std::move(moved));
  }
}

}  // namespace shim::validate
