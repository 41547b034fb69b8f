#pragma once
/// Where the node sends what is for its pods: its own neighbour tables.
#include <optional>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/announce/netlink.hpp"
#include "shim/cni/announce/wire.hpp"

namespace shim::inspect {

class NeighbourTable {
 public:
  /// Knows of nobody.
  NeighbourTable() = default;
  /// What the kernel tells; of nobody where it does not.
  static NeighbourTable read(announce::Wire& wire);

  /// The MAC address that the node takes the address to be at, where it is not `mac`, on whatever
  /// device; nullopt where the node does not know, or is right. `mac`: as results have it; one that
  /// cannot be read contradicts nothing.
  [[nodiscard]] std::optional<std::string> contradicts(const allocator::Address& address,
                                                       const std::string& mac) const;

 private:
  std::vector<announce::KnownNeighbour> neighbours_;
};

}  // namespace shim::inspect
