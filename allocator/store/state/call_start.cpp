#include "allocator/store/state/call_start.hpp"

#include <unistd.h>

#include <ctime>
#include <string_view>
#include <system_error>

#include "allocator/store/disk/words.hpp"

namespace allocator::store {
namespace {

constexpr std::size_t kStatLimit = 4096;
/// As much as the first 22 fields usually take, so that one read(2) is enough.
constexpr std::size_t kStatStart = 256;
constexpr std::size_t kEnvironmentLimit = std::size_t{1} << 20;
constexpr int kAncestorLimit = 64;
constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

struct Process {
  int parent = 0;
  std::uint64_t started = 0;  // nanoseconds of CLOCK_BOOTTIME
};

/// `process_name`: a number, or "self", as /proc may show the processes of a PID namespace above
/// ours.
Process read_process(FileSystem& fs, const std::string& process_name,
                     std::size_t limit = kStatLimit) {
  const std::string text = fs.read_path("/proc/" + process_name + "/stat", limit);
  // The name in parentheses may hold anything, spaces and parentheses too: count from its end.
  const auto name_end = text.rfind(')');
  Words fields(name_end == std::string::npos ? "" : std::string_view(text).substr(name_end + 1));
  Process process;
  fields.next();
  process.parent = fields.next_number<int>();
  constexpr int fields_between = 22 - 5;
  for (int i = 0; i < fields_between; ++i) fields.next();
  const auto ticks = fields.next_number<std::uint64_t>();
  process.started =
      ticks * (kNanosecondsPerSecond / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  return process;
}

bool belongs_to_add(FileSystem& fs, int pid, const std::string& container_id) {
  const std::string environment =
      std::string(1, '\0') +
      fs.read_path("/proc/" + std::to_string(pid) + "/environ", kEnvironmentLimit);
  const auto has = [&](const std::string& variable) {
    return environment.find('\0' + variable + '\0') != std::string::npos;
  };
  return has("CNI_COMMAND=ADD") && has("CNI_CONTAINERID=" + container_id);
}

/// What is above this process.
struct Lineage {
  struct Ancestor {
    int pid;
    std::uint64_t started;
  };
  std::optional<std::uint64_t> own_start;
  std::optional<Ancestor> topmost;  ///< of those that belong to the ADD
};

/// An ancestor that died while we looked, or one that we may not look at: what is known so far
/// counts.
Lineage look_up(FileSystem& fs, const std::string& container_id) {
  Lineage lineage;
  try {
    Process process = read_process(fs, "self");
    lineage.own_start = process.started;
    for (int i = 0; i < kAncestorLimit && process.parent > 1; ++i) {
      const int pid = process.parent;
      process = read_process(fs, std::to_string(pid));
      if (belongs_to_add(fs, pid, container_id)) lineage.topmost = {pid, process.started};
    }
  } catch (const std::system_error&) {
    return lineage;
  }
  return lineage;
}

/// /proc tells starts in steps of this many nanoseconds.
constexpr std::uint64_t kClockTick = 10'000'000;

}  // namespace

std::uint64_t boottime_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t start_of_first_process(FileSystem& fs) {
  try {
    return read_process(fs, "1", kStatStart).started;
  } catch (const std::system_error&) {
    return 0;
  }
}

std::optional<std::uint64_t> start_of_call(FileSystem& fs, const std::string& container_id) {
  const Lineage lineage = look_up(fs, container_id);
  return lineage.topmost ? lineage.topmost->started : lineage.own_start;
}

std::optional<std::string> add_above(FileSystem& fs, const std::string& container_id) {
  const Lineage lineage = look_up(fs, container_id);
  if (!lineage.topmost) return std::nullopt;
  return std::to_string(lineage.topmost->pid) + ":" + std::to_string(lineage.topmost->started);
}

bool began_after(FileSystem& fs, const std::string& container_id, std::uint64_t moment) {
  const auto started = start_of_call(fs, container_id);
  return !started || *started + kClockTick > moment;
}

bool is_abandoned(FileSystem& fs, const std::string& container_id, std::uint64_t limit) {
  const std::uint64_t now = boottime_now();
  try {
    // Too short a text makes the parent too old, and in /proc of another PID namespace it is
    // somebody else: both are looked into below.
    const Process parent = read_process(fs, std::to_string(::getppid()), kStatStart);
    if (parent.started + limit > now) return false;
  } catch (const std::system_error&) {
    // No /proc, or one that does not show our parent.
  }
  // An old parent is nothing special: a shell, a runtime that calls us without a main plugin.
  const auto started = start_of_call(fs, container_id);
  return started && *started + limit < now;
}

}  // namespace allocator::store
