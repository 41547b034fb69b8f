#pragma once
/// What YurtHub keeps of the API server's objects on the node, for who reads it. It is frozen at the
/// cloud's last word, survives a reboot, and may be torn: YurtHub does not flush it.
///
///     /etc/kubernetes/cache/<component>/
///         pods.v1.core/<namespace>/<name>                         of today's versions
///         pods/<namespace>/<name>[.json]                          of earlier ones
///         endpointslices.v1.discovery.k8s.io/<namespace>/<name>   and endpointslices/ likewise
///         nodes.v1.core/<name>
///         .../tmp_<name>                                          not written to the end
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {

inline constexpr const char* kYurthubCache = "/etc/kubernetes/cache";

/// The folders of a kind of object, below that of a component: today's, and that of earlier
/// versions.
using YurthubLayouts = std::array<const char*, 2>;
inline constexpr YurthubLayouts kYurthubPods = {"/pods.v1.core", "/pods"};
inline constexpr YurthubLayouts kYurthubNodes = {"/nodes.v1.core", "/nodes"};
inline constexpr YurthubLayouts kYurthubSlices = {"/endpointslices.v1.discovery.k8s.io",
                                                  "/endpointslices"};

struct YurthubFile {
  std::string path;
  std::string name_space;
  std::string name;
  bool is_unfinished = false;
};

/// What lies in a folder of namespaces and is none.
enum class Strays : std::uint8_t { skipped, refused };

/// Calls `visit` with each object's file below the folder of a kind, by namespace and name.
/// Errors: throws std::system_error for a folder that cannot be read.
void visit_yurthub(allocator::store::FileSystem& fs, const allocator::store::Directory& folder,
                   Strays strays, const std::function<void(const YurthubFile&)>& visit);

/// The names in a folder, sorted.
std::vector<std::string> sorted_names(allocator::store::FileSystem& fs,
                                      const allocator::store::Directory& folder);

/// The object whose file has this name.
std::string object_name(const std::string& entry);

/// The text of one of its files.
/// Errors: throws std::system_error, UnfitFile: no regular file, or larger than any object.
std::string read_yurthub(allocator::store::FileSystem& fs, const YurthubFile& file);

struct YurthubPod {
  std::string name_space;
  std::string name;
  std::string uid;
  std::string node;  ///< that it was bound to; empty: not told
  /// False for pods of the host's network, and for those that have ended: their address may be
  /// another one's by now.
  bool has_address = false;
  std::vector<allocator::Address> addresses = {};  ///< that the cloud was told last
};

/// nullopt for what names no pod.
/// Errors: throws JsonSyntaxError.
std::optional<YurthubPod> parse_yurthub_pod(const std::string& text);

}  // namespace shim::inspect
