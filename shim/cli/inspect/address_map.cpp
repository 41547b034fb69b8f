#include "shim/cli/inspect/address_map.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Cidr;
using allocator::Family;
using allocator::Uint128;
using validate::joined;

constexpr unsigned kColumns = 16;
constexpr unsigned kMostSingle = 1024;  // IPv4 addresses with a character each
constexpr unsigned kCells = 256;        // characters of what is larger
constexpr std::size_t kMostLines = 64;  // of IPv6

constexpr std::string_view kLetters = "#xrh.";  // of the states, in their order

char letter_of(State state) { return kLetters[static_cast<std::size_t>(state)]; }

std::string painted(char letter, Colour colour) {
  const auto state = state_of_letter(letter);
  const std::string_view word = state ? name_of(*state) : std::string_view();
  return coloured_as(word, std::string_view(&letter, 1), colour);
}

/// Of one address; " " for one that is not handed out.
char letter_at(const Network& network, const Address& address) {
  return is_outside(network, address) ? ' ' : letter_of(state_of(network, address));
}

/// How many addresses of a cell are in each state.
struct Cell {
  std::array<std::uint64_t, 5> counts{};

  [[nodiscard]] std::uint64_t of(State state) const {
    return counts[static_cast<std::size_t>(state)];
  }

  [[nodiscard]] char letter() const {
    constexpr std::uint64_t tenths = 10;
    std::uint64_t all = 0;
    for (const auto count : counts) all += count;
    if (all == 0) return ' ';
    const std::uint64_t taken = all - of(State::free);
    if (taken == 0) return '.';
    for (const State only : {State::dead, State::reserved, State::held}) {
      if (of(only) == all) return letter_of(only);
    }
    if (taken == all) return '#';
    return static_cast<char>('0' + std::max<std::uint64_t>(1, taken * tenths / all));
  }
};

/// One character for each address from `first` on, as far as the subnet goes.
MapLine single_line(const Network& network, const Cidr& subnet, const Address& first) {
  MapLine line{first, {}};
  std::optional<Address> next = first;
  for (unsigned column = 0; column < kColumns && next && *next <= subnet.last(); ++column) {
    line.second += letter_at(network, *next);
    next = next->next();
  }
  return line;
}

std::vector<MapLine> single_lines(const Network& network, const Cidr& subnet) {
  std::vector<MapLine> lines;
  const Uint128 first = subnet.network().number();
  for (Uint128 number = first; number <= subnet.last().number(); number += kColumns)
    lines.push_back(single_line(network, subnet, Address(Family::v4, number)));
  std::erase_if(lines, [](const MapLine& line) {
    return line.second.find_first_not_of(' ') == line.second.npos;
  });
  return lines;
}

/// IPv6: the lines with an address that is anything but free. Spans that are excluded have no end:
/// of them only where they begin and end.
std::vector<MapLine> used_lines(const Network& network, const Cidr& subnet) {
  std::set<Uint128> starts;
  const auto touch = [&](const Address& address) {
    if (address.family() == Family::v6 && subnet.contains(address) &&
        !is_outside(network, address) && state_of(network, address) != State::free)
      starts.insert(address.number() - address.number() % kColumns);
  };
  for (const auto& [address, one] : network.survey.addresses) touch(one.address);
  const auto& allocation = network.conf.allocation;
  for (const auto& pin : allocation.reservations.pins) touch(pin.address);
  for (const auto& span : allocation.reservations.excluded) {
    touch(span.first);
    touch(span.last);
  }
  for (const auto& set : allocation.sets) {
    for (const auto& range : set.ranges()) touch(range.gateway);
  }
  std::vector<MapLine> lines;
  lines.reserve(starts.size());
  for (const auto& start : starts)
    lines.push_back(single_line(network, subnet, Address(Family::v6, start)));
  return lines;
}

