#include "shim/cli/change/gc/pod_lists.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "allocator/fields.hpp"
#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/protocol/printable.hpp"
#include "shim/cni/result/libcni_cache.hpp"

namespace shim::change {
namespace {

constexpr const char* kWhatToGive =
    "; give the output of kubectl get pods -A -o json, or of crictl pods -o json";

/// All that is looked at; an element of an array has an empty key. Specs and status of a whole
/// cluster's pods are not worth their memory.
constexpr std::array<std::string_view, 8> kRead = {"",     "kind",      "items",    "metadata",
                                                   "name", "namespace", "continue", "state"};

bool is_read(const std::vector<std::string>& path) {
  return std::any_of(kRead.begin(), kRead.end(),
                     [&](std::string_view key) { return same_key(key, path.back()); });
}

/// "namespace/name"; empty where one of them is missing.
std::string named_by(const Json& object) {
  const Json* metadata = find_member(object, "metadata");
  if (metadata == nullptr) return {};
  const std::string pod_namespace = entry_text(*metadata, "namespace");
  const std::string name = entry_text(*metadata, "name");
  return pod_namespace.empty() || name.empty() ? std::string() : pod_namespace + "/" + name;
}

/// What each item of a list must be: a Pod, which within a PodList need not say so; of crictl's, a
/// sandbox.
bool is_pod_of(const std::string& list, const Json& item) {
  if (list.empty()) return entry_text(item, "state").starts_with("SANDBOX_");
  const std::string kind = entry_text(item, "kind");
  return kind == "Pod" || (kind.empty() && list == "PodList");
}

void require_whole(const Json& list) {
  const Json* metadata = find_member(list, "metadata");
  if (metadata != nullptr && !entry_text(*metadata, "continue").empty())
    throw NoPods("is a part of a list, which goes on elsewhere");
}

}  // namespace

std::vector<std::string> parse_pod_list(const std::string& text) {
  const Json document = parse_json(text, is_read);
  const std::string kind = entry_text(document, "kind");
  const Json* items = find_member(document, "items");
  const bool is_list = kind.empty() || kind == "List" || kind == "PodList";
  if (!is_list || items == nullptr || !items->is_array())
    throw NoPods(std::string("is no list of pods") + kWhatToGive);
  require_whole(document);
  std::vector<std::string> pods;
  for (const auto& item : *items) {
    std::string pod = named_by(item);
    if (pod.empty() || !is_pod_of(kind, item))
      throw NoPods("item " + std::to_string(pods.size()) + " is no pod" + kWhatToGive);
    pods.push_back(std::move(pod));
  }
  if (pods.empty()) throw NoPods("there is no pod in it");
  return pods;
}

void require_pod(const std::string& text, const std::string& pod) {
  const Json document = parse_json(text, is_read);
  if (entry_text(document, "kind") != "Pod" || named_by(document) != pod)
    throw NoPods("is not the pod " + go_quoted(pod));
}

std::string pod_of_log_folder(const std::string& name) {
  const auto parts = allocator::split(name, '_');
  const bool is_pods = parts.size() == 3 && !parts[0].empty() && !parts[1].empty();
  return is_pods ? parts[0] + "/" + parts[1] : std::string();
}

}  // namespace shim::change
