#include "shim/cli/progress.hpp"

#include <unistd.h>

#include <string_view>

#include "shim/cli/standard_output.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::milliseconds kBefore{1000};
constexpr std::chrono::milliseconds kBetween{200};
// A line that went on below could not be taken away again.
constexpr std::size_t kWidth = 79;
// ECMA-48: back to the line's beginning, and all of it erased.
constexpr std::string_view kErase = "\r\x1b[K";

}  // namespace

Progress::Progress(const std::string& what, std::size_t total)
    : what_(printable_line(what)),
      total_(total),
      is_on_terminal_(is_rich_terminal(STDERR_FILENO)),
      next_(steady_clock::now() + kBefore) {}

Progress::~Progress() {
  if (is_shown_) write_stderr(kErase);
}

void Progress::show() {
  const auto now = steady_clock::now();
  if (now < next_) return;
  next_ = now + kBetween;
  const std::string of_all = total_ == 0 ? "" : " of " + std::to_string(total_);
  const std::string count = ": " + std::to_string(done_) + of_all;
  std::string line(kErase);
  line.append(what_, 0, kWidth - count.size()).append(count);
  write_stderr(line);
  is_shown_ = true;
}

}  // namespace shim
