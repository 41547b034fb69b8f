/// One executable, two faces: with arguments it is the operator's tool, else with CNI_COMMAND the
/// plugin.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "allocator/store/disk/posix_file_system.hpp"
#include "delegate/process.hpp"
#include "shim/cli/command_line.hpp"
#include "shim/cni/announce/linux_wire.hpp"
#include "shim/cni/plugin.hpp"
#include "shim/cni/protocol/printable.hpp"
#include "shim/cni/protocol/stdin_reader.hpp"

namespace {

/// A caller that went away is an error of write(2) to undo the lease for, not a signal to die of.
void ignore_broken_pipes() { static_cast<void>(std::signal(SIGPIPE, SIG_IGN)); }

void write_all(int fd, std::string_view text) {
  ignore_broken_pipes();
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written == -1 && errno == EINTR) continue;
    if (written == -1) throw std::system_error(errno, std::generic_category(), "write the answer");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A caller that does not read our stderr, which a delegate has filled, must not hold the answer
/// up.
/// Nor must one whose stderr is broken.
void write_to_stderr(std::string_view text) noexcept {
  constexpr std::size_t at_once = 4096;  // PIPE_BUF: poll(2) says "writable" when so much has room
  constexpr int patience_ms = 100;
  pollfd sink{STDERR_FILENO, POLLOUT, 0};
  ignore_broken_pipes();
  while (!text.empty() && ::poll(&sink, 1, patience_ms) == 1) {
    const auto written = ::write(STDERR_FILENO, text.data(), std::min(text.size(), at_once));
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A caller that closed one of the first three descriptors must not make our answer land in a state
/// file. Returns what the same call tells of stdin: a runtime has mostly written it by now.
shim::Writer fill_standard_descriptors() {
  std::array<pollfd, 3> descriptors = {{{0, 0, 0}, {1, 0, 0}, {2, 0, 0}}};
  if (::poll(descriptors.data(), descriptors.size(), 0) <= 0) return shim::Writer::unknown;
  // In rising order: open(2) returns the lowest free number.
  for (const auto& descriptor : descriptors) {
    if ((descriptor.revents & POLLNVAL) != 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
  return (descriptors[0].revents & POLLHUP) != 0 ? shim::Writer::gone : shim::Writer::unknown;
}

}  // namespace

int main(int argc, char** argv) {
  const shim::Writer stdin_writer = fill_standard_descriptors();
  const mode_t callers_umask = ::umask(022);
  // A command lives for a millisecond: handing memory back to the kernel only costs system calls.
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  ::mallopt(M_TOP_PAD, 1 << 20);
  shim::announce::LinuxWire wire;
  const shim::PluginIo io{&std::getenv,
                          [&](std::size_t limit) {
                            return shim::read_stdin(limit, STDIN_FILENO, shim::kStdinPatience,
                                                    stdin_writer);
                          },
                          [](std::string_view text) { write_all(STDOUT_FILENO, text); },
                          [](std::string_view text) { write_to_stderr(text); },
                          environ,
                          &wire};
  // Runtimes pass no arguments; an operator's shell may still have the variable from a try by hand.
  const bool is_tool = argc > 1 || !shim::requested_command(io.variables);
  if (is_tool) {
    ignore_broken_pipes();
    return shim::run_command_line(argc, argv);
  }
  allocator::store::PosixFileSystem fs;
  shim::PrintableStream delegates_words;
  delegate::PosixProcessRunner processes(callers_umask, [&](std::string_view piece) {
    return piece.empty() ? delegates_words.finish() : delegates_words.next(piece);
  });
  return shim::run_plugin(io, fs, processes);
}
