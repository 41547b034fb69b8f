#pragma once
/// What `generate flannel|cilium|bridge|ptp|containerd-template` is asked for.
#include <optional>
#include <string>
#include <vector>

#include "shim/cli/command.hpp"
#include "shim/cli/generate/generate.hpp"

namespace shim {

enum class Format : std::uint8_t { conflist, config_map, helm, drop_in };

/// All options of `generate flannel|cilium|bridge|ptp|containerd-template`.
struct Request {
  ConflistOptions conflist;
  std::vector<std::string> subnets;
  std::string format = "conflist";
  std::string delegate_config;
  std::optional<std::string> nodes;
  std::string nodes_dir;
  std::string out;
  std::string main = "bridge";
  std::vector<std::string> pod_cidrs;
  std::string cilium_version;
};

/// What --format names.
/// Errors: throws UsageError for what the network has not got.
Format format_of(const Request& request);

/// With --nodes: a conflist a node, or one for all and the nodes' ranges in ConfigMaps, written to
/// the folder of --out.
/// Errors: throws UsageError, and std::system_error for a file that cannot be written.
/// After a crash: each file is there as a whole or not at all.
ExitCode generate_for_nodes(const Request& request);

}  // namespace shim
