#pragma once
/// Drop-in plugins of CNI 1.1: libcni completes a list by the plugins in the files of a folder that
/// has the network's name.
///
///     /etc/cni/net.d/
///         10-pods.conflist        {"cniVersion": "1.1.0", "name": "pods"}; "plugins" or none
///         pods/10-bridge.conf     one plugin: {"type": "bridge", "ipam": {...}}
///         pods/20-portmap.conf    comes behind it, as the names sort
///
/// Name and version come from the list, whatever the files say. Nothing but `*.conf` is read there,
/// and nothing at all where the list says `loadOnlyInlinedPlugins`.
/// Source: libcni 1.3.0, NetworkConfFromBytes, NetworkConfFromFile, NetworkPluginConfsFromFiles.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "allocator/store/disk/file_system.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// `loadOnlyInlinedPlugins`, true and "true" in any letter case; nullopt for what libcni refuses.
std::optional<bool> loads_only_inlined(const Json& list);

/// The network whose folder completes the list; nullopt when none does.
std::optional<std::string> completed_network(const Json& list);

/// A drop-in file, and what is in it.
struct DropInFile {
  std::string name;
  std::string text;
};

/// The drop-in files in a folder, sorted by name; those that cannot be read are left out, and there
/// are none where there is no such folder.
std::vector<DropInFile> drop_ins_in(allocator::store::FileSystem& fs, const std::string& folder);

/// A list file, and what it says.
struct ListFile {
  std::string name;
  Json list;
};

/// The lists (`*.conflist`) in a configuration folder, sorted by name; those that cannot be read as
/// JSON are left out.
std::vector<ListFile> lists_in(allocator::store::FileSystem& fs, const std::string& folder);

}  // namespace shim
