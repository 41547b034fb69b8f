#include "shim/cli/inspect/neighbour_table.hpp"

#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "shim/cli/validate/document/edit.hpp"

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

std::string mac_text(const Mac& mac) {
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

std::optional<std::string> NeighbourTable::contradiction(
    const allocator::Address& address, const std::string& mac,
    const std::vector<std::string>& others) const {
  const auto own = parse_mac(mac);
  const announce::KnownNeighbour* wrong = nullptr;
  if (!own) return std::nullopt;
  for (const auto& one : neighbours_) {
    if (one.address != address) continue;
    if (one.mac == *own) return std::nullopt;
    const bool is_others = std::any_of(others.begin(), others.end(), [&](const std::string& other) {
      return parse_mac(other) == one.mac;
    });
    if (!is_others) wrong = &one;
  }
  if (wrong == nullptr) return std::nullopt;
  std::array<char, IF_NAMESIZE> name{};
  const std::string device = ::if_indextoname(wrong->device, name.data()) == nullptr
                                 ? std::to_string(wrong->device)
                                 : std::string(name.data());
  const std::string text = address.to_string();
  return validate::joined({text, " is at ", mac, ", and the node takes it to be at ",
                           mac_text(wrong->mac), ": ip neigh del ", text, " dev ", device});
}

}  // namespace shim::inspect
