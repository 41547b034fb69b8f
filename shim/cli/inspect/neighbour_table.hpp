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

  /// What is wrong about the node's entry of an address that is at `mac`, with the command that
  /// mends it; nullopt where the node has none, or a right one. `mac`, `others`: as results have
  /// them; those of `others` have the address on other networks, where they are right. What cannot
  /// be read contradicts nothing.
  [[nodiscard]] std::optional<std::string> contradiction(
      const allocator::Address& address, const std::string& mac,
      const std::vector<std::string>& others) const;

 private:
  std::vector<announce::KnownNeighbour> neighbours_;
};

}  // namespace shim::inspect
