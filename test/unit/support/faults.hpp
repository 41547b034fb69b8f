#pragma once
/// Fault injection at the seam: the n-th call of a command fails, alone or with everything behind
/// it.
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "test/unit/support/hooked_file_system.hpp"

namespace test {

enum class Mode : std::uint8_t {
  fails,    ///< one call fails, the command goes on and cleans up
  crashes,  ///< nothing has any effect from there on: the process is as good as dead
};

/// Where and how a command is disturbed.
struct Fault {
  int at = 0;  ///< counted from 1
  int error = EIO;
  Mode mode = Mode::fails;
};

/// Arms `fs` for one command and tells afterwards whether the fault was met.
class ArmedFault {
 public:
  ArmedFault(HookedFileSystem& fs, const Fault& fault) : fs_(fs), fault_(fault) {
    fs_.start_command();
    fs_.before = [this](const Call& call) { count(call); };
  }
  ArmedFault(const ArmedFault&) = delete;
  ArmedFault& operator=(const ArmedFault&) = delete;
  ~ArmedFault() {
    fs_.before = [](const Call&) {};
  }

  [[nodiscard]] bool was_met() const { return count_ >= fault_.at; }
  /// The call that failed first, "link_file 10.0.0.2".
  [[nodiscard]] const std::string& call() const { return call_; }

 private:
  void count(const Call& call) {
    ++count_;
    const bool hit = fault_.mode == Mode::fails ? count_ == fault_.at : count_ >= fault_.at;
    if (!hit) return;
    if (call_.empty()) call_ = call.method + " " + call.subject;
    throw std::system_error(fault_.error, std::generic_category(), call_);
  }

  HookedFileSystem& fs_;
  Fault fault_;
  int count_ = 0;
  std::string call_;
};

/// More calls than any command makes: a loop that gets here would never end.
constexpr int kManyCalls = 1000;

/// The errors that a full, broken or read-only disk answers with.
constexpr std::array<int, 4> kDiskErrors = {ENOSPC, EIO, EROFS, EDQUOT};

}  // namespace test
