#include "shim/cli/standard_output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "shim/cli/command.hpp"

namespace shim {
namespace {

/// 0, or errno.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written == -1 && errno == EINTR) continue;
    if (written == -1) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void write_stdout(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error != 0 && error != EPIPE)
    throw UsageError("standard output: cannot be written; is the disk full?");
}

bool is_rich_terminal(int fd) {
  const char* const terminal = std::getenv("TERM");
  return terminal != nullptr && std::string_view(terminal) != "dumb" && ::isatty(fd) == 1;
}

void write_stderr(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

}  // namespace shim
