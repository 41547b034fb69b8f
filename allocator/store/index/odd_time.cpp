#include "allocator/store/index/odd_time.hpp"

#include <algorithm>
#include <chrono>

namespace allocator::store {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// What differs from call to call in one boot, whatever becomes of the time of day.
std::int64_t nanoseconds_of_boot() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The second of now, so that people who look are not surprised, with a fraction of our own.
std::int64_t odd_fraction() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  constexpr std::int64_t kLatest = (std::int64_t{1} << 31) - 1;  // for 32 bits on the disk
  return std::clamp<std::int64_t>(seconds, 1, kLatest) * kSecond + nanoseconds_of_boot() % kSecond;
}

/// The same in whole seconds, for file systems that keep no more: one between 1970 and 2004.
std::int64_t odd_second() {
  constexpr std::int64_t kStep = 10'000;  // nanoseconds; no two commands are this close
  constexpr std::int64_t kSeconds = std::int64_t{1} << 30;
  return (1 + nanoseconds_of_boot() / kStep % kSeconds) * kSecond;
}

/// nullopt where the time is not kept as it was set, or is what the kernel would write now.
std::optional<FileIdentity> mark(FileSystem& fs, const Directory& folder, std::int64_t time) {
  fs.set_modified(folder.fd, time, folder.path);
  const FileIdentity now = fs.identify(folder.fd);
  return now.modified_ns == time && now.changed_ns != time ? std::optional(now) : std::nullopt;
}

}  // namespace

std::optional<FileIdentity> mark_with_odd_time(FileSystem& fs, const Directory& folder) {
  const auto marked = mark(fs, folder, odd_fraction());
  return marked ? marked : mark(fs, folder, odd_second());
}

}  // namespace allocator::store
