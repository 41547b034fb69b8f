#pragma once
/// What each address of a network counts as, in the one vocabulary that the tool has. Pure.
///
///     in-use     an attachment holds it: a live one, or one of which nothing is proven
///     dead       an attachment holds it that is proven dead: its pod takes it over
///     reserved   nobody holds it, and it is a gateway, excluded, or pinned to a pod
///     held       nobody holds it, and it is kept for the pod that had it
///     free       none of these
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"

namespace shim::inspect {

enum class State : std::uint8_t { in_use, dead, reserved, held, free };

inline constexpr std::string_view kStateNames = "in-use, dead, reserved, held or free";

std::string_view name_of(State state);
/// nullopt for none of the names.
std::optional<State> parse_state(std::string_view name);

/// The state of one address.
State state_of(const Network& network, const allocator::Address& address);
State state_of(const Network& network, const allocator::store::SurveyedAddress& one);

/// The state of one address when no attachment has it, and a record binds it or not.
State unused_state_of(const Network& network, const allocator::Address& address, bool is_bound);

/// Addresses one after the other that are in one state for one reason.
struct Stretch {
  allocator::Address first;
  allocator::Address last;
  State state;
  const allocator::Pin* pin = nullptr;  ///< of a reserved one
  std::string_view why = {};            ///< "gateway", "excluded", "pinned"

  /// "10.244.1.7", or "10.244.1.7-10.244.1.20".
  [[nodiscard]] std::string to_string() const;
  /// Of a reserved one: "a gateway", "excluded", "pinned to shop/web-0".
  [[nodiscard]] std::string reserved_text() const;
};

/// The network's reserved addresses in which nobody is, and its free ones, by address. Only those
/// of its ranges are known.
std::vector<Stretch> unused_of(const Network& network);

/// What reserves an address, whoever is in it: a pin that is inside an excluded span is no use to
/// its pod. nullopt where nothing does.
std::optional<Stretch> reservation_of(const Network& network, const allocator::Address& address);

/// How many addresses of a network are in each state; those beyond 2^64 are not counted.
struct Counts {
  std::uint64_t in_use = 0;
  std::uint64_t dead = 0;
  std::uint64_t reserved = 0;
  std::uint64_t held = 0;
  std::uint64_t free = 0;
};

struct FamilyCounts {
  Counts v4;
  Counts v6;

  [[nodiscard]] Counts& of(allocator::Family family) {
    return family == allocator::Family::v4 ? v4 : v6;
  }
  [[nodiscard]] Counts all() const;
};

/// In use, dead and held count wherever they are, reserved and free inside the ranges.
FamilyCounts count(const Network& network);

/// True for an address that no range of today's hands out, where the ranges are known.
bool is_outside(const Network& network, const allocator::Address& address);

/// True for one that the ranges, as far as they are known, the excludes and the pins do not give to
/// the pod that it is bound to.
bool is_kept_back(const Network& network, const allocator::Address& address,
                  const allocator::PodKey& pod);

bool has_family(const std::vector<allocator::Address>& addresses, allocator::Family family);

/// "10.9.0.2,fd00:9::2"
std::string listed(const std::vector<allocator::Address>& addresses);

}  // namespace shim::inspect
