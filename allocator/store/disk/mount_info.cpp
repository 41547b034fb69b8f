#include "allocator/store/disk/mount_info.hpp"

#include <sys/sysmacros.h>

#include <exception>
#include <string_view>

#include "allocator/store/disk/words.hpp"

namespace allocator::store {
namespace {

constexpr std::size_t kFdInfoLimit = 4096;
constexpr std::size_t kMountInfoLimit = std::size_t{1} << 22;

/// The number behind "mnt_id:"; "" when there is none.
std::string_view mount_id(std::string_view fd_info) {
  Words words(fd_info);
  for (auto key = words.next(); !key.empty(); key = words.next()) {
    const auto value = words.next();
    if (key == "mnt_id:") return value;
  }
  return {};
}

/// One line: "36 35 98:0 /root /mount-point options... - type source options".
std::optional<Mount> parse_mount(std::string_view line, std::string_view wanted_id) {
  Words fields(line);
  if (fields.next() != wanted_id) return std::nullopt;
  fields.next();  // the parent
  const auto device = fields.next();
  const auto colon = device.find(':');
  const auto rest = line.find(" - ");
  if (colon == std::string_view::npos || rest == std::string_view::npos) return std::nullopt;
  const auto major_number = Words(device.substr(0, colon)).next_number<unsigned>();
  const auto minor_number = Words(device.substr(colon + 1)).next_number<unsigned>();
  return Mount{makedev(major_number, minor_number),
               std::string(Words(line.substr(rest + 3)).next())};
}

}  // namespace

std::optional<Mount> mount_of(FileSystem& fs, const Fd& file) noexcept {
  try {
    const std::string number = std::to_string(file.number());
    const std::string fd_info = fs.read_path("/proc/self/fdinfo/" + number, kFdInfoLimit);
    const auto id = mount_id(fd_info);
    const std::string mounts = fs.read_path("/proc/self/mountinfo", kMountInfoLimit);
    for (std::string_view rest = mounts; !id.empty() && !rest.empty();) {
      if (auto mount = parse_mount(take_line(rest), id)) return mount;
    }
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace allocator::store
