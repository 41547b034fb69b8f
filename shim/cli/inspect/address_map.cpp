#include "shim/cli/inspect/address_map.hpp"

#include <algorithm>
#include <map>

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
constexpr unsigned kMostSingle = 1024;  // addresses with a character each
constexpr unsigned kCells = 256;        // of what is larger
constexpr std::size_t kMostLines = 64;  // of IPv6

/// What one character tells: a single address, or as many as a cell has.
struct Cell {
  Counts counts;

  [[nodiscard]] std::uint64_t taken() const {
    return counts.in_use + counts.dead + counts.reserved + counts.held;
  }

  /// Of a single address.
  [[nodiscard]] char letter() const {
    if (counts.in_use != 0) return '#';
    if (counts.dead != 0) return 'x';
    if (counts.held != 0) return 'h';
    if (counts.reserved != 0) return 'r';
    return counts.free != 0 ? '.' : ' ';
  }

  /// Of many: "." when all are free, tenths of them rounded up, "#" when none is free.
  [[nodiscard]] char digit() const {
    constexpr std::uint64_t tenths = 10;
    if (taken() == 0) return counts.free != 0 ? '.' : ' ';
    if (counts.free == 0) return '#';
    const auto level = taken() * tenths / (taken() + counts.free);
    return static_cast<char>('0' + std::clamp<std::uint64_t>(level, 1, tenths - 1));
  }
};

std::string painted(char letter, Colour colour) {
  constexpr std::pair<char, std::string_view> kMeanings[] = {
      {'#', "32"}, {'x', "31"}, {'h', "36"}, {'r', "2"}};
  std::string text(1, letter);
  if (colour == Colour::no) return text;
  for (const auto& [which, code] : kMeanings) {
    if (which == letter) return joined({"\x1b[", code, "m", text, "\x1b[0m"});
  }
  return text;
}

/// The cells of one subnet, by number. Those that are not there are outside the ranges.
class Cells {
 public:
  Cells(const Network& network, const Cidr& subnet)
      : family_(subnet.address.family()), first_(subnet.network().number()) {
    const Uint128 size = subnet.last().number() - first_ + 1;
    if (family_ == Family::v4 && size > kMostSingle) width_ = size / kCells;
    const Uint128 last = first_ + (size - 1);
    for (const auto& [address, one] : network.survey.addresses) {
      const State state = state_of(network, one.address);
      const bool is_here =
          address.family() == family_ && first_ <= address.number() && address.number() <= last;
      if (is_here && state != State::reserved && !is_outside(network, one.address))
        add(state, address.number(), address.number());
    }
    for (const auto& stretch : unused_of(network)) {
      const bool is_here = stretch.first.family() == family_ && first_ <= stretch.first.number() &&
                           stretch.last.number() <= last;
      // What is free in IPv6 has no end, and its lines are not shown.
      const bool is_told = stretch.state != State::free || family_ == Family::v4;
      if (is_here && is_told) add(stretch.state, stretch.first.number(), stretch.last.number());
    }
  }

  [[nodiscard]] const std::map<Uint128, Cell>& all() const { return cells_; }
  [[nodiscard]] Uint128 width() const { return width_; }
  [[nodiscard]] char letter(Uint128 number) const {
    const auto place = cells_.find(number);
    if (place == cells_.end()) return family_ == Family::v4 ? ' ' : '.';
    return width_ == 1 ? place->second.letter() : place->second.digit();
  }

 private:
  static std::uint64_t& count(Counts& counts, State state) {
    switch (state) {
      case State::in_use:
        return counts.in_use;
      case State::dead:
        return counts.dead;
      case State::reserved:
        return counts.reserved;
      case State::held:
        return counts.held;
      case State::free:
        break;
    }
    return counts.free;
  }

  void add(State state, Uint128 from, Uint128 to) {
    while (from <= to) {
      const Uint128 number = (from - first_) / width_;
      const Uint128 end = std::min(to, first_ + (number + 1) * width_ - 1);
      count(cells_[number].counts, state) += static_cast<std::uint64_t>(end - from + 1);
      if (end == to) return;
      from = end + 1;
    }
  }

  Family family_;
  Uint128 first_;
  Uint128 width_ = 1;  ///< addresses of a cell
  std::map<Uint128, Cell> cells_;
};

std::string print_subnet(const Network& network, const Cidr& subnet, Colour colour) {
  const Cells cells(network, subnet);
  std::map<Uint128, bool> lines;  // their numbers, and whether anything but free ones is in them
  for (const auto& [number, cell] : cells.all()) lines[number / kColumns] |= cell.taken() != 0;
  if (subnet.address.family() == Family::v6)
    std::erase_if(lines, [](const auto& line) { return !line.second; });
  std::string text = subnet.network().to_string() + "/" + std::to_string(subnet.prefix_length);
  if (cells.width() != 1)
    text += joined({", ", std::to_string(static_cast<std::uint64_t>(cells.width())),
                    " addresses a character"});
  text += '\n';
  std::size_t shown = 0;
  for (const auto& [line, is_used] : lines) {
    if (++shown > kMostLines) break;
    const Uint128 number = line * kColumns;
    const Address first(subnet.address.family(),
                        subnet.network().number() + number * cells.width());
    constexpr std::size_t label = 20;
    std::string start = first.to_string();
    start.resize(std::max(label, start.size() + 1), ' ');
    text += start;
    for (unsigned column = 0; column < kColumns; ++column)
      text += painted(cells.letter(number + column), colour);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  if (lines.size() > kMostLines)
    text += joined({"and ", std::to_string(lines.size() - kMostLines), " lines more\n"});
  return text;
}

}  // namespace

std::string print_map(const Network& network, Colour colour) {
  std::vector<Cidr> subnets;
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) {
      if (std::find(subnets.begin(), subnets.end(), range.subnet) == subnets.end())
        subnets.push_back(range.subnet);
    }
  }
  if (subnets.empty()) return {};
  std::string text = joined({network.name,
                             ": # in use, x dead, h held, r reserved, . free; of several: tenths "
                             "taken\n"});
  for (const auto& subnet : subnets) text += print_subnet(network, subnet, colour);
  return text;
}

}  // namespace shim::inspect
