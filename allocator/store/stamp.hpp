#pragma once
/// The stamp of an attachment: in which boot and for which network namespace its address was handed
/// out.
///
/// It sits in the extended attribute `user.delegated-ipam` of the IP file's inode, set before the
/// file gets its name, so a name never exists without it. The Go plugin neither sees nor keeps it.
/// An address whose file has no valid stamp is simply in use: nothing is proven about its owner.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allocator/store/file_system.hpp"

namespace allocator::store {

constexpr const char* kStampAttribute = "user.delegated-ipam";

/// Format: "1~<boot_id>~<16 hex digits of SHA-256(container ID)>~<nsfs inode, 0 = none>.<inode of
/// the PID namespace of the ADD>~<netns path>".
struct Stamp {
  std::string boot_id;
  std::string container_hash;
  std::uint64_t netns_inode = 0;
  std::string netns_path;
  std::uint64_t pid_namespace = 0;  ///< what processes the ADD could see; 0 = unknown

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// The hash that a stamp holds of a container ID.
std::string container_hash(std::string_view container_id);

/// The stamp of what this call hands out. A network namespace that is not there, or that we may not
/// look at, is 0: then nothing will ever be proven by it.
Stamp stamp_of_call(FileSystem& fs, const std::string& boot_id, const std::string& container_id,
                    const std::string& netns_path);

std::string encode(const Stamp& stamp);
/// Errors: nullopt for anything that encode() does not produce.
std::optional<Stamp> decode_stamp(std::string_view text);

}  // namespace allocator::store
