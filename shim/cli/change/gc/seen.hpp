#pragma once
/// What was found leaked before, and when: nothing is dropped that is seen for the first time.
/// Pure.
///
/// Format: {"seen": [{"candidate": "binding shop/web-3 eth0 17.0.b0070001", "boot": "b0070001",
/// "uptime": 3600}, ...]}, the uptime in seconds of CLOCK_BOOTTIME. Time of day decides nothing.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shim::change {

/// More than a node has candidates; what does not fit is seen anew.
inline constexpr std::size_t kSeenLimit = std::size_t{1} << 20;

/// A moment of a node.
struct Moment {
  std::string boot8;         ///< the first digits of the kernel's boot_id; empty: unknown
  std::uint64_t uptime = 0;  ///< in seconds of CLOCK_BOOTTIME
};

/// When each candidate was seen first, without a look between that did not find it.
using Seen = std::map<std::string, Moment>;

/// None of a text that is damaged.
Seen parse_seen(const std::string& text);
/// At most kSeenLimit bytes.
std::string print_seen(const Seen& seen);

/// What a candidate is measured by.
struct Grace {
  Moment now;
  std::vector<std::string> earlier_boots;  ///< of this node
  std::uint64_t seconds = 0;               ///< that it must have been leaked for, in one boot
};

/// How long a candidate has to wait yet.
struct Wait {
  enum class Kind : std::uint8_t {
    seen_now,  ///< for the first time, as far as is known
    waits,
    over
  };
  Kind kind;
  std::uint64_t minutes = 0;  ///< rounded up
};

/// In another boot than it was seen in first, or after the grace, the wait is over. What was seen
/// in a boot that this node does not know, or later than now, was not seen.
Wait wait_of(const Seen& seen, const std::string& candidate, const Grace& grace);

}  // namespace shim::change