/// A large subnet's.
std::vector<MapLine> wide_lines(const Network& network, const Cidr& subnet, Uint128 width) {
  std::vector<Cell> cells(kCells);
  const Uint128 begin = subnet.network().number();
  const auto add = [&](State state, Uint128 from, Uint128 to) {
    for (Uint128 number = (from - begin) / width; number <= (to - begin) / width; ++number) {
      const Uint128 first = std::max(from, begin + number * width);
      const Uint128 last = std::min(to, begin + (number + 1) * width - 1);
      cells[static_cast<std::size_t>(number)].counts[static_cast<std::size_t>(state)] +=
          static_cast<std::uint64_t>(last - first + 1);
    }
  };
  for (const auto& [address, one] : network.survey.addresses) {
    const State state = state_of(network, one);
    const bool is_here = subnet.contains(one.address) && !is_outside(network, one.address);
    if (is_here && state != State::reserved) add(state, address.number(), address.number());
  }
  for (const auto& stretch : unused_of(network)) {
    if (subnet.contains(stretch.first) && subnet.contains(stretch.last))
      add(stretch.state, stretch.first.number(), stretch.last.number());
  }
  std::vector<MapLine> lines;
  for (unsigned cell = 0; cell < kCells; ++cell) {
    if (cell % kColumns == 0) lines.emplace_back(Address(Family::v4, begin + cell * width), "");
    lines.back().second += cells[cell].letter();
  }
  return lines;
}

SubnetMap map_of(const Network& network, const Cidr& subnet) {
  SubnetMap map{subnet.network().to_string() + "/" + std::to_string(subnet.prefix_length)};
  const Uint128 size = subnet.last().number() - subnet.network().number() + 1;
  if (subnet.address.family() == Family::v6) {
    map.lines = used_lines(network, subnet);
  } else if (size <= kMostSingle) {
    map.lines = single_lines(network, subnet);
  } else {
    map.width = static_cast<std::uint64_t>(size / kCells);
    map.lines = wide_lines(network, subnet, map.width);
  }
  map.hidden = map.lines.size() - std::min(map.lines.size(), kMostLines);
  map.lines.resize(map.lines.size() - map.hidden, {subnet.address, {}});
  return map;
}

std::string print_lines(const SubnetMap& map, Colour colour) {
  constexpr std::size_t gap = 3;
  std::size_t label = 0;
  for (const auto& line : map.lines) label = std::max(label, line.first.to_string().size());
  std::string text;
  for (const auto& [first, letters] : map.lines) {
    std::string line = first.to_string();
    line.resize(label + gap, ' ');
    for (const char letter : letters) line += painted(letter, colour);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string SubnetMap::title() const {
  if (width == 1) return name;
  return joined(
      {name, ", ", std::to_string(width), " addresses a character: tenths that are taken"});
}

std::string SubnetMap::rest() const {
  return hidden == 0 ? "" : joined({"and ", std::to_string(hidden), " lines more"});
}

std::optional<State> state_of_letter(char letter) {
  const auto state = kLetters.find(letter);
  return state == kLetters.npos ? std::nullopt : std::optional(static_cast<State>(state));
}

std::vector<SubnetMap> maps_of(const Network& network) {
  std::vector<Cidr> subnets;
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) {
      if (std::find(subnets.begin(), subnets.end(), range.subnet) == subnets.end())
        subnets.push_back(range.subnet);
    }
  }
  std::vector<SubnetMap> maps;
  maps.reserve(subnets.size());
  for (const auto& subnet : subnets) maps.push_back(map_of(network, subnet));
  return maps;
}

std::string print_map(const Network& network, Colour colour) {
  const auto maps = maps_of(network);
  if (maps.empty()) return {};
  std::string text = joined({network.name, ": ", kMapLegend, "\n"});
  for (const auto& map : maps) {
    text += joined(
        {map.title(), "\n", print_lines(map, colour), map.rest(), map.hidden == 0 ? "" : "\n"});
  }
  return text;
}

}  // namespace shim::inspect
