#pragma once
/// The stamp of an attachment: in which boot, from where and for which network namespace its
/// address was handed out.
///
/// It sits in the extended attribute `user.delegated-ipam` of the IP file's inode, set before the
/// file gets its name, so a name never exists without it. The Go plugin neither sees nor keeps it.
/// An address whose file has no valid stamp is simply in use: nothing is proven about its owner.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/state/viewpoint.hpp"

namespace allocator::store {

constexpr const char* kStampAttribute = "user.delegated-ipam";

/// Format, on one line:
///
///     2~<boot_id>~<hash>~<netns inode>.<netns id>.<PID namespace>[.<run>.<container boot>
///         .<device>.<file system id>.<root>]~<netns path>
///
///     boot_id          the kernel's own; empty: unknown, as something lies over it
///     hash             16 hexadecimal digits of SHA-256(container ID)
///     netns inode, id  see NamespaceIdentity; inode 0: none
///     PID namespace    the inode of the ADD's own; 0: unknown
///     run              the mark of the /run that the ADD saw; with all that follows only where the
///                      ADD ran in a container or did not see the kernel's boot_id
///     container boot   what lay over the boot_id, hashed if it was no UUID; empty: nothing did
///     device, file system id   of the folder of the path, see FileSystemIdentity
///     root             which root folder the ADD saw, see Viewpoint; 0: unknown
///
/// Earlier versions wrote "1~<boot_id>~<hash>~<netns inode>.<PID namespace>~<netns path>", where
/// the boot_id may be one that lay over the kernel's. It is read, and never written.
struct Stamp {
  std::string boot_id;
  std::string container_hash;
  std::uint64_t netns_inode = 0;
  std::string netns_path;
  std::uint64_t pid_namespace = 0;
  std::uint64_t netns_id = 0;
  std::string run;
  FileSystemIdentity folder;
  std::uint64_t root = 0;  ///< Viewpoint::root
  std::string container_boot;
  /// True for the boot_id of an earlier version that may not be the kernel's.
  bool has_doubtful_boot = false;

  [[nodiscard]] NamespaceIdentity netns() const { return {netns_inode, netns_id}; }
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// The hash that a stamp holds of a container ID.
std::string container_hash(std::string_view container_id);

/// The stamp of what this call hands out. A network namespace that is not there, or that we may not
/// look at, is 0: then nothing will ever be proven by it.
Stamp stamp_of_call(FileSystem& fs, const Viewpoint& viewpoint, const std::string& container_id,
                    const std::string& netns_path);

/// The stamp of a file that was there before: whose namespace it is for is not known.
Stamp stamp_of_unknown(const Viewpoint& viewpoint, const std::string& container_id);

/// True when both were made in one boot, of the machine and of the node container, and with one
/// /run.
bool is_of_same_run(const Stamp& left, const Stamp& right);

std::string encode(const Stamp& stamp);
/// Errors: nullopt for anything that neither encode() nor an earlier version produces.
std::optional<Stamp> decode_stamp(std::string_view text);

}  // namespace allocator::store
