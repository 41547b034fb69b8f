#pragma once
/// What is needed of the output of `kubectl get nodes -o json`.
#include <cstdio>
#include <string>
#include <vector>

namespace shim {

/// A node as it is written there, nothing checked.
struct ListedNode {
  std::string name;
  std::string pod_cidr;                ///< spec.podCIDR
  std::vector<std::string> pod_cidrs;  ///< spec.podCIDRs
};

/// Reads a List of Node objects, or a single one, as a stream of JSON events: ten thousand nodes
/// with all their conditions and images need not fit into memory. `source` names the stream in
/// errors.
/// Errors: throws UsageError for what cannot be read, is no JSON, is nested too deeply or has no
/// node in it.
std::vector<ListedNode> read_node_list(std::FILE* stream, const std::string& source);

}  // namespace shim
