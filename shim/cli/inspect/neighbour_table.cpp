#include "shim/cli/inspect/neighbour_table.hpp"

#include <net/ethernet.h>
#include <netinet/ether.h>

#include <cstring>

namespace shim::inspect {
namespace {

using announce::Mac;

/// "02:00:0a:f4:01:07", in either letter case.
/// Source: ether_aton(3).
std::optional<Mac> parse_mac(const std::string& text) {
  ether_addr address{};
  if (ether_aton_r(text.c_str(), &address) == nullptr) return std::nullopt;
  Mac mac;
  std::memcpy(mac.data(), &address, mac.size());
  return mac;
}

std::string text_of(const Mac& mac) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto byte : mac) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

}  // namespace

NeighbourTable NeighbourTable::read(announce::Wire& wire) {
  NeighbourTable table;
  table.neighbours_ = announce::parse_neighbours(wire.ask(announce::ask_neighbours()))
                          .value_or(std::vector<announce::KnownNeighbour>());
  return table;
}

std::optional<std::string> NeighbourTable::contradicts(const allocator::Address& address,
                                                       const std::string& mac) const {
  const auto own = parse_mac(mac);
  std::optional<std::string> other;
  if (!own) return other;
  for (const auto& one : neighbours_) {
    if (one.address != address) continue;
    if (one.mac == *own) return std::nullopt;
    other = text_of(one.mac);
  }
  return other;
}

}  // namespace shim::inspect
