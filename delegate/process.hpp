#pragma once
/// The seam to processes: what lies at a path, and running it with a text on stdin.
///
/// What a program does (exit code, signal, too much output, no answer in time) comes back as a
/// value; only trouble of our own (no descriptors, no memory) throws. The only implementation is
/// PosixProcessRunner; tests put scripted programs in its place. Needs Linux 5.3 (pidfd_open(2)).
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace delegate {

/// Which file an executable is; a replaced one differs.
struct FileVersion {
  std::uint64_t device;
  std::uint64_t inode;
  std::int64_t modified_ns;

  [[nodiscard]] bool same_file(const FileVersion& other) const {
    return device == other.device && inode == other.inode;
  }
};

struct ProcessRequest {
  std::string path;                      ///< absolute
  std::vector<std::string> environment;  ///< "NAME=value", the whole of it
  std::string_view input;                ///< goes to stdin, which is closed then
  std::chrono::steady_clock::time_point deadline;
};

/// How a run ended.
enum class End : std::uint8_t {
  exited,           ///< number: exit code
  signalled,        ///< number: signal
  not_started,      ///< number: errno of execve(2)
  timed_out,        ///< killed at the deadline
  too_much_output,  ///< killed, as stdout went over kOutputLimit
};

struct ProcessOutcome {
  End end = End::exited;
  int number = 0;
  std::string output;      ///< stdout
  std::string error_text;  ///< the first 64 KiB of stderr, which has been passed on already
};

/// Bytes of stdout that a program may print.
inline constexpr std::size_t kOutputLimit = std::size_t{1} << 20;

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;

  /// The regular file at `path`, symbolic links followed; nullopt when there is none.
  [[nodiscard]] virtual std::optional<FileVersion> identify(const std::string& path) = 0;

  /// Runs the program in a process group of its own, with descriptors 0 to 2 only, and dies with
  /// it: a program never outlives this process. Its stderr is passed on to ours as it comes. At the
  /// deadline the group gets SIGTERM, a second later SIGKILL. What still holds the program's pipes
  /// half a second after its end is killed too.
  /// Errors: throws std::system_error when no process can be made.
  [[nodiscard]] virtual ProcessOutcome run(const ProcessRequest& request) = 0;
};

/// How a program's stderr is shown: given a piece, what to pass on for it; given none, at the end,
/// what is left.
using ShowText = std::function<std::string(std::string_view piece)>;

class PosixProcessRunner final : public ProcessRunner {
 public:
  /// `umask`: what programs start with, see umask(2). Without `show` their stderr is passed on as
  /// it is.
  explicit PosixProcessRunner(unsigned umask = 022, ShowText show = {})
      : umask_(umask), show_(std::move(show)) {}

  [[nodiscard]] std::optional<FileVersion> identify(const std::string& path) override;
  [[nodiscard]] ProcessOutcome run(const ProcessRequest& request) override;

 private:
  unsigned umask_;
  ShowText show_;
};

}  // namespace delegate
