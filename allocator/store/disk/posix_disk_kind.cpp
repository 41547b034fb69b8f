/// Which file systems PosixFileSystem refuses, and by what they are known.
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "allocator/store/disk/mount_info.hpp"
#include "allocator/store/disk/posix_file_system.hpp"

namespace allocator::store {
namespace {

struct Kind {
  std::uint32_t magic;  ///< f_type of statfs(2)
  const char* name;
  UnfitDisk::Why why = UnfitDisk::Why::remote;
};

constexpr std::array kKinds = {
    Kind{0x00006969, "nfs"},
    Kind{0x0000517b, "smb"},
    Kind{0xff534d42, "cifs"},
    Kind{0xfe534d42, "smb3"},
    Kind{0x0000564c, "ncpfs"},
    Kind{0x00c36400, "ceph"},
    Kind{0x5346414f, "afs"},  // OpenAFS
    Kind{0x6b414653, "afs"},  // the kernel's own (kafs)
    Kind{0x73757245, "coda"},
    Kind{0x01161970, "gfs2"},
    Kind{0x7461636f, "ocfs2"},
    Kind{0x0bd00bd0, "lustre"},
    Kind{0x01021997, "9p"},
    Kind{0x47504653, "gpfs"},
    Kind{0x19830326, "beegfs"},
    Kind{0x20030528, "orangefs"},
    Kind{0xaad7aaea, "panfs"},
    Kind{0x61636673, "acfs"},
    Kind{0xbeefdead, "snfs"},
    Kind{0x786f4256, "vboxsf"},
    Kind{0xbacbacbc, "vmhgfs"},
    Kind{0x7c7c6673, "prl_fs"},
    Kind{0x00004d44, "vfat", UnfitDisk::Why::no_links},
    Kind{0x2011bab0, "exfat", UnfitDisk::Why::no_links},
};

/// Everything in user space has this one number, whether it is remote (sshfs) or not (mergerfs).
constexpr std::uint32_t kFuse = 0x65735546;
constexpr std::array<std::string_view, 17> kRemoteFuseTypes = {
    "virtiofs",         "fuse.sshfs",    "fuse.glusterfs", "fuse.ceph-fuse", "fuse.s3fs",
    "fuse.rclone",      "fuse.davfs",    "fuse.gcsfuse",   "fuse.juicefs",   "fuse.mfs",
    "fuse.goofys",      "fuse.lizardfs", "fuse.saunafs",   "fuse.curlftpfs", "fuse.smbnetfs",
    "fuse.vmhgfs-fuse", "fuse.prl_fsd"};

}  // namespace

std::optional<UnfitDisk> PosixFileSystem::unfit_disk(const Fd& fd) {
  struct statfs file_system {};
  if (::fstatfs(fd.number(), &file_system) != 0) return std::nullopt;
  const auto type = static_cast<std::uint32_t>(file_system.f_type);
  const auto* const known = std::find_if(kKinds.begin(), kKinds.end(),
                                         [&](const Kind& one) { return one.magic == type; });
  if (known != kKinds.end()) return UnfitDisk{known->name, known->why};
  const auto mount = type == kFuse ? mount_of(*this, fd) : std::nullopt;
  const bool is_remote = mount && std::find(kRemoteFuseTypes.begin(), kRemoteFuseTypes.end(),
                                            mount->type) != kRemoteFuseTypes.end();
  if (!is_remote) return std::nullopt;
  return UnfitDisk{mount->type, UnfitDisk::Why::remote};
}

}  // namespace allocator::store
