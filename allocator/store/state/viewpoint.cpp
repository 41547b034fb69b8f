#include "allocator/store/state/viewpoint.hpp"

#include <exception>

#include "allocator/store/state/call_start.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {
namespace {

/// The name that a stamp has for what lies over the kernel's boot_id.
std::string container_boot(const std::string& text) {
  const bool is_uuid = text.find_first_not_of("0123456789abcdefABCDEF-") == text.npos;
  return is_uuid ? text : container_hash(text);
}

constexpr std::size_t kBootIdLength = 36;  // a UUID; the line break after it is not read

constexpr const char* kRun = "run";

/// The root of a file system may have been made without a time.
std::uint64_t identity_of_root(FileSystem& fs) noexcept {
  try {
    const auto root = fs.open_directory("/");
    if (!root) return 0;
    const FileIdentity identity = fs.identify(root->fd);
    return identity.born_ns > 0 ? static_cast<std::uint64_t>(identity.born_ns) : identity.inode;
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

std::string RunFolder::mark_of_run(const std::function<std::string()>& make) noexcept {
  auto mark = read_link(kRun);
  if (mark) return *mark;
  // Without the lock: of two that make it at once, the first one's counts for both.
  if (!attempt([&] { fs_.make_link(make(), *folder_, kRun); })) return {};
  return read_link(kRun).value_or("");
}

std::string read_boot_id(FileSystem& fs, const std::string& path) noexcept {
  try {
    return fs.read_path(path, kBootIdLength);
  } catch (const std::exception&) {
    return {};
  }
}

Viewpoint look_around(FileSystem& fs, const std::string& boot_id, const std::string& path,
                      RunFolder& run) {
  Viewpoint viewpoint;
  viewpoint.pid_namespace = fs.pid_namespace();
  // What one has seen holds for all who read the same.
  const bool is_kernels = !boot_id.empty() && (run.mark().has_kernels_boot || fs.is_on_proc(path));
  if (is_kernels) {
    viewpoint.boot_id = boot_id;
    run.set_kernels_boot();
  }
  if (!is_kernels && !boot_id.empty()) viewpoint.container_boot = container_boot(boot_id);
  // On the node itself, boots and processes tell all there is to tell.
  if (is_kernels && viewpoint.sees_all_processes()) return viewpoint;
  viewpoint.run = run.mark_of_run([&] {
    return std::to_string(boottime_now()) + "-" + std::to_string(start_of_first_process(fs));
  });
  viewpoint.root = identity_of_root(fs);
  return viewpoint;
}

}  // namespace allocator::store
