#pragma once
/// What becomes of the pods of a network under another configuration. Pure.
///
/// It is choose() that is asked, for one pod after the other, as after a restart of all of them.
/// Nobody knows in which order pods come back, so it is the one in which most can be told: first
/// all that get an address of their own again (steps 1 and 3 of the choice), then the others in the
/// order of their names. Who gets none where some do not fit may be another one in the end. What a
/// pod requests (step 2) is known at its ADD only.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/networks/states.hpp"

namespace shim::inspect {

/// Worst first.
enum class Outlook : std::uint8_t {
  does_not_fit,  ///< its next ADD fails
  moves,         ///< its next ADD gets another address
  evicted,       ///< it does not run, and a pod that moves gets what is held for it
  dormant,       ///< it does not run, and what is held for it is not handed out any more
  not_kept,      ///< nothing is kept for who has the address, neither before nor after
  keeps          ///< its next ADD gets what it has, or what is held for it
};

inline constexpr std::array<std::string_view, 6> kOutlookNames = {
    "DOES-NOT-FIT", "MOVES", "EVICTED", "DORMANT", "NOT-KEPT", "KEEPS"};

inline constexpr std::string_view kOutlookNameList =
    "DOES-NOT-FIT, MOVES, EVICTED, DORMANT, NOT-KEPT or KEEPS";

inline std::string_view name_of(Outlook outlook) {
  return kOutlookNames[static_cast<std::size_t>(outlook)];
}

struct PodForecast {
  allocator::PodKey pod;  ///< without a name: a container without a pod
  Outlook outlook = Outlook::keeps;
  bool is_running = false;  ///< false: an address is held for it, and that is all
  std::vector<allocator::Address> now;
  std::vector<allocator::Address> after;
  std::string why;
};

struct Forecast {
  std::vector<PodForecast> pods;  ///< by outlook, then by name
  FamilyCounts counts;            ///< when all of them are back
};

/// `today`: the network as it is. `planned`: the same with the configuration to come, in the folder
/// that this names; what it would be when all are back is left there.
Forecast forecast_of(const Network& today, Network& planned);

}  // namespace shim::inspect
