#pragma once
/// Finding an IPAM plugin's executable in CNI_PATH.
/// Source: CNI spec 1.1.0 section 4 "Plugin Delegation".
#include <optional>
#include <string>
#include <vector>

#include "delegate/process.hpp"

namespace delegate {

/// An executable that was found.
struct Plugin {
  std::string name;  ///< as in the configuration
  std::string path;
  FileVersion version;
};

struct Lookup {
  std::optional<Plugin> plugin;
  /// A file of the name that is this very program, under whatever name.
  std::optional<std::string> ourselves;
};

/// Looks for the first of `names` in the folders of `cni_path` (separated by ":"): a later name
/// only where no folder has an earlier one. Elements that are not absolute are skipped: what lies
/// there depends on the caller's working directory. A file that is this program does not count.
Lookup find_plugin(ProcessRunner& processes, const std::vector<std::string>& names,
                   const std::string& cni_path);

}  // namespace delegate
