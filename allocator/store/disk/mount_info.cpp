#include "allocator/store/disk/mount_info.hpp"

#include <sys/sysmacros.h>

#include <exception>
#include <sstream>

namespace allocator::store {
namespace {

constexpr std::size_t kFdInfoLimit = 4096;
constexpr std::size_t kMountInfoLimit = std::size_t{1} << 22;

/// The number behind "mnt_id:"; "" when there is none.
std::string mount_id(const std::string& fd_info) {
  std::istringstream lines(fd_info);
  for (std::string key, value; lines >> key >> value;) {
    if (key == "mnt_id:") return value;
  }
  return {};
}

/// One line: "36 35 98:0 /root /mount-point options... - type source options".
std::optional<Mount> parse_mount(const std::string& line, const std::string& wanted_id) {
  std::istringstream fields(line);
  std::string id;
  std::string parent;
  std::string device;
  fields >> id >> parent >> device;
  if (id != wanted_id) return std::nullopt;
  unsigned major_number = 0;
  unsigned minor_number = 0;
  char colon = 0;
  const auto rest = line.find(" - ");
  if (!(std::istringstream(device) >> major_number >> colon >> minor_number) ||
      rest == std::string::npos)
    return std::nullopt;
  Mount mount{makedev(major_number, minor_number), {}};
  std::istringstream(line.substr(rest + 3)) >> mount.type;
  return mount;
}

}  // namespace

std::optional<Mount> mount_of(FileSystem& fs, const Fd& file) noexcept {
  try {
    const std::string number = std::to_string(file.number());
    const std::string id = mount_id(fs.read_path("/proc/self/fdinfo/" + number, kFdInfoLimit));
    std::istringstream mounts(fs.read_path("/proc/self/mountinfo", kMountInfoLimit));
    for (std::string line; !id.empty() && std::getline(mounts, line);) {
      if (auto mount = parse_mount(line, id)) return mount;
    }
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace allocator::store
