#pragma once
/// Reads which pods there are, as other programs write it. Strictly: a list that is not understood
/// whole must not be taken for a shorter one. Pure.
#include <stdexcept>
#include <string>
#include <vector>

namespace shim::change {

/// A text that tells nothing; what() says why.
struct NoPods : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// "namespace/name" of each pod in what `kubectl get pods -A -o json` or `crictl pods -o json`
/// prints; at least one.
/// Errors: throws NoPods, also for a list without a pod and for a part of a list; JsonSyntaxError.
std::vector<std::string> parse_pod_list(const std::string& text);

/// Checks that a text is the Pod object of this name, as YurtHub keeps it.
/// Errors: throws NoPods, JsonSyntaxError.
void require_pod(const std::string& text, const std::string& pod);

/// The pod of one of kubelet's log folders, "<namespace>_<name>_<uid>"; empty for another name.
std::string pod_of_log_folder(const std::string& name);

}  // namespace shim::change
