#pragma once
/// Many addresses in little memory: 4 bytes for an IPv4 address, 16 for an IPv6 one. Pure.
#include <cstdint>
#include <vector>

#include "allocator/address.hpp"

namespace allocator {

class AddressSet {
 public:
  void insert(const Address& address);
  /// Cheap while nothing is inserted in between.
  [[nodiscard]] bool contains(const Address& address);

 private:
  std::vector<std::uint32_t> v4_;
  std::vector<Uint128> v6_;
  bool is_sorted_ = true;
};

}  // namespace allocator
