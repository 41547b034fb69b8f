#pragma once
/// The plugins of a node's configuration folder whose addresses lie in a folder of host-local's.
///
///     /etc/cni/net.d/10-pods.conflist    each of its plugins, and those of the drop-in files
///     /etc/cni/net.d/20-lan.conf         one plugin
///
/// A plugin counts when its `ipam` is ours or host-local's; Flannel's too where it has none, as its
/// plugin then makes one. What Flannel adds at every ADD, the node's range, is read from its file.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "allocator/store/disk/file_system.hpp"
#include "shim/cli/inspect/networks/finding.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {

inline constexpr const char* kDefaultConfFolder = "/etc/cni/net.d";

/// One plugin's configuration as the plugin gets it: with the list's name and version.
struct PluginConf {
  std::string file;
  Json document;
  std::string ipam_type;
  bool lacks_ranges = false;      ///< Flannel's file is not there, or has none
  std::string flannel_file = {};  ///< that gave the ranges
};

/// The configuration files in a folder, sorted, or a single one; none where there is no folder and
/// none is named.
/// Errors: throws UsageError naming --conf for what is named there and missing.
std::vector<std::string> configuration_files(allocator::store::FileSystem& fs,
                                             const std::string& conf);

/// Those in a folder, or of a single file, in the order of the files' names. What no runtime could
/// read is told in `findings`.
/// Errors: throws UsageError naming --conf for what is named there and missing.
std::vector<PluginConf> plugin_confs(allocator::store::FileSystem& fs, const std::string& conf,
                                     Findings& findings);

/// Those of a configuration that is to be installed, a list or a single one; of a list with the
/// drop-in plugins that are there for it. `file`: what it is called in the answer.
std::vector<PluginConf> plugin_confs_to_come(allocator::store::FileSystem& fs,
                                             const std::string& conf, const std::string& file,
                                             const Json& document, Findings& findings);

}  // namespace shim::inspect
