#include "shim/cni/protocol/stdin_reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail_reading(const std::string& cause) {
  throw CniError(ErrorCode::io_failure, "error reading from stdin: " + cause);
}

[[noreturn]] void fail_as_too_long(std::size_t limit) {
  throw CniError(ErrorCode::decoding_failure,
                 "error unmarshall network config: stdin holds more than " +
                     std::to_string(limit >> 20) +
                     " MiB, the most that this command reads; shorten the pod's annotations, or "
                     "take \"io.kubernetes.cri.pod-annotations\" out of the configuration's "
                     "capabilities");
}

/// A configuration fits into the first read. With -fstack-clash-protection a large buffer on the
/// stack costs a page fault for each of its pages, used or not.
constexpr std::size_t kFirstRead = 4096;
constexpr std::size_t kLargestRead = 65536;  // what a pipe holds

/// Waits until `fd` has something to read or is at its end.
Writer wait_readable(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0)
      fail_reading("not closed in time; the caller must close stdin after the configuration");
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready > 0) return (waiting.revents & POLLHUP) != 0 ? Writer::gone : Writer::unknown;
    if (ready == -1 && errno != EINTR) fail_reading(std::generic_category().message(errno));
  }
}

}  // namespace

std::string read_stdin(std::size_t limit, int fd, std::chrono::milliseconds patience,
                       Writer writer) {
  const auto deadline = Clock::now() + patience;
  std::string text;
  while (true) {
    if (writer == Writer::unknown) writer = wait_readable(fd, deadline);
    const std::size_t length = text.size();
    const std::size_t room = std::clamp(length, kFirstRead, kLargestRead);
    text.resize(length + room);
    const auto got = ::read(fd, text.data() + length, room);
    if (got == -1 && errno != EINTR && errno != EAGAIN)
      fail_reading(std::generic_category().message(errno));
    text.resize(length + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (got == -1) writer = Writer::unknown;  // there is a time limit to waiting
    if (text.size() > limit) fail_as_too_long(limit);
    const bool drained = got > 0 && static_cast<std::size_t>(got) < room;
    if (writer == Writer::gone && drained) return text;
  }
}

}  // namespace shim
