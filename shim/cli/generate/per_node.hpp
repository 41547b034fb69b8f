#pragma once
/// The nodes of a cluster and their pod ranges, from `kubectl get nodes -o json`.
#include <cstdio>
#include <string>
#include <vector>

#include "allocator/address.hpp"

namespace shim {

struct NodeRanges {
  std::string name;
  std::vector<allocator::Cidr> pod_cidrs;  ///< never empty, host bits cleared
};

/// Reads a List of Node objects, or a single one, while it comes in: a Node is large, ten thousand
/// of them need not fit into memory. `source` names the stream in errors.
/// Errors: throws UsageError for what is no such JSON; for nodes without a pod CIDR, with a name
/// that cannot be a file's, or seen twice; for two nodes whose ranges have an address in common:
/// all by name, at most ten of a kind.
std::vector<NodeRanges> read_nodes(std::FILE* stream, const std::string& source);
/// The same from what --nodes names: a file, or "-" for standard input.
std::vector<NodeRanges> nodes_of(const std::string& option);

/// Its CIDR blocks, one a line.
std::string ranges_text(const NodeRanges& node);

/// ConfigMaps that hold one key a node, with its CIDR blocks one a line: as many as are necessary
/// for `kubectl apply`, which takes no object whose JSON is larger than 256 KiB.
/// Format: YAML; the names are "delegated-ipam-nodes", "delegated-ipam-nodes-2", ...
struct NodesConfigMap {
  std::string name;
  std::string text;
};
std::vector<NodesConfigMap> make_nodes_config_maps(const std::vector<NodeRanges>& nodes,
                                                   const std::string& name_space);
/// The namespace of those that `generate --nodes` writes.
constexpr const char* kNodesNamespace = "kube-system";

}  // namespace shim
