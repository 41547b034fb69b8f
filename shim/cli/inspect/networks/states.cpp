#include "shim/cli/inspect/networks/states.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Range;
using allocator::Uint128;
using allocator::store::SurveyedAddress;

constexpr std::array<std::string_view, 5> kNames = {"in-use", "dead", "reserved", "held", "free"};

/// Walks one range from its first address to its last, in stretches.
class Walk {
 public:
  Walk(const Network& network, const Range& range, std::vector<Stretch>& stretches)
      : network_(network), range_(range), stretches_(stretches) {}

  void go() {
    add_reserved();
    next_ = range_.start;
    auto mark = marks_.begin();
    for (const auto& [address, one] : network_.survey.addresses) {
      if (!range_.contains(address)) continue;
      const State state = state_of(network_, one);
      if (state == State::reserved) continue;
      while (mark != marks_.end() && mark->first < address) tell((mark++)->second);
      tell({address, address, state});
    }
    while (mark != marks_.end()) tell((mark++)->second);
    if (next_ && *next_ <= range_.end) free(*next_, range_.end);
  }

 private:
  static Address before(const Address& address) { return {address.family(), address.number() - 1}; }

  static bool is_used(const Stretch& stretch) { return stretch.state != State::reserved; }

  void free(const Address& first, const Address& last) {
    stretches_.push_back({first, last, State::free});
  }

  /// They come by where they begin.
  void tell(Stretch stretch) {
    if (!next_ || stretch.last < *next_) return;
    if (*next_ < stretch.first) free(*next_, before(stretch.first));
    stretch.first = std::max(stretch.first, *next_);
    next_ = stretch.last.next();
    if (!is_used(stretch)) stretches_.push_back(stretch);
  }

  /// Of two that begin together the longer one tells more.
  void put(const Stretch& stretch) {
    const auto [place, is_first] = marks_.emplace(stretch.first, stretch);
    if (!is_first && place->second.last < stretch.last) place->second = stretch;
  }

  /// Cut to the range, and where an attachment is inside, to what is around it.
  void mark(Stretch stretch) {
    if (stretch.last < range_.start || range_.end < stretch.first) return;
    stretch.first = std::max(stretch.first, range_.start);
    stretch.last = std::min(stretch.last, range_.end);
    for (const auto& [address, one] : network_.survey.addresses) {
      if (!one.is_in_use || one.address < stretch.first || stretch.last < one.address) continue;
      if (stretch.first < one.address)
        put({stretch.first, before(one.address), stretch.state, stretch.pin, stretch.why});
      const auto next = one.address.next();
      if (!next || stretch.last < *next) return;
      stretch.first = *next;
    }
    put(stretch);
  }

  void add_reserved() {
    const auto& reservations = network_.conf.allocation.reservations;
    for (const auto& span : reservations.excluded)
      mark({span.first, span.last, State::reserved, nullptr, "excluded"});
    for (const auto& pin : reservations.pins)
      mark({pin.address, pin.address, State::reserved, &pin, "pinned"});
    mark({range_.gateway, range_.gateway, State::reserved, nullptr, "gateway"});
  }

  const Network& network_;
  const Range& range_;
  std::vector<Stretch>& stretches_;
  std::map<Address, Stretch> marks_;  ///< what is reserved
  std::optional<Address> next_;       ///< everything before it has been told
};

std::uint64_t width_of(const Stretch& stretch) {
  const Uint128 width = stretch.last.number() - stretch.first.number() + 1;
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return width == 0 || width > most ? most : static_cast<std::uint64_t>(width);
}

void raise(std::uint64_t& count, std::uint64_t more) {
  count = more > std::numeric_limits<std::uint64_t>::max() - count
              ? std::numeric_limits<std::uint64_t>::max()
              : count + more;
}

}  // namespace

std::string_view name_of(State state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<State> parse_state(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<State>(found - kNames.begin());
}

State state_of(const Network& network, const Address& address) {
  const SurveyedAddress* one = network.survey.find(address);
  return one != nullptr ? state_of(network, *one) : unused_state_of(network, address, false);
}

State state_of(const Network& network, const SurveyedAddress& one) {
  if (one.is_in_use) return one.is_dead ? State::dead : State::in_use;
  return unused_state_of(network, one.address, one.has_record);
}

State unused_state_of(const Network& network, const Address& address, bool is_bound) {
  if (reservation_of(network, address)) return State::reserved;
  return is_bound ? State::held : State::free;
}

std::string Stretch::to_string() const {
  return first == last ? first.to_string() : first.to_string() + "-" + last.to_string();
}

std::string Stretch::reserved_text() const {
  if (pin != nullptr) return "pinned to " + pin->pod_namespace + "/" + pin->pod_name;
  return why == "gateway" ? "a gateway" : "excluded";
}

std::vector<Stretch> unused_of(const Network& network) {
  std::vector<Stretch> stretches;
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) Walk(network, range, stretches).go();
  }
  return stretches;
}

std::optional<Stretch> reservation_of(const Network& network, const Address& address) {
  const auto& sets = network.conf.allocation.sets;
  const auto& reservations = network.conf.allocation.reservations;
  Stretch stretch{address, address, State::reserved};
  const bool is_gateway =
      std::any_of(sets.begin(), sets.end(),
                  [&](const allocator::RangeSet& set) { return set.is_gateway(address); });
  if (span_around(reservations, address) != nullptr) {
    stretch.why = "excluded";
  } else if (is_gateway) {
    stretch.why = "gateway";
  } else if ((stretch.pin = pin_on(reservations, address)) != nullptr) {
    stretch.why = "pinned";
  }
  return stretch.why.empty() ? std::nullopt : std::optional(stretch);
}

Counts FamilyCounts::all() const {
  Counts sum = v4;
  for (auto member :
       {&Counts::in_use, &Counts::dead, &Counts::reserved, &Counts::held, &Counts::free})
    raise(sum.*member, v6.*member);
  return sum;
}

FamilyCounts count(const Network& network) {
  FamilyCounts counts;
  for (const auto& [address, one] : network.survey.addresses) {
    Counts& here = counts.of(address.family());
    const State state = state_of(network, one);
    if (state == State::in_use) ++here.in_use;
    if (state == State::dead) ++here.dead;
    if (state == State::held) ++here.held;
  }
  for (const auto& stretch : unused_of(network)) {
    Counts& here = counts.of(stretch.first.family());
    raise(stretch.state == State::free ? here.free : here.reserved, width_of(stretch));
  }
  return counts;
}

bool is_outside(const Network& network, const Address& address) {
  const auto& sets = network.conf.allocation.sets;
  return !sets.empty() && set_of(sets, address) == sets.size();
}

bool is_kept_back(const Network& network, const Address& address, const allocator::PodKey& pod) {
  const auto& sets = network.conf.allocation.sets;
  const auto& reservations = network.conf.allocation.reservations;
  if (sets.empty()) return false;
  const std::size_t number = set_of(sets, address);
  if (number == sets.size() || !may_use(sets[number], reservations, pod, address)) return true;
  return std::any_of(
      reservations.pins.begin(), reservations.pins.end(), [&](const allocator::Pin& pin) {
        return pin.address != address && is_of_pod(pin, pod) && sets[number].contains(pin.address);
      });
}

bool has_family(const std::vector<Address>& addresses, allocator::Family family) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const Address& one) { return one.family() == family; });
}

std::string listed(const std::vector<Address>& addresses) {
  std::string text;
  for (const auto& one : addresses) text.append(text.empty() ? "" : ",").append(one.to_string());
  return text;
}

}  // namespace shim::inspect
