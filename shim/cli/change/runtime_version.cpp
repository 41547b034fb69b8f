#include "shim/cli/change/runtime_version.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "shim/cli/change/gc/grpc_call.hpp"
#include "shim/cli/change/gc/pod_lists.hpp"
#include "shim/cli/change/gc/unary_call.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim::change {
namespace {

struct Versions {
  unsigned major;
  unsigned minor;
  unsigned first;
  unsigned last;
};

constexpr std::array<Versions, 5> kSkipping = {{{1, 6, 37, std::numeric_limits<unsigned>::max()},
                                                {1, 7, 23, 30},
                                                {2, 0, 0, 7},
                                                {2, 1, 0, 6},
                                                {2, 2, 0, 1}}};

/// Takes a number from the front; nullopt for none.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char one) {
  if (text.empty() || text.front() != one) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<std::string> containerd_version(const std::string& socket,
                                              std::chrono::milliseconds patience) {
  try {
    const auto answer =
        call_socket(socket, "/containerd.services.version.v1.Version/Version", patience);
    if (!answer) return std::nullopt;
    const auto versions = fields_of(*answer, 1);
    if (versions.size() != 1) return std::nullopt;
    return printable_line(std::string(versions.front()));
  } catch (const NoPods&) {
    return std::nullopt;
  }
}

bool skips_del(std::string_view version) {
  take(version, 'v');
  const auto major = take_number(version);
  if (!major || !take(version, '.')) return false;
  const auto minor = take_number(version);
  if (!minor || !take(version, '.')) return false;
  const auto patch = take_number(version);
  return patch && std::any_of(kSkipping.begin(), kSkipping.end(), [&](const Versions& some) {
           return some.major == *major && some.minor == *minor && some.first <= *patch &&
                  *patch <= some.last;
         });
}

}  // namespace shim::change
