#pragma once
/// Who on this node still names an IPAM plugin: pods whose DEL would run it, and configurations.
///
/// libcni keeps the configuration of each attachment in its result cache, Flannel's plugin that of
/// each container in a scratch file; both run the DEL with what they kept, whatever the conflist
/// says today.
#include <string>
#include <vector>

#include "allocator/store/disk/file_system.hpp"

namespace shim {

/// One that names the plugin.
struct PluginUser {
  std::string pod;   ///< "namespace/pod", or "container ID" where no more is known
  std::string file;  ///< where it stands
};

/// Where runtimes and plugins keep what they know.
struct CniPlaces {
  std::string cache = "/var/lib/cni";  ///< with results/ and flannel/ below
  std::string conflists = "/etc/cni/net.d";
};

/// The pods whose DEL needs the plugin `name`, sorted by name. Files that cannot be read as what
/// they should be tell nothing.
/// Errors: throws std::system_error for a folder that cannot be read.
std::vector<PluginUser> pods_using(allocator::store::FileSystem& fs, const CniPlaces& places,
                                   const std::string& name);

/// The configuration files that name it, drop-in plugins included: new pods would need it.
std::vector<std::string> configurations_using(allocator::store::FileSystem& fs,
                                              const CniPlaces& places, const std::string& name);

}  // namespace shim
